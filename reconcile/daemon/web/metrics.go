package web

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/daemon"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// Metrics counts what a daemon does. Its methods are for any goroutine.
type Metrics struct {
	registry  *prometheus.Registry
	passes    *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	exchanges *prometheus.HistogramVec
	knocks    *prometheus.CounterVec
	actions   *prometheus.CounterVec
}

// NewMetrics counts for a daemon whose view it asks when it is read.
func NewMetrics(view func() *daemon.View, now func() time.Time) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		passes:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "charter_passes_total", Help: "Passes made, by depth."}, []string{"depth"}),
		duration:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "charter_pass_duration_seconds", Help: "How long passes took, by depth.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 9)}, []string{"depth"}),
		exchanges: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "charter_ehr_request_duration_seconds", Help: "Requests to the platform, by endpoint and status; status 0 is no answer.", Buckets: prometheus.ExponentialBuckets(0.002, 4, 8)}, []string{"method", "endpoint", "status"}),
		knocks:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "charter_webhooks_total", Help: "Webhooks that came, by what was made of them."}, []string{"verdict"}),
		actions:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "charter_corrections_total", Help: "Batches that the daemon carried out, by outcome."}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.passes, m.duration, m.exchanges, m.knocks, m.actions, newStanding(view, now),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Published counts the pass that a view is of.
func (m *Metrics) Published(v *daemon.View) {
	m.passes.WithLabelValues(v.Last.Depth).Inc()
	m.duration.WithLabelValues(v.Last.Depth).Observe(v.Last.Took.Seconds())
}

// Exchange counts a request to the platform.
func (m *Metrics) Exchange(x ehr.Exchange) {
	m.exchanges.WithLabelValues(x.Method, x.Endpoint, strconv.Itoa(x.Status)).Observe(x.Took.Seconds())
}

// Acted counts what became of a batch that the daemon carried out.
func (m *Metrics) Acted(outcome string) { m.actions.WithLabelValues(outcome).Inc() }

func (m *Metrics) knocked(verdict string) { m.knocks.WithLabelValues(verdict).Inc() }

// standing gives figures that are read off the view when somebody asks.
type standing struct {
	view func() *daemon.View
	now  func() time.Time

	tenants, changes, faults, backoff, unmanaged, contested, lastFull, lastGood, scheduled, pendingAge *prometheus.Desc
}

func newStanding(view func() *daemon.View, now func() time.Time) *standing {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("charter_"+name, help, labels, nil)
	}
	return &standing{
		view: view, now: now,
		tenants:    desc("tenants", "Declared tenants, by how they stand.", "standing"),
		changes:    desc("differences", "What differs between declared and live, by class.", "class"),
		faults:     desc("fault", "1 where the fault is there.", "fault"),
		backoff:    desc("tenants_in_backoff", "Tenants that wait before they are asked again."),
		unmanaged:  desc("tenants_unmanaged", "Tenants of the platform that nobody declares."),
		contested:  desc("rows_contested", "Rows that somebody changes back again and again."),
		lastFull:   desc("last_full_reading_timestamp_seconds", "When everything was last read whole; 0 for never."),
		lastGood:   desc("last_success_timestamp_seconds", "When a pass last met no fault; 0 for never."),
		scheduled:  desc("scheduled", "Changes that the declarations already name the time of."),
		pendingAge: desc("oldest_pending_seconds", "For how long the oldest pending tenant has waited."),
	}
}

// Describe implements prometheus.Collector.
func (s *standing) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.tenants, s.changes, s.faults, s.backoff, s.unmanaged, s.contested, s.lastFull, s.lastGood, s.scheduled, s.pendingAge} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (s *standing) Collect(c chan<- prometheus.Metric) {
	v := s.view()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	count, classes := v.Count(), v.Classes()
	for _, standing := range daemon.Standings() {
		gauge(s.tenants, float64(count[standing]), string(standing))
	}
	for _, class := range []plan.Class{plan.Conflict, plan.Pending, plan.Drift} {
		gauge(s.changes, float64(classes[class]), string(class))
	}
	for _, code := range daemon.AllFaults() {
		there := 0.0
		for _, f := range v.Faults {
			if f.Code == code {
				there = 1
			}
		}
		gauge(s.faults, there, string(code))
	}
	gauge(s.backoff, float64(v.InBackoff()))
	gauge(s.unmanaged, float64(len(v.Unmanaged)))
	gauge(s.contested, float64(len(v.Contested)))
	gauge(s.lastFull, seconds(v.LastFull))
	gauge(s.lastGood, seconds(v.LastGood))
	gauge(s.scheduled, float64(len(v.Scheduled())))
	gauge(s.pendingAge, s.oldestPending(v))
}

func (s *standing) oldestPending(v *daemon.View) float64 {
	oldest := time.Duration(0)
	for _, t := range v.Tenants {
		if t.Standing == daemon.Pending {
			oldest = max(oldest, s.now().Sub(t.Since))
		}
	}
	return oldest.Seconds()
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}
