package daemon_test

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/veonahealth/charter/examples/ehr/ehrtest"
)

const hookSecret = "a secret of sufficient length"

// program is charter's binary, which the first test that wants it builds.
type program struct {
	once sync.Once
	dir  string
	err  error
}

var built program

func (p *program) path(t testing.TB) string {
	t.Helper()
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "charter-daemon-test-"); p.err != nil {
			return
		}
		if out, err := exec.Command("go", "build", "-o", p.dir+"/charter", "github.com/veonahealth/charter/cmd/charter").CombinedOutput(); err != nil {
			p.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.dir + "/charter"
}

// service is a daemon that runs as a process.
type service struct {
	url string

	process *exec.Cmd
	ended   chan struct{}
	log     *logged
}

// logged is what a process wrote.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// configure writes a configuration for the world's fleet and platform, with more
// lines if need be, and returns its name. Commits are fetched each second where no
// line says otherwise.
func (w *world) configure(t testing.TB, more ...string) string {
	t.Helper()
	dir := filepath.Dir(w.dir)
	if !slices.ContainsFunc(more, func(line string) bool { return strings.HasPrefix(line, "fetch:") }) {
		more = append(more, `fetch: "1s"`)
	}
	for name, text := range map[string]string{
		"token": ehrtest.Token, "secret": hookSecret,
		"charter.cue": fmt.Sprintf("repository: %q\nehr: {url: %q, token_file: \"token\", timeout: \"5s\"}\nlisten: \"127.0.0.1:0\"\nwebhook: {forge: \"github\", secret_file: \"secret\"}\nbackoff: {first: \"1s\", longest: \"2s\"}\n%s\n",
			cmp.Or(w.origin, w.dir), cmp.Or(w.front, w.proxy.URL), strings.Join(more, "\n")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "charter.cue")
}

// serve starts the daemon, by another program if need be, and returns when it
// listens.
func (w *world) serve(t testing.TB, config string, by ...string) *service {
	t.Helper()
	line := append(by, built.path(t), "daemon", "--config", config)
	s := &service{process: exec.Command(line[0], line[1:]...), ended: make(chan struct{}), log: &logged{}}
	s.process.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(filepath.Dir(w.dir), "cache"))
	errors, err := s.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(errors); lines.Scan(); {
			s.log.add(lines.Text())
			if _, url, ok := strings.Cut(lines.Text(), "msg=listening url="); ok {
				listening <- strings.TrimSuffix(url, "/")
			}
		}
		_ = s.process.Wait() // how it ended is asked of ProcessState
		close(s.ended)
	}()
	t.Cleanup(func() { s.end(t, syscall.SIGKILL) })
	select {
	case s.url = <-listening:
	case <-s.ended:
		t.Fatalf("the daemon ended: %s", s.log)
	}
	return s
}

// end sends a signal and returns when the process has ended.
func (s *service) end(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.process.Process.Signal(signal); err != nil && err != os.ErrProcessDone {
		t.Error(err)
	}
	<-s.ended
}

// status reads how tenants stand: "aga in-step, bomet drift", and the faults.
func (s *service) status(t testing.TB) string {
	t.Helper()
	var v struct {
		Number  int
		Tenants []struct{ Tenant, Standing string }
		Faults  []struct{ Code string }
	}
	if err := json.Unmarshal([]byte(s.get(t, "/status.json")), &v); err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, x := range v.Tenants {
		words = append(words, x.Tenant+" "+x.Standing)
	}
	for _, f := range v.Faults {
		words = append(words, f.Code)
	}
	return strings.Join(words, ", ")
}

// lastReceipt tells the number of the newest receipt, and whether it has ended.
func (s *service) lastReceipt(t testing.TB) string {
	t.Helper()
	var v struct {
		Records []struct {
			Number int
			Open   bool
		}
	}
	if err := json.Unmarshal([]byte(s.get(t, "/status.json")), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Records) == 0 {
		return "none"
	}
	return fmt.Sprint(v.Records[0].Number, map[bool]string{true: " open", false: " ended"}[v.Records[0].Open])
}

func (s *service) get(t testing.TB, path string) string {
	t.Helper()
	answer, err := http.Get(s.url + path)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// becomes waits until something is so. It is bounded only so that a test that
// fails says why.
func becomes(t testing.TB, want string, is func() string) {
	t.Helper()
	got := ""
	for range 600 {
		if got = is(); got == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("it stays %q, want %q", got, want)
}

// knock sends a webhook and returns the answer's status.
func (s *service) knock(t testing.TB, signature string) int {
	r, err := http.NewRequest("POST", s.url+"/hooks/git", strings.NewReader("{}"))
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Header.Set("X-Hub-Signature-256", signature)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

func genuine() string {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte("{}"))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestTheProcessNoticesATogglePlatformFaultsAndCommits(t *testing.T) {
	w := newWorld(t, "aga", "bomet")
	s := w.serve(t, w.configure(t, `schedules: [{cron: "@every 1s", pass: "quick"}]`))
	is := func() string { return s.status(t) }
	becomes(t, "aga in-step, bomet in-step", is)
	rows := w.ehr.Grant(t, "aga").Rows
	w.toggle(t, "aga")
	becomes(t, "aga pending, bomet in-step", is)
	w.ehr.Put(t, "aga", rows...)
	becomes(t, "aga in-step, bomet in-step", is)
	w.proxy.Add(ehrtest.Rule{Fault: ehrtest.Drop})
	becomes(t, "aga in-step, bomet in-step, ehr-down", is)
	w.proxy.Reset()
	becomes(t, "aga in-step, bomet in-step", is)
	w.declare(t, "bomet", `grants: scribe: reason: "pilot"`)
	w.commit(t)
	becomes(t, "aga in-step, bomet pending", is)
	s.end(t, syscall.SIGTERM)
	if code := s.process.ProcessState.ExitCode(); code != 0 {
		t.Errorf("after SIGTERM it ends with %d: %s", code, s.log)
	}
}

func TestAWebhookBringsACommitAndAFloodOfThemOnePassAfterAnother(t *testing.T) {
	w := newWorld(t, "aga")
	s := w.serve(t, w.configure(t, `schedules: [{cron: "@yearly", pass: "full"}]`, `patience: "1h"`, `fetch: "1h"`))
	is := func() string { return s.status(t) }
	becomes(t, "aga in-step", is)
	w.declare(t, "aga", `grants: scribe: reason: "pilot"`)
	w.commit(t)
	signature := genuine()
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			for range 100 {
				status := s.knock(t, map[bool]string{true: signature, false: "sha256=" + strings.Repeat("0", 64)}[i%2 == 0])
				if forged := i%2 == 1; forged && status == http.StatusAccepted {
					t.Error("a forged webhook was taken")
				}
			}
		})
	}
	senders.Wait()
	becomes(t, "aga pending", is)
	metrics := s.get(t, "/metrics")
	if !strings.Contains(metrics, `charter_webhooks_total{verdict="forged"}`) || strings.Contains(s.log.String(), hookSecret) {
		t.Errorf("%s", metrics)
	}
	if got := strings.TrimSpace(s.get(t, "/healthz")); got != "ok" {
		t.Errorf("after a flood it is %q", got)
	}
}

func TestAConfigurationIsReadAnewAndAWrongOneLeavesTheOldOne(t *testing.T) {
	w := newWorld(t, "aga")
	config := w.configure(t, `page: "http://first.example.org/"`)
	s := w.serve(t, config)
	becomes(t, "aga in-step", func() string { return s.status(t) })
	w.configure(t, `mode: "obey"`)
	if err := s.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	becomes(t, "true", func() string { return strconv.FormatBool(strings.Contains(s.log.String(), "the old one stays")) })
	if got := s.status(t); got != "aga in-step" {
		t.Errorf("after a wrong configuration: %q", got)
	}
	w.configure(t, `page: "http://second.example.org/"`)
	if err := s.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	becomes(t, "2", func() string { return strconv.Itoa(strings.Count(s.log.String(), "msg=listening")) })
}

// TestADaemonKilledAtAnyMomentStartsAgainAndSeesWhatIs kills the process at
// random moments while the platform and the fleet change under it: 20 times, or
// as often as CHARTER_KILLS says.
func TestADaemonKilledAtAnyMomentStartsAgainAndSeesWhatIs(t *testing.T) {
	rounds := 20
	if n, err := strconv.Atoi(os.Getenv("CHARTER_KILLS")); err == nil {
		rounds = n
	}
	w := newWorld(t, "aga", "bomet")
	config := w.configure(t, `schedules: [{cron: "@every 1s", pass: "quick"}]`, `state: "."`)
	full := w.ehr.Grant(t, "aga").Rows
	wrote := len(w.ehr.Audit(t))
	for i := range rounds {
		s := w.serve(t, config)
		time.Sleep(rand.N(150 * time.Millisecond))
		w.ehr.Put(t, "aga", full[i%2:]...)
		w.declare(t, "bomet", fmt.Sprintf(`grants: scribe: reason: "round %d"`, i))
		w.commit(t)
		wrote++
		time.Sleep(rand.N(150 * time.Millisecond))
		s.end(t, syscall.SIGKILL)
	}
	w.ehr.Put(t, "aga", full[1:]...)
	s := w.serve(t, config)
	becomes(t, "aga pending, bomet pending", func() string { return s.status(t) })
	if got := len(w.ehr.Audit(t)); got != wrote+1 {
		t.Errorf("the platform has %d audit entries, want %d: a daemon that observes wrote", got, wrote+1)
	}
	w.git(t, "fsck", "--strict")
}

// run runs a command of charter's in the world's folder and returns what it
// printed.
func (w *world) run(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command(built.path(t), args...)
	cmd.Dir = filepath.Dir(w.dir)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Dir(w.dir), "CHARTER_PASSWORD=correct horse", "CHARTER_EHR="+w.proxy.URL, "CHARTER_TOKEN="+ehrtest.Token)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("charter %q: %v\n%s%s", args, err, out, errors.String())
	}
	return strings.TrimSpace(string(out))
}

// found makes the fleet one with a policy, a founded ledger and a mandate to
// correct drift, and returns the ledger's root. What is declared is applied once,
// so that drift is told from what was never applied.
func (w *world) found(t testing.TB) (root string) {
	t.Helper()
	dir := filepath.Dir(w.dir)
	pem := func(name string) string {
		w.run(t, "keygen", "--out", name)
		text, err := os.ReadFile(filepath.Join(dir, name+".pub"))
		if err != nil {
			t.Fatal(err)
		}
		return "[\"\"\"\n\t\t" + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n\t\t") + "\n\t\t\"\"\"]"
	}
	w.write(t, "policy/people.cue", fmt.Sprintf(`package policy

people: ann: {
	name:  "Ann"
	email: "ann@example.org"
	roles: ["super_admin"]
	keys: %s
}
appliers: daemon: {
	may: ["apply", "correct"]
	keys: %s
}
roles: super_admin: ["*"]
mandate: {kinds: ["grant", "revoke"], per_hour: 10000, per_day: 10000}
`, pem("ann"), pem("daemon")))
	w.commit(t)
	root = w.run(t, "init", "--audit", "fleet", "--key", "daemon.key")
	plan := filepath.Join(dir, "plan.json")
	w.run(t, "plan", "-C", "fleet", "--root", root, "--out", plan)
	w.run(t, "approve", plan, "-C", "fleet", "--key", "ann.key")
	w.run(t, "apply", plan, "-C", "fleet", "--root", root, "--key", "daemon.key")
	terms := filepath.Join(dir, "mandate.json")
	if err := os.WriteFile(terms, []byte(`{"kind": "charter.mandate", "environment": "default", "kinds": ["grant", "revoke"], "not_after": "2126-01-01T00:00:00Z", "per_hour": 10000, "per_day": 10000, "reason": "a test", "tenants": null}`), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run(t, "sign", terms, "--key", "ann.key")
	signed, err := filepath.Glob(terms + ".*")
	if err != nil || len(signed) != 1 {
		t.Fatal(signed, err)
	}
	if err := os.Rename(signed[0], filepath.Join(dir, "mandate.bundle")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

// correcting configures a daemon that corrects by the mandate, and passes each
// second where no line says otherwise.
func (w *world) correcting(t testing.TB, root string, more ...string) string {
	t.Helper()
	if !slices.ContainsFunc(more, func(line string) bool { return strings.HasPrefix(line, "schedules:") }) {
		more = append(more, `schedules: [{cron: "@every 1s", pass: "quick"}]`)
	}
	return w.configure(t, append(more, `mode: "correct"`, fmt.Sprintf("root: %q", root),
		`key_file: "daemon.key"`, `password_file: "password"`, `mandate: ["mandate.bundle"]`)...)
}

// proven checks what must be so after everything: live is what was approved, every
// write has a receipt, and nothing was written without authority but by the test's
// own hands.
func (w *world) proven(t testing.TB, root string, byHand int) {
	t.Helper()
	w.run(t, "audit", "verify", "-C", "fleet", "--root", root, "--ehr", w.proxy.URL)
	if out := w.run(t, "drift", "-C", "fleet", "--root", root); !strings.HasSuffix(out, "Drift: 0 drifted, 0 in conflict, 0 pending.") {
		t.Error(out)
	}
	hands := 0
	for _, e := range w.ehr.Audit(t) {
		if e.Event == "entitlement.write" && e.Authority == nil {
			hands++
		}
	}
	if hands != byHand {
		t.Errorf("%d writes without authority, and %d were by hand", hands, byHand)
	}
	w.git(t, "fsck", "--strict")
}

// TestADaemonKilledWhileItCorrectsFinishesWhatItBegan kills a correcting daemon at
// random moments: 6 times, or as often as CHARTER_KILLS says. A tenant is toggled
// once only, as a row that comes back again and again is left to people.
func TestADaemonKilledWhileItCorrectsFinishesWhatItBegan(t *testing.T) {
	rounds := 6
	if n, err := strconv.Atoi(os.Getenv("CHARTER_KILLS")); err == nil {
		rounds = n
	}
	var tenants []string
	for i := range rounds {
		tenants = append(tenants, fmt.Sprintf("tenant-%03d", i))
	}
	w := newWorld(t, tenants...)
	root := w.found(t)
	config := w.correcting(t, root)
	for _, id := range tenants {
		s := w.serve(t, config)
		w.toggle(t, id)
		time.Sleep(rand.N(600 * time.Millisecond))
		s.end(t, syscall.SIGKILL)
	}
	s := w.serve(t, config)
	becomes(t, "in step", func() string {
		if got := s.status(t); !strings.Contains(got, "drift") && strings.Contains(got, "in-step") {
			return "in step"
		} else {
			return got
		}
	})
	s.end(t, syscall.SIGTERM)
	w.proven(t, root, rounds)
}

// TestWhatCameOfACorrectionIsShownAtOnce asks for one pass, and no schedule for
// another.
func TestWhatCameOfACorrectionIsShownAtOnce(t *testing.T) {
	w := newWorld(t, "aga")
	root := w.found(t)
	s := w.serve(t, w.correcting(t, root, `schedules: [{cron: "@yearly", pass: "full"}]`, `fetch: "1h"`))
	is := func() string { return s.status(t) + ", " + s.lastReceipt(t) }
	becomes(t, "aga in-step, 1 ended", is)
	w.toggle(t, "aga")
	if err := s.process.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	becomes(t, "aga in-step, 2 ended", is)
	s.end(t, syscall.SIGTERM)
	w.proven(t, root, 1)
}

func TestTwoDaemonsOnOneFleetDoNoHarm(t *testing.T) {
	w := newWorld(t, "aga", "bomet")
	root := w.found(t)
	config := w.correcting(t, root)
	one, other := w.serve(t, config), w.serve(t, config)
	becomes(t, "aga in-step, bomet in-step", func() string { return one.status(t) })
	becomes(t, "aga in-step, bomet in-step", func() string { return other.status(t) })
	for _, id := range []string{"aga", "bomet"} {
		w.toggle(t, id)
		becomes(t, id, func() string {
			if w.ehr.Gate(t, id, "main", "/admin") == http.StatusOK {
				return id
			}
			return "not yet"
		})
	}
	becomes(t, "aga in-step, bomet in-step", func() string { return one.status(t) })
	becomes(t, "aga in-step, bomet in-step", func() string { return other.status(t) })
	one.end(t, syscall.SIGTERM)
	other.end(t, syscall.SIGTERM)
	w.proven(t, root, 2)
}

func TestARowThatComesBackChangedThreeTimesIsLeftToPeople(t *testing.T) {
	w := newWorld(t, "aga")
	root := w.found(t)
	s := w.serve(t, w.correcting(t, root))
	is := func() string { return s.status(t) }
	becomes(t, "aga in-step", is)
	for range 2 {
		w.toggle(t, "aga")
		becomes(t, "open", func() string {
			if w.ehr.Gate(t, "aga", "main", "/admin") == http.StatusOK {
				return "open"
			}
			return "shut"
		})
		becomes(t, "aga in-step", is)
	}
	w.toggle(t, "aga")
	becomes(t, "aga drift", is)
	writes := len(w.ehr.Audit(t))
	becomes(t, "true", func() string { return strconv.FormatBool(strings.Count(s.log.String(), "not acted: contested") > 2) })
	if got := len(w.ehr.Audit(t)); got != writes {
		t.Errorf("it fights on: %d audit entries, then %d", writes, got)
	}
	var v struct {
		Contested []struct{ Tenant, Row, Actor string }
	}
	if err := json.Unmarshal([]byte(s.get(t, "/status.json")), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Contested) != 1 || v.Contested[0].Tenant != "aga" || v.Contested[0].Actor != "root@example.org" || !strings.Contains(v.Contested[0].Row, "admin") {
		t.Errorf("contested: %+v", v.Contested)
	}
}

// TestAPlatformThatUndoesEachCorrectionAtOnceIsLeftToPeople takes each correction back
// before it answers that it was done, so that no pass ever sees the tenant in step.
func TestAPlatformThatUndoesEachCorrectionAtOnceIsLeftToPeople(t *testing.T) {
	w := newWorld(t, "aga")
	root := w.found(t)
	s := w.serve(t, w.correcting(t, root, `schedules: [{cron: "@yearly", pass: "full"}]`, `fetch: "1h"`))
	becomes(t, "aga in-step", func() string { return s.status(t) })
	rows := w.ehr.Grant(t, "aga").Rows[1:]
	w.proxy.Add(ehrtest.Rule{Method: "PUT", Path: "/tenants/aga/entitlements", Fault: func(a http.ResponseWriter, r *http.Request, pass http.Handler) {
		ehrtest.Rewrite(func(answer []byte) []byte {
			w.ehr.Put(t, "aga", rows...)
			return answer
		})(a, r, pass)
	}})
	w.ehr.Put(t, "aga", rows...)
	if err := s.process.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	becomes(t, "true", func() string { return strconv.FormatBool(strings.Contains(s.log.String(), "not acted: contested")) })
	if writes := len(w.proxy.Seen("PUT", "/tenants/aga/entitlements")); writes > 4 {
		t.Errorf("it wrote %d times", writes)
	}
	s.end(t, syscall.SIGTERM)
}

func TestAPlatformRestoredUnderACorrectingDaemonIsNotWrittenTo(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "ehr.db")
	w := worldOn(t, db, "aga", "bomet")
	root := w.found(t)
	s := w.serve(t, w.correcting(t, root))
	is := func() string { return s.status(t) } // of whichever daemon runs
	becomes(t, "aga in-step, bomet in-step", is)
	w.ehr.Kill(t)
	backup := copied(t, dir, "ehr.db")
	w.again(t, db)
	w.toggle(t, "aga")
	becomes(t, "aga in-step, bomet in-step", is)
	becomes(t, "open", func() string {
		if w.ehr.Gate(t, "aga", "main", "/admin") == http.StatusOK {
			return "open"
		}
		return "shut"
	})
	s.end(t, syscall.SIGTERM) // so that only the receipts know what there was

	w.ehr.Kill(t)
	backup(db)
	w.again(t, db)
	w.toggle(t, "bomet")
	writes := len(w.ehr.Audit(t))
	s = w.serve(t, w.correcting(t, root))
	becomes(t, "true", func() string { return strconv.FormatBool(strings.HasSuffix(is(), "restored")) })
	for range 3 {
		seen := s.log.String()
		becomes(t, "true", func() string { return strconv.FormatBool(len(s.log.String()) > len(seen)) })
	}
	if got := len(w.ehr.Audit(t)); got != writes {
		t.Errorf("it wrote to a platform that was restored: %d audit entries, then %d", writes, got)
	}
}

func TestAWriteThatTheDaemonDidNotLiveToRecordIsRecordedByTheNext(t *testing.T) {
	for name, lands := range map[string]bool{"the write has landed": true, "the write has not": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "aga")
			root := w.found(t)
			config := w.correcting(t, root)
			s := w.serve(t, config)
			becomes(t, "aga in-step", func() string { return s.status(t) })
			w.proxy.Add(ehrtest.Rule{Method: "PUT", Path: "/tenants/aga/entitlements", Times: 1, Fault: func(a http.ResponseWriter, r *http.Request, pass http.Handler) {
				if lands {
					pass.ServeHTTP(httptest.NewRecorder(), r)
				}
				_ = s.process.Process.Kill() // the test waits for its end
				panic(http.ErrAbortHandler)
			}})
			w.toggle(t, "aga")
			<-s.ended
			s = w.serve(t, config)
			becomes(t, "aga in-step, 2 ended", func() string { return s.status(t) + ", " + s.lastReceipt(t) })
			s.end(t, syscall.SIGTERM)
			w.proven(t, root, 1)
		})
	}
}
