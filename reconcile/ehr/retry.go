package ehr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

// retryAfter returns how long an answer asks to wait before the next request.
func retryAfter(r *http.Response) (time.Duration, bool) {
	if r.StatusCode != http.StatusTooManyRequests && r.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	text := r.Header.Get("Retry-After")
	seconds, err := strconv.ParseUint(text, 10, 31)
	switch {
	case err == nil:
		return time.Duration(seconds) * time.Second, true
	case errors.Is(err, strconv.ErrRange):
		return math.MaxInt64, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}

// checkRetry says whether a request is worth another try. All of them may be
// tried again: reads by their nature, writes by their Idempotency-Key.
func checkRetry(_ context.Context, answer *http.Response, err error) (bool, error) {
	if err != nil {
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
		errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &dns) && dns.IsNotFound ||
		errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, errTooLarge)
}

// backoff waits longer before each try, and never so that many clients come back
// at once. What the platform asked for is waited by the pace.
func backoff(first, longest time.Duration, try int, _ *http.Response) time.Duration {
	wait := min(longest, first<<min(try, 20))
	return wait/2 + rand.N(wait/2+1)
}
