package daemon

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/veonahealth/charter/reconcile/ehr"
)

// traced begins the pass's span, and returns what ends it.
func (p *pass) traced() (end func()) {
	ctx, span := p.o.Tracer.Start(p.ctx, "pass", trace.WithAttributes(
		attribute.String("charter.pass", p.done.ID), attribute.String("charter.depth", p.done.Depth), attribute.String("charter.why", p.ask.Why),
	))
	p.ctx = ctx
	return func() {
		span.SetAttributes(attribute.Int("charter.looked", p.done.Looked), attribute.Bool("charter.evaluated", p.done.Evaluated))
		for _, f := range p.faults.list() {
			span.SetStatus(codes.Error, string(f.Code))
		}
		span.End()
	}
}

// within does a part of the pass in a span of its own.
func (p *pass) within(name string, do func()) {
	outer := p.ctx
	ctx, span := p.o.Tracer.Start(outer, name)
	p.ctx = ctx
	do()
	p.ctx = outer
	span.End()
}

// traceRequest adds a request to the span in which it was sent. The path is the
// endpoint's: no tenant's name is part of it.
func (d *Daemon) traceRequest(ctx context.Context, x ehr.Exchange) {
	_, span := d.o.Tracer.Start(ctx, x.Method+" "+x.Endpoint, trace.WithTimestamp(x.At.Add(-x.Took)), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("http.request.method", x.Method), attribute.String("url.template", x.Endpoint),
			attribute.Int("http.response.status_code", x.Status),
		))
	if x.Status == 0 || x.Status >= 400 {
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(x.At))
}
