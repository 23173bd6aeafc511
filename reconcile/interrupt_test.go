package reconcile_test

import (
	"context"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
)

// TestAnInterruptBringsWhatIsUnderWayToAnEndAndBeginsNothing interrupts when as
// many writes are under way as may be, and lets these go on afterwards.
func TestAnInterruptBringsWhatIsUnderWayToAnEndAndBeginsNothing(t *testing.T) {
	for name, n := range map[string]int{"one by one": 12, "in bulk": lots} {
		for _, answers := range []string{"arrive", "are lost"} {
			t.Run(name+", answers "+answers, func(t *testing.T) {
				s := newScene(t, n, func(o *ehr.Options) { o.Parallelism = 4 })
				ctx, cancel := cancelled(t)
				s.on("PUT", "*", 0, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
					if len(s.proxy.Seen("PUT", "")) >= 3 {
						cancel()
					}
					<-ctx.Done()
					if answers == "are lost" {
						ehrtest.DropAnswer(w, r, pass)
					}
					pass.ServeHTTP(w, r)
				})
				outcomes, err := reconcile.Apply(ctx, s.client, applyOf(t, s.plan))
				if err != nil {
					t.Fatal(err)
				}
				same(t, "outcomes", n, len(outcomes))
				begun := map[string]bool{}
				for _, r := range s.proxy.Seen("PUT", "") {
					begun[r.Path] = true
				}
				if len(begun) < 3 || len(begun) > 4 {
					t.Errorf("%d writes were begun, want no more than were under way", len(begun))
				}
				for _, o := range outcomes {
					s.tellsTheTruth(t, o, begun["/tenants/"+o.Tenant+"/entitlements"])
				}
				s.finish(t)
			})
		}
	}
}

// tellsTheTruth holds an outcome against the EHR.
func (s *scene) tellsTheTruth(t *testing.T, o reconcile.Outcome, begun bool) {
	t.Helper()
	switch {
	case begun && o.State == reconcile.Done:
		s.written(t, o.Tenant)
	case !begun && o.State == reconcile.NotTried && !o.Unreadable && o.Text == "interrupted before its turn":
		s.untouched(t, o.Tenant)
	default:
		t.Errorf("begun %v: %+v", begun, o)
	}
}

// finish applies again, after which everything is as planned, by one write each.
func (s *scene) finish(t *testing.T) {
	t.Helper()
	s.proxy.Reset()
	for _, o := range apply(t, s.client, s.plan) {
		if o.State != reconcile.Done && o.State != reconcile.Already {
			t.Errorf("%+v", o)
		}
		s.written(t, o.Tenant)
	}
}

func TestAnInterruptBeforeTheFirstReadTriesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		ctx, cancel := cancelled(t)
		s.proxy.Add(ehrtest.Rule{Path: "/", Fault: func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			pass.ServeHTTP(w, r)
		}})
		s.proxy.Add(ehrtest.Rule{Method: "GET", Fault: func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			cancel()
			<-r.Context().Done()
		}})
		outcomes, err := reconcile.Apply(ctx, s.client, applyOf(t, s.plan))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			s.tellsTheTruth(t, o, false)
		}
		same(t, "writes", 0, len(s.proxy.Seen("PUT", "")))
	})
}

func TestAnInterruptBeforeThePlatformIsKnownIsAnError(t *testing.T) {
	s := newScene(t, few)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if outcomes, err := reconcile.Apply(ctx, s.client, applyOf(t, s.plan)); outcomes != nil || err == nil || ehr.IsUnknown(err) {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// TestAPowerCutLosesAndRepeatsNothing kills the platform in the middle of an
// apply, starts it again on the same database, and applies again.
func TestAPowerCutLosesAndRepeatsNothing(t *testing.T) {
	for name, n := range map[string]int{"one by one": 16, "in bulk": lots} {
		t.Run(name, func(t *testing.T) {
			db := filepath.Join(t.TempDir(), "ehr.db")
			s := sceneOn(t, ehrtest.StartOn(t, db), n, func(o *ehr.Options) { o.Parallelism = 4 })
			var answered atomic.Int64
			var once sync.Once
			s.on("PUT", "*", 0, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				if answered.Load() >= 6 {
					once.Do(func() { s.Kill(t) })
				}
				pass.ServeHTTP(w, r)
				answered.Add(1)
			})
			first := apply(t, s.client, s.plan)

			s.EHR = ehrtest.StartOn(t, db)
			s.proxy.To(t, s.URL)
			done := 0
			for _, o := range first {
				switch o.State {
				case reconcile.Done:
					done++
					s.written(t, o.Tenant)
				case reconcile.NotTried:
					s.untouched(t, o.Tenant)
				case reconcile.Unconfirmed: // one or the other, as the last check shows
				default:
					t.Errorf("%+v", o)
				}
			}
			if done < 6 || done == n {
				t.Errorf("%d of %d done before the cut", done, n)
			}
			s.finish(t)
		})
	}
}
