package ehr

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Exchange is one try of one request, for those who count and compare clocks.
type Exchange struct {
	Method string
	// Endpoint is the path with "{id}" in the place of what it is about, so that
	// there are few of them.
	Endpoint string
	Status   int           // of the answer; 0 where none came
	Took     time.Duration // until the answer's header was there
	// Date is the platform's clock as the answer has it, and At ours when it came;
	// Date is zero where the answer has none.
	Date, At time.Time
}

// watched tells of each try.
type watched struct {
	next http.RoundTripper
	tell func(context.Context, Exchange)
	now  func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	began := w.now()
	answer, err := w.next.RoundTrip(r)
	x := Exchange{Method: r.Method, Endpoint: endpoint(r.URL.Path), At: w.now()}
	x.Took = x.At.Sub(began)
	if err == nil {
		x.Status = answer.StatusCode
		x.Date, _ = http.ParseTime(answer.Header.Get("Date")) // zero where there is none
	}
	w.tell(r.Context(), x)
	return answer, err
}

// collections are the parts of a path after which the name of one thing comes.
const collections = " tenants editions clients licenses tenant-admins facilities subscriptions "

// endpoint returns a path without the names of things.
func endpoint(path string) string {
	parts := strings.Split(path, "/")
	for i := 1; i < len(parts); i++ {
		if strings.Contains(collections, " "+parts[i-1]+" ") {
			parts[i] = "{id}"
		}
	}
	return strings.Join(parts, "/")
}
