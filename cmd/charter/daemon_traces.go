package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/veonahealth/charter/schema"
)

const (
	tracesTime = 10 * time.Second // of one request to the collector
	lastTraces = 5 * time.Second  // that a daemon that ends waits for its last traces to go
)

// headerName is what HTTP lets a header be called. Another would be named, with the
// secret that it may be, by whoever refuses to send it.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// traces sends what passes consist of to an OpenTelemetry collector, by OTLP over
// HTTP. What cannot be sent is said in the log and given up: no pass waits for it.
type traces struct {
	tracer trace.Tracer
	end    func(context.Context) error
}

// newTraces makes the traces of a configuration, which go nowhere where it names no
// collector.
func newTraces(ctx context.Context, c *schema.Daemon, header map[string]string, log *slog.Logger) (*traces, error) {
	if c.Traces == nil {
		return &traces{noop.NewTracerProvider().Tracer(""), func(context.Context) error { return nil }}, nil
	}
	client := &http.Client{
		Timeout: tracesTime, Transport: http.DefaultTransport.(*http.Transport).Clone(),
		// What the collector is told is for it alone, and not for where it points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Traces.URL), otlptracehttp.WithHeaders(header), otlptracehttp.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("configuration: traces: %w", err)
	}
	otel.SetErrorHandler(complaint(log))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "charter"), attribute.String("service.version", version()),
		attribute.String("deployment.environment.name", c.Environment),
	)))
	return &traces{provider.Tracer("github.com/veonahealth/charter"), provider.Shutdown}, nil
}

// complaint says that traces are not sent: once an hour, as it is tried every few
// seconds.
func complaint(log *slog.Logger) otel.ErrorHandler {
	var mu sync.Mutex
	var said time.Time
	return otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		level := slog.LevelDebug
		if now := time.Now(); now.Sub(said) > time.Hour {
			level, said = slog.LevelWarn, now
		}
		log.Log(context.Background(), level, "traces not sent", "error", err)
	})
}

// close sends what is left.
func (t *traces) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastTraces)
	defer cancel()
	return t.end(ctx)
}

// readTraces reads what the collector wants to be told, a line of "Name: value" for
// each header.
func (p *parts) readTraces(c *schema.Daemon) error {
	if c.Traces == nil || c.Traces.HeaderFile == "" {
		return nil
	}
	data, err := readSecret(c.Traces.HeaderFile)
	if err != nil {
		return err
	}
	p.header = map[string]string{}
	for line := range bytes.Lines(data) {
		name, value, ok := strings.Cut(string(bytes.TrimSpace(line)), ":")
		if !ok || !headerName.MatchString(name) || strings.ContainsFunc(value, unicode.IsControl) {
			return fmt.Errorf("%s: want lines of “Name: value”", c.Traces.HeaderFile) // and the line itself is a secret
		}
		p.header[name] = textproto.TrimString(value)
	}
	return nil
}
