package daemon_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/veonahealth/charter/examples/ehr/ehrtest"
)

// receiver takes traces as the OTLP specification says that a collector does, from
// whoever knows a word.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	spans map[string]*trace.Span // by id
	asked int
}

const collectorWord = "Bearer let me in"

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{spans: map[string]*trace.Span{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked++
		if q.Header.Get("Authorization") != collectorWord {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		request, err := exported(q)
		if err != nil || q.URL.Path != "/v1/traces" {
			t.Errorf("%s %s: %v", q.Method, q.URL, err)
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		for _, of := range request.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				for _, span := range scope.Spans {
					r.spans[string(span.SpanId)] = span
				}
			}
		}
		answer, err := proto.Marshal(&collector.ExportTraceServiceResponse{})
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(r.Close)
	return r
}

func exported(q *http.Request) (*collector.ExportTraceServiceRequest, error) {
	if kind := q.Header.Get("Content-Type"); kind != "application/x-protobuf" || q.Method != http.MethodPost {
		return nil, fmt.Errorf("content type %q", kind)
	}
	body := io.Reader(q.Body)
	if q.Header.Get("Content-Encoding") == "gzip" {
		plain, err := gzip.NewReader(q.Body)
		if err != nil {
			return nil, err
		}
		body = plain
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	request := &collector.ExportTraceServiceRequest{}
	return request, proto.Unmarshal(data, request)
}

// paths are the spans that came, each with those that it is in: "pass/live/GET
// /tenants".
func (r *receiver) paths() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	paths := map[string]int{}
	for _, span := range r.spans {
		path := span.Name
		for parent := r.spans[string(span.ParentSpanId)]; parent != nil; parent = r.spans[string(parent.ParentSpanId)] {
			path = parent.Name + "/" + path
		}
		paths[path]++
	}
	return paths
}

func TestAPassIsTracedWithItsRequests(t *testing.T) {
	w := newWorld(t, "aga")
	r := receive(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(w.dir), "header"), []byte("Authorization: "+collectorWord+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := w.serve(t, w.configure(t, fmt.Sprintf("traces: {url: %q, header_file: \"header\"}", r.URL+"/v1/traces")))
	becomes(t, "aga in-step", func() string { return s.status(t) })
	s.end(t, syscall.SIGTERM) // and sends what is left
	paths := r.paths()
	for _, want := range []string{"pass", "pass/ledger", "pass/declarations", "pass/live", "pass/live/GET /tenants", "pass/live/GET /entitlements"} {
		if paths[want] == 0 {
			t.Errorf("no span %s among %v", want, paths)
		}
	}
	if log := s.log.String(); strings.Contains(log, "traces not sent") || strings.Contains(log, "let me in") {
		t.Error(log)
	}
	for _, span := range r.spans {
		if text := span.String(); strings.Contains(text, "aga") || strings.Contains(text, ehrtest.Token) {
			t.Errorf("a span names a tenant or a secret: %s", text)
		}
	}
}

func TestACollectorThatRefusesHoldsUpNothing(t *testing.T) {
	w := newWorld(t, "aga")
	r := receive(t)
	s := w.serve(t, w.configure(t, fmt.Sprintf("traces: url: %q", r.URL+"/v1/traces")))
	becomes(t, "aga in-step", func() string { return s.status(t) })
	s.end(t, syscall.SIGTERM)
	if r.asked == 0 || len(r.spans) > 0 || !strings.Contains(s.log.String(), "traces not sent") || s.process.ProcessState.ExitCode() != 0 {
		t.Errorf("asked %d times, %d spans, status %d: %s", r.asked, len(r.spans), s.process.ProcessState.ExitCode(), s.log)
	}
}

// TestWhatACollectorIsToldGoesNowhereElse points a daemon that sends a header of a
// collector's own to somebody else.
func TestWhatACollectorIsToldGoesNowhereElse(t *testing.T) {
	w := newWorld(t, "aga")
	told := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		select {
		case told <- q.Header.Get("X-Team"):
		default:
		}
	}))
	defer other.Close()
	r := httptest.NewServer(http.RedirectHandler(strings.Replace(other.URL, "127.0.0.1", "localhost", 1), http.StatusTemporaryRedirect))
	defer r.Close()
	if err := os.WriteFile(filepath.Join(filepath.Dir(w.dir), "header"), []byte("X-Team: let me in\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := w.serve(t, w.configure(t, fmt.Sprintf("traces: {url: %q, header_file: \"header\"}", r.URL+"/v1/traces")))
	becomes(t, "aga in-step", func() string { return s.status(t) })
	s.end(t, syscall.SIGTERM)
	select {
	case word := <-told:
		t.Errorf("somebody else is told %q", word)
	default:
	}
	if !strings.Contains(s.log.String(), "traces not sent") {
		t.Error(s.log)
	}
}
