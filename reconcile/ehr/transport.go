package ehr

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxBody is the largest body that is held in memory, in bytes after
// decompression.
const maxBody = 64 << 20

// gate lets requests through at the pace that the platform and the caller bear.
type gate struct {
	next    http.RoundTripper
	limiter *rate.Limiter
	log     *slog.Logger

	mu     sync.Mutex
	closed time.Time // until when the platform has asked for peace
}

func newGate(o Options) *gate {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = o.Proxy
	t.MaxIdleConnsPerHost = o.Parallelism
	t.MaxConnsPerHost = o.Parallelism
	t.ResponseHeaderTimeout = o.Timeout
	t.MaxResponseHeaderBytes = 64 << 10
	limit := rate.Inf
	if o.MaxRPS > 0 {
		limit = rate.Limit(o.MaxRPS)
	}
	return &gate{next: t, limiter: rate.NewLimiter(limit, 1), log: o.Log}
}

// RoundTrip waits until a request may be sent, and sends it.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.wait(r.Context()); err != nil {
		return nil, err
	}
	answer, err := g.next.RoundTrip(r)
	if err == nil {
		if pause, ok := retryAfter(answer); ok && pause <= longestRetryAfter {
			g.pause(pause)
		}
	}
	return answer, err
}

func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		left := time.Until(g.closed)
		g.mu.Unlock()
		if left <= 0 {
			return g.limiter.Wait(ctx)
		}
		// Not all at once when it opens.
		timer := time.NewTimer(left + rand.N(left/4+time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

func (g *gate) pause(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.closed) {
		g.closed = until
		g.log.Info("the platform asks to wait", "seconds", d.Seconds())
	}
}

// retryAfter returns how long an answer asks to wait before the next request.
func retryAfter(r *http.Response) (time.Duration, bool) {
	if r.StatusCode != http.StatusTooManyRequests && r.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	text := r.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}

// buffered reads every body whole before it hands the answer on, so that one
// that breaks off is a fault of the network, and is tried again like any other.
type buffered struct {
	next    http.RoundTripper
	timeout time.Duration
}

// RoundTrip implements http.RoundTripper.
func (b *buffered) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), b.timeout)
	defer cancel()
	answer, err := b.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, b.explain(r, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err != nil {
		return nil, b.explain(r, fmt.Errorf("the answer broke off: %w", err))
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxBody)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

func (b *buffered) explain(r *http.Request, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil {
		return fmt.Errorf("no answer within %s", b.timeout)
	}
	return err
}

// checkRetry says whether a request is worth another try. All of them may be
// tried again: reads by their nature, writes by their Idempotency-Key.
func checkRetry(ctx context.Context, answer *http.Response, err error) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		return !hopeless(err), nil
	}
	if pause, ok := retryAfter(answer); ok && pause > longestRetryAfter {
		return false, nil
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, nil
	}
	return false, nil
}

// hopeless reports whether a fault will be the same next time.
func hopeless(err error) bool {
	var (
		unknownAuthority x509.UnknownAuthorityError
		wrongHost        x509.HostnameError
		invalid          x509.CertificateInvalidError
		verification     *tls.CertificateVerificationError
		record           tls.RecordHeaderError
		dns              *net.DNSError
	)
	return errors.As(err, &unknownAuthority) || errors.As(err, &wrongHost) || errors.As(err, &invalid) ||
		errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &dns) && dns.IsNotFound
}

// backoff waits longer before each try, and never so that many clients come back
// at once. What the platform asked for is waited by the gate.
func backoff(first, longest time.Duration, try int, _ *http.Response) time.Duration {
	wait := min(longest, first<<min(try, 20))
	return wait/2 + rand.N(wait/2+1)
}
