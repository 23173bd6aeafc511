package ehr

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace says when the next request may be sent: as often as the caller bears, and
// when the platform has not asked for peace. All requests of a client share it.
type pace struct {
	limiter *rate.Limiter
	log     *slog.Logger

	mu     sync.Mutex
	closed time.Time // until when the platform has asked for peace
}

func newPace(maxRPS float64, log *slog.Logger) *pace {
	limit := rate.Inf
	if maxRPS > 0 {
		limit = rate.Limit(maxRPS)
	}
	return &pace{limiter: rate.NewLimiter(limit, 1), log: log}
}

// wait returns when a request may be sent. Whoever waited for the limiter looks
// again, as the platform may have asked for peace meanwhile.
func (p *pace) wait(ctx context.Context) error {
	for {
		if err := p.limiter.Wait(ctx); err != nil {
			return err
		}
		left := p.left()
		if left <= 0 {
			return nil
		}
		// Not all at once when it opens.
		if err := sleep(ctx, left+rand.N(left/4+time.Millisecond)); err != nil {
			return err
		}
	}
}

func (p *pace) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.closed)
}

// pause holds all requests back.
func (p *pace) pause(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.closed) {
		p.closed = until
		p.log.Info("the platform asks to wait", "seconds", d.Seconds())
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// paced sends each request when its turn has come.
type paced struct {
	*pace
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := p.wait(r.Context()); err != nil {
		return nil, err
	}
	answer, err := p.next.RoundTrip(r)
	if err == nil {
		if pause, ok := retryAfter(answer); ok && pause <= longestRetryAfter {
			p.pause(pause)
		}
	}
	return answer, err
}
