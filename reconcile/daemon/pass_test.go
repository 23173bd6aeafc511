package daemon_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/reconcile/daemon"
)

// toggle takes the first row of a tenant away by hand.
func (w *world) toggle(t testing.TB, id string) (gone string) {
	t.Helper()
	rows := w.ehr.Grant(t, id).Rows
	w.ehr.Put(t, id, rows[1:]...)
	return rows[0]
}

func TestAnIdlePassIsTwoSmallReadsAndNoEvaluation(t *testing.T) {
	w := newWorld(t, "aga", "bomet")
	w.expect(t, daemon.Full, "")
	evaluated, before := w.evaluated, len(w.proxy.Seen("", ""))
	w.expect(t, daemon.Quick, "")
	if got, want := w.asked(before), []string{"GET /audit", "GET /entitlements"}; !slices.Equal(got, want) {
		t.Errorf("an idle pass asks %q, want %q", got, want)
	}
	before = len(w.proxy.Seen("", ""))
	w.expect(t, daemon.Look, "")
	if got := w.asked(before); len(got) > 0 {
		t.Errorf("a look without a new commit asks the platform %q", got)
	}
	if w.evaluated != evaluated {
		t.Error("an idle pass evaluates")
	}
}

func TestAToggleByHandIsSeenAndOnlyItsTenantIsReadAgain(t *testing.T) {
	w := newWorld(t, "aga", "bomet", "chuka")
	w.expect(t, daemon.Full, "")
	before := len(w.proxy.Seen("", ""))
	rows := w.ehr.Grant(t, "bomet").Rows
	w.toggle(t, "bomet")
	w.expect(t, daemon.Quick, "bomet pending")
	for _, request := range w.asked(before) {
		if strings.Contains(request, "/tenants/") && !strings.Contains(request, "/tenants/bomet") {
			t.Errorf("it asks %s", request)
		}
	}
	w.ehr.Put(t, "bomet", rows...)
	w.expect(t, daemon.Quick, "")
}

func TestWhatIsNoRowIsSeenByTheAuditTrail(t *testing.T) {
	w := newWorld(t, "aga", "bomet")
	w.expect(t, daemon.Full, "")
	w.ehr.SetStatus(t, "aga", "suspended")
	w.expect(t, daemon.Quick, "aga held")
	w.ehr.SetStatus(t, "aga", "active")
	w.expect(t, daemon.Quick, "")
}

func TestANewCommitIsComparedForItsTenantsAlone(t *testing.T) {
	w := newWorld(t, "aga", "bomet")
	w.expect(t, daemon.Full, "")
	w.declare(t, "aga", `grants: scribe: reason: "pilot"`)
	w.commit(t)
	before := len(w.proxy.Seen("", ""))
	w.expect(t, daemon.Look, "aga pending")
	if asked := w.asked(before); slices.ContainsFunc(asked, func(r string) bool { return strings.Contains(r, "/tenants/bomet") }) {
		t.Errorf("it asks %q", asked)
	}
}

func TestAGrantThatBeginsIsSeenAtItsTimeWithoutAnythingElse(t *testing.T) {
	w := newWorld(t, "aga")
	begins := time.Now().Add(10 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	w.declare(t, "aga", `grants: scribe: {reason: "pilot", from: "`+begins.Format(time.DateOnly)+`"}`)
	w.commit(t)
	w.expect(t, daemon.Full, "")
	next := (&daemon.Loop{Timers: w.daemon.Timers()}).Due(w.now())
	if !next.Equal(begins) {
		t.Errorf("it wakes at %s, want %s", next, begins)
	}
	w.expect(t, daemon.Quick, "")
	w.later(begins.Sub(w.now()))
	w.expect(t, daemon.Quick, "aga pending")
}

func TestWhileTheClocksDifferNothingBeginsOrEnds(t *testing.T) {
	w := newWorld(t, "aga")
	begins := time.Now().Add(10 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	w.declare(t, "aga", `grants: scribe: {reason: "pilot", from: "`+begins.Format(time.DateOnly)+`"}`)
	w.commit(t)
	w.daemon = w.start(t, func(o *daemon.Options) { o.Skew = time.Minute })
	w.expect(t, daemon.Full, "")
	w.later(begins.Sub(w.now()))
	w.expect(t, daemon.Full, "clock-skew")
	w.later(-11 * 24 * time.Hour) // as it was, about
	w.later(w.daemon.View().At.Sub(w.now()))
	w.expect(t, daemon.Full, "")
}

func TestACommitThatDoesNotLoadLeavesTheLastOneInForce(t *testing.T) {
	w := newWorld(t, "aga")
	w.expect(t, daemon.Full, "")
	inForce := w.daemon.View().Commit.Hash
	w.declare(t, "aga", `grants: telehelth: reason: "pilot"`)
	w.commit(t)
	w.expect(t, daemon.Look, "declarations-wrong")
	evaluated := w.evaluated
	w.toggle(t, "aga")
	w.expect(t, daemon.Quick, "aga pending, declarations-wrong")
	v := w.daemon.View()
	if v.Commit.Hash != inForce || v.Newest.Hash == inForce || !strings.Contains(v.Problems, "telehelth") || w.evaluated != evaluated {
		t.Errorf("in force %s, newest %s, problems %q, evaluated %d times again", v.Commit.Hash, v.Newest.Hash, v.Problems, w.evaluated-evaluated)
	}
	w.declare(t, "aga", `grants: scribe: reason: "pilot"`)
	w.commit(t)
	w.expect(t, daemon.Look, "aga pending")
}

func TestACommitThatIsTakenBackClearsItsMistake(t *testing.T) {
	w := newWorld(t, "aga")
	w.expect(t, daemon.Full, "")
	w.declare(t, "aga", `grants: telehelth: reason: "pilot"`)
	w.commit(t)
	w.expect(t, daemon.Look, "declarations-wrong")
	w.declare(t, "aga")
	w.commit(t)
	w.expect(t, daemon.Look, "")
}

func TestAHistoryThatWasRewrittenIsNotTakenIntoForce(t *testing.T) {
	w := newWorld(t, "aga")
	w.declare(t, "aga", `grants: scribe: reason: "pilot"`)
	w.commit(t)
	w.expect(t, daemon.Full, "aga pending")
	w.git(t, "branch", "kept")
	w.git(t, "reset", "-q", "--hard", "HEAD~1")
	w.expect(t, daemon.Look, "aga pending, history-rewritten")
	w.expect(t, daemon.Quick, "aga pending, history-rewritten")
	w.git(t, "reset", "-q", "--hard", "kept")
	w.expect(t, daemon.Look, "aga pending")
}

func TestAPlatformThatIsDownIsAskedOnceAStepAndHeals(t *testing.T) {
	w := newWorld(t, "aga")
	w.expect(t, daemon.Full, "")
	w.proxy.Reset()
	w.proxy.Add(ehrtest.Rule{Fault: ehrtest.Problem(http.StatusServiceUnavailable, "unavailable")})
	w.expect(t, daemon.Quick, "ehr-down")
	w.expect(t, daemon.Quick, "ehr-down")
	w.expect(t, daemon.Full, "ehr-down")
	if n := len(w.proxy.Seen("", "")); n != 1 {
		t.Errorf("it was asked %d times in one step, want once", n)
	}
	w.later(10 * time.Second)
	w.expect(t, daemon.Quick, "ehr-down")
	if n := len(w.proxy.Seen("", "")); n != 2 {
		t.Errorf("it was asked %d times in two steps, want twice", n)
	}
	w.proxy.Reset()
	w.toggle(t, "aga")
	w.later(time.Minute)
	w.expect(t, daemon.Quick, "aga pending")
}

func TestATenantThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	w := newWorld(t, "aga", "bomet")
	w.proxy.Add(ehrtest.Rule{Path: "/tenants/aga/*", Fault: ehrtest.Problem(http.StatusServiceUnavailable, "unavailable")})
	w.toggle(t, "bomet")
	w.expect(t, daemon.Full, "aga unreadable, bomet pending")
	asked := len(w.proxy.Seen("", "/tenants/aga/*"))
	w.expect(t, daemon.Full, "aga unreadable, bomet pending")
	w.expect(t, daemon.Quick, "aga unreadable, bomet pending")
	if got := len(w.proxy.Seen("", "/tenants/aga/*")); got != asked {
		t.Errorf("it was asked again before its time: %d requests, then %d", asked, got)
	}
	w.later(10 * time.Second)
	w.expect(t, daemon.Quick, "aga unreadable, bomet pending")
	if got := len(w.proxy.Seen("", "/tenants/aga/*")); got != asked+1 {
		t.Errorf("a step costs %d requests, want 1", got-asked)
	}
	w.proxy.Reset()
	w.later(time.Minute)
	w.expect(t, daemon.Quick, "bomet pending")
}

func TestATokenThatMayNotReadIsNamedSo(t *testing.T) {
	w := newWorld(t, "aga")
	w.proxy.Add(ehrtest.Rule{Fault: ehrtest.Problem(http.StatusUnauthorized, "unauthenticated")})
	w.expect(t, daemon.Full, "ehr-denies")
	w.proxy.Reset()
	w.later(time.Minute)
	w.expect(t, daemon.Full, "")
}

func TestAPlatformRestoredFromABackupIsRecognised(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "ehr.db")
	w := worldOn(t, db, "aga", "bomet")
	w.expect(t, daemon.Full, "")
	w.ehr.Kill(t)
	backup := copied(t, dir, "ehr.db")
	w.again(t, db)
	rows := w.ehr.Grant(t, "bomet").Rows
	w.ehr.Put(t, "bomet", rows[1:]...)
	w.ehr.Put(t, "bomet", rows...)
	w.later(time.Minute)
	w.expect(t, daemon.Quick, "")

	w.ehr.Kill(t)
	backup(db)
	w.again(t, db)
	w.toggle(t, "aga") // so that the trail is as long as it was
	w.toggle(t, "aga")
	w.later(time.Minute)
	w.expect(t, daemon.Quick, "aga pending, restored")
	w.expect(t, daemon.Quick, "aga pending, restored")
}

// again starts the platform on a database, behind the same address.
func (w *world) again(t testing.TB, db string) {
	t.Helper()
	w.ehr = ehrtest.StartOn(t, db)
	w.proxy.To(t, w.ehr.URL)
}

// copied keeps the files that begin with a name, and gives what puts them back.
func copied(t testing.TB, dir, name string) func(to string) {
	t.Helper()
	kept := map[string][]byte{}
	files, err := filepath.Glob(filepath.Join(dir, name+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if kept[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return func(to string) {
		now, _ := filepath.Glob(to + "*")
		for _, file := range now {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		for file, data := range kept {
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestATenantThatNobodyDeclaresIsCountedAndLeftAlone(t *testing.T) {
	w := newWorld(t, "aga")
	w.expect(t, daemon.Full, "")
	w.ehr.Onboard(t, "stranger", "health-centre", "main")
	w.expect(t, daemon.Quick, "")
	unmanaged := w.daemon.View().Unmanaged
	if len(unmanaged) != 1 || unmanaged[0].String() != "stranger" {
		t.Errorf("unmanaged: %v", unmanaged)
	}
}
