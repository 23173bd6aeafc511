package ehr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxBody is the largest body that is held in memory, in bytes after
// decompression.
const maxBody = 64 << 20

// bufferSize holds a grant and its authority, so that one goes out and comes in at
// once.
const bufferSize = 16 << 10 // bytes

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxBody)

// newTransport returns what speaks HTTP with the platform.
func newTransport(o *Options) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = o.Proxy
	t.MaxIdleConns = o.Parallelism
	t.MaxIdleConnsPerHost = o.Parallelism
	t.MaxConnsPerHost = o.Parallelism
	t.MaxResponseHeaderBytes = 64 << 10
	t.ReadBufferSize, t.WriteBufferSize = bufferSize, bufferSize
	t.DisableCompression = sameMachine(o.URL) // it would only cost both sides
	return t
}

// sameMachine reports whether a URL leads to this machine without leaving it.
func sameMachine(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}

// bounded bounds one try of a request in time and size. It reads every body
// whole before it hands the answer on, so that one that breaks off is a fault of
// the network, and is tried again like any other.
type bounded struct {
	next    http.RoundTripper
	timeout time.Duration
	// stream hands on the body of a stream as it comes, and bounds the time
	// between two parts of it instead of the whole.
	stream bool
}

// lateError says that the time of a try, or of a part of a stream, is over.
type lateError struct{ limit time.Duration }

func (e *lateError) Error() string { return fmt.Sprintf("no answer within %s", e.limit) }

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	late := time.AfterFunc(b.timeout, func() { cancel(&lateError{b.timeout}) })
	answer, err := b.next.RoundTrip(r.WithContext(ctx))
	if err == nil && b.stream && isStream(answer) {
		answer.Body = &flow{
			ReadCloser: answer.Body, late: late, limit: b.timeout,
			explain: func(err error) error { return explain(ctx, err) },
			end:     func() { cancel(nil) },
		}
		return answer, nil
	}
	defer cancel(nil)
	defer late.Stop()
	if err != nil {
		return nil, explain(ctx, err)
	}
	defer answer.Body.Close()
	body, err := readWhole(answer)
	if err != nil {
		return nil, explain(ctx, fmt.Errorf("the answer broke off: %w", err))
	}
	if body.Len() > maxBody {
		return nil, errTooLarge
	}
	answer.Body = &held{body}
	return answer, nil
}

// held is a body that was read whole.
type held struct{ *bytes.Buffer }

// Close implements io.Closer.
func (h *held) Close() error { return nil }

// readWhole reads a body at once where the answer tells, within reason, how long
// it is.
func readWhole(answer *http.Response) (*bytes.Buffer, error) {
	const reason = 1 << 20 // bytes: more is not set aside before it comes
	body := &bytes.Buffer{}
	body.Grow(int(min(max(answer.ContentLength, 0), reason)) + bytes.MinRead)
	_, err := body.ReadFrom(io.LimitReader(answer.Body, maxBody+1))
	return body, err
}

// explain puts why a try was ended in the place of the fault that this led to.
func explain(ctx context.Context, err error) error {
	var late *lateError
	if errors.As(context.Cause(ctx), &late) {
		return late
	}
	return err
}

// flow is the body of a stream. Only the time in which it is read counts: whoever
// reads may take its own.
type flow struct {
	io.ReadCloser
	late    *time.Timer
	limit   time.Duration
	explain func(error) error
	end     func()
}

// Read implements io.Reader.
func (f *flow) Read(p []byte) (int, error) {
	f.late.Reset(f.limit)
	defer f.late.Stop()
	n, err := f.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = f.explain(err)
	}
	return n, err
}

// Close implements io.Closer.
func (f *flow) Close() error {
	f.late.Stop()
	defer f.end()
	return f.ReadCloser.Close()
}
