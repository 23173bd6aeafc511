package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

// The attacks of the threat model (examples/authority/threats.md), each through
// the command line, with the status that it ends with. What the lower floors
// refuse in many more spellings is shown there.

// siege is a fleet with a ledger, its remote, a platform, and a clock: all that an
// attacker may get hold of, and what stands against them.
type siege struct {
	t    testing.TB
	dir  string // fleet, origin.git, home, ehr.db, the applier's key
	ehr  *ehrtest.EHR
	now  time.Time
	env  map[string]string
	keys map[string]*seal.Signer // of ann, bob, eve and ci
	dan  *ecdsa.PrivateKey       // who signs whatever he is given
}

// ground is the fleet that every siege begins with, made once: its ledger is
// founded, and all that it declares is applied.
type ground struct {
	dir, root string
	keys      map[string]*seal.Signer
	pems      map[string]string
	dan       *ecdsa.PrivateKey
	began     time.Time
}

func newGround(t testing.TB) *ground {
	t.Helper()
	g := &ground{dir: t.TempDir(), keys: map[string]*seal.Signer{}, pems: map[string]string{}, began: time.Now()}
	for _, who := range []string{"ann", "bob", "eve", "ci"} {
		private, public, err := seal.GenerateKey([]byte(password))
		check(t, err)
		g.keys[who], err = seal.OpenKey(private, []byte(password))
		check(t, err)
		g.pems[who] = string(public)
		check(t, os.WriteFile(filepath.Join(g.dir, who+".key"), private, 0o600))
	}
	var err error
	g.dan, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	der, err := x509.MarshalPKIXPublicKey(g.dan.Public())
	check(t, err)
	g.pems["dan"] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))

	s := g.siegeIn(t, g.dir)
	s.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
	s.must("init", s.path("fleet"))
	s.write("policy/people.cue", g.people())
	s.git("fleet", "config", "user.name", "A")
	s.git("fleet", "config", "user.email", "a@example.org")
	s.git("fleet", "remote", "add", "origin", s.path("origin.git"))
	s.commit("people")
	s.git("fleet", "push", "-q", "origin", "main")
	g.root = strings.TrimSpace(s.must("init", "--audit", s.path("fleet"), "--key", s.path("ci.key")))
	s.env["CHARTER_ROOT"] = g.root
	s.ship("first")
	s.ehr.Kill(t)
	return g
}

// people is the policy: ann and dan may approve what a support desk does, bob all,
// and eve nothing.
func (g *ground) people() string {
	text := "package policy\n\n"
	for _, who := range []string{"ann", "bob", "dan", "eve"} {
		role := map[string]string{"ann": `"support"`, "bob": `"all"`, "dan": `"support"`}[who]
		text += fmt.Sprintf("people: %s: {name: %[1]q, email: \"%[1]s@example.org\", roles: [%[2]s], keys: [%[3]q]}\n", who, role, g.pems[who])
	}
	return text + fmt.Sprintf("appliers: ci: {keys: [%q], may: [\"apply\"]}\n", g.pems["ci"]) +
		"roles: {support: [\"entitlements.*\", \"clients.*\", \"onboarding.run\", \"tenant_admins.manage\"], all: [\"*\"]}\n"
}

func (g *ground) siegeIn(t testing.TB, dir string) *siege {
	t.Helper()
	s := &siege{t: t, dir: dir, now: g.began, keys: g.keys, dan: g.dan}
	s.ehr = ehrtest.StartOn(t, s.path("ehr.db"), "--instance", "siege")
	s.env = map[string]string{"CHARTER_EHR": s.ehr.URL, "CHARTER_TOKEN": ehrtest.Token, "CHARTER_PASSWORD": password, "CHARTER_ROOT": g.root}
	return s
}

// siege begins a new one, on a copy.
func (g *ground) siege(t testing.TB) *siege {
	t.Helper()
	dir := t.TempDir()
	check(t, os.CopyFS(dir, os.DirFS(g.dir)))
	s := g.siegeIn(t, dir)
	s.git("fleet", "remote", "set-url", "origin", s.path("origin.git"))
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *siege) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *siege) read(name string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(s.path(name))
	check(s.t, err)
	return data
}

func (s *siege) write(name, text string) {
	s.t.Helper()
	path := s.path("fleet/" + name)
	check(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(s.t, os.WriteFile(path, []byte(text), 0o644))
}

// edit replaces a text of a fleet's file.
func (s *siege) edit(name, old, with string) {
	s.t.Helper()
	text := string(s.read("fleet/" + name))
	if !strings.Contains(text, old) {
		s.t.Fatalf("%s has no %s", name, old)
	}
	s.write(name, strings.ReplaceAll(text, old, with))
}

// declare adds to the tenant that the fleet has.
func (s *siege) declare(line string) {
	s.t.Helper()
	s.edit("tenants/lakeside-clinic/tenant.cue", "\tadmins:", "\t"+line+"\n\tadmins:")
}

func (s *siege) git(in string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = s.path(in)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *siege) commit(message string) string {
	s.t.Helper()
	s.git("fleet", "add", "-A")
	s.git("fleet", "commit", "-q", "--allow-empty", "-m", message)
	return s.git("fleet", "rev-parse", "HEAD")
}

// signedCommit commits what is in the work tree, signed by somebody, with dates
// that they choose.
func (s *siege) signedCommit(who, message string, when time.Time) string {
	s.t.Helper()
	parent := s.git("fleet", "rev-parse", "HEAD")
	s.git("fleet", "add", "-A")
	put := map[string][]byte{}
	for _, name := range strings.Fields(s.git("fleet", "diff", "--cached", "--name-only")) {
		put[name] = s.read("fleet/" + name)
	}
	repo, err := source.Open(s.path("fleet"))
	check(s.t, err)
	defer repo.Close()
	c, err := repo.Write(source.Draft{
		Parent: parent, Put: put, Author: source.Author{Name: who, Email: who + "@example.org"}, When: when, Message: message, Sign: s.keys[who].SignCommit,
	})
	check(s.t, err)
	s.git("fleet", "reset", "-q", "--hard", c.Hash)
	return c.Hash
}

func (s *siege) clock() time.Time { return s.now }

// app is charter by the siege's clock, with nothing of the machine's.
func (s *siege) app() *app {
	return &app{
		stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: s.clock, executable: os.Executable,
		lookupEnv: func(name string) (string, bool) { value, set := s.env[name]; return value, set },
		cacheDir:  func() (string, error) { return s.path("home"), nil },
	}
}

// run runs charter, as main does.
func (s *siege) run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	a := s.app()
	a.stdout, a.stderr = &out, &errs
	code = a.main(context.Background(), args)
	return code, out.String(), errs.String()
}

// must runs what succeeds.
func (s *siege) must(args ...string) string {
	s.t.Helper()
	code, stdout, stderr := s.run(args...)
	if code != 0 {
		s.t.Fatalf("charter %s: exit %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// fails runs what has to end with a status, and to say why.
func (s *siege) fails(want exitCode, why string, args ...string) {
	s.t.Helper()
	code, stdout, stderr := s.run(args...)
	if code != int(want) || !strings.Contains(stdout+stderr, why) {
		s.t.Errorf("charter %s: exit %d, want %d and %q\n%s%s", strings.Join(args, " "), code, want, why, stdout, stderr)
	}
}

// plan plans into a file, and gives its path.
func (s *siege) plan(name string, args ...string) string {
	s.t.Helper()
	file := s.path(name + ".json")
	s.must(append([]string{"plan", "-q", "-C", s.path("fleet"), "--out", file}, args...)...)
	return file
}

// approve lays somebody's approval of one plan beside a file, which may be
// another.
func (s *siege) approve(who, file string, of ...string) {
	s.t.Helper()
	for _, of := range append(of, file)[:1] {
		p := s.decoded(of)
		a := seal.Approval{
			Decision: seal.Approve, Environment: catalog.DefaultEnvironment, NotAfter: s.now.Add(14 * 24 * time.Hour),
			Batches: seal.Batches{Root: p.BatchesRoot, Count: len(p.Leaves())},
		}
		s.beside(file, who, s.bundle(who, of, a))
	}
}

func (s *siege) bundle(who, of string, a seal.Approval) []byte {
	s.t.Helper()
	data, err := s.keys[who].Sign(s.statement(of, a))
	check(s.t, err)
	return data
}

func (s *siege) statement(of string, a seal.Approval) []byte {
	s.t.Helper()
	data, err := os.ReadFile(of)
	check(s.t, err)
	statement, err := seal.Statement(seal.Subject{Name: filepath.Base(of), SHA256: plan.DigestOf(data)}, a)
	check(s.t, err)
	return statement
}

func (s *siege) beside(file, name string, bundle []byte) {
	s.t.Helper()
	check(s.t, os.WriteFile(file+"."+name+".sigstore.json", bundle, 0o644))
}

func (s *siege) decoded(file string) *plan.Plan {
	s.t.Helper()
	data, err := os.ReadFile(file)
	check(s.t, err)
	p, err := plan.Decode(data)
	check(s.t, err)
	return p
}

// forge writes a plan file that charter never made, and gives its path.
func (s *siege) forge(name, from string, alter func(*plan.Plan)) string {
	s.t.Helper()
	p := s.decoded(from)
	alter(p)
	data, err := plan.Encode(p)
	check(s.t, err)
	check(s.t, os.WriteFile(s.path(name+".json"), data, 0o644))
	return s.path(name + ".json")
}

// apply carries a plan out as the applier does.
func (s *siege) apply(file string) []string {
	return []string{"apply", file, "-q", "-C", s.path("fleet"), "--key", s.path("ci.key")}
}

// ship commits, plans, approves by bob and carries out.
func (s *siege) ship(name string) string {
	s.t.Helper()
	s.commit(name)
	file := s.plan(name)
	s.approve("bob", file)
	s.must(s.apply(file)...)
	return file
}

// unharmed holds that the platform has seen no write since.
func (s *siege) unharmed(during func()) {
	s.t.Helper()
	before := len(s.ehr.Audit(s.t))
	during()
	if after := len(s.ehr.Audit(s.t)); after != before {
		s.t.Errorf("%d writes came through", after-before)
	}
}

// signs is what dan's key makes of any payload: a bundle with so many signatures.
func (s *siege) signs(payload []byte, times int) []byte {
	s.t.Helper()
	const kind = "application/vnd.in-toto+json"
	digest := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload))
	var signatures []any
	for range times {
		sig, err := ecdsa.SignASN1(rand.Reader, s.dan, digest[:])
		check(s.t, err)
		signatures = append(signatures, map[string]any{"sig": sig})
	}
	der, err := x509.MarshalPKIXPublicKey(s.dan.Public())
	check(s.t, err)
	hint := sha256.Sum256(der)
	data, err := json.Marshal(map[string]any{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": base64.StdEncoding.EncodeToString(hint[:])}},
		"dsseEnvelope":         map[string]any{"payload": payload, "payloadType": kind, "signatures": signatures},
	})
	check(s.t, err)
	return data
}

// database runs a statement on the platform's own database, behind its back.
func (s *siege) database(statement string) {
	s.t.Helper()
	conn, err := sqlite.OpenConn(s.path("ehr.db"), sqlite.OpenReadWrite)
	check(s.t, err)
	check(s.t, sqlitex.ExecuteScript(conn, statement, nil))
	check(s.t, conn.Close())
}

// attacks are by the names that the threat model has for them.
func attacks() map[string]func(*siege, *ground) {
	return map[string]func(*siege, *ground){
		"a plan and its signatures":              attackPlan,
		"an approval that was used":              attackByReplay,
		"a time that is over":                    attackByTime,
		"another platform or environment":        attackElsewhere,
		"a policy that allows itself":            attackPolicy,
		"an approver who may no more":            attackByOldRole,
		"one key of two people":                  attackByOneKey,
		"who wrote it approves it":               attackByWriter,
		"commits that people did not sign":       attackCommits,
		"a history that was rewritten":           attackHistory,
		"a folder that is swapped":               attackFolder,
		"a row that is called by another":        attackMapper,
		"a ledger that was put back":             attackLedger,
		"a ledger that was cut and goes on":      attackByCut,
		"a ledger that was cut and outgrown":     attackByLength,
		"a policy by a machine's word":           attackByMachine,
		"a policy by an approval that was used":  attackByOldPolicy,
		"a ledger of the attacker's own":         attackRoot,
		"a receipt that was altered":             attackReceipt,
		"two clones that go two ways":            attackByFork,
		"rows by other hands":                    attackRows,
		"what was left out, as if it were drift": attackByOmission,
	}
}

func TestAttacks(t *testing.T) {
	g := newGround(t)
	for name, attack := range attacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attack(g.siege(t), g)
		})
	}
}

// attackPlan edits, swaps and forges what is signed. None of it is to be written.
func attackPlan(s *siege, _ *ground) {
	s.declare(`grants: ward: reason: "bought"`)
	s.commit("ward")
	file := s.plan("plan")
	s.declare(`grants: theatre: reason: "bought"`)
	s.commit("theatre")
	other := s.plan("other")
	honest := s.decoded(file)
	approval := seal.Approval{
		Decision: seal.Approve, Environment: catalog.DefaultEnvironment, NotAfter: s.now.Add(time.Hour),
		Batches: seal.Batches{Root: honest.BatchesRoot, Count: len(honest.Leaves())},
	}
	copyOf := func(name string) string { return s.forge(name, file, func(*plan.Plan) {}) }

	s.unharmed(func() {
		edited := copyOf("edited")
		s.approve("ann", edited)
		check(s.t, os.WriteFile(edited, bytes.Replace(s.read("edited.json"), []byte(`"ehr_module": "ward"`), []byte(`"ehr_module": "theatre"`), 1), 0o644))
		s.fails(exitTrust, "the digest is not that of its changes", s.apply(edited)...)

		twice := copyOf("twice")
		s.approve("ann", twice)
		check(s.t, os.WriteFile(twice, bytes.Replace(s.read("twice.json"), []byte(`"nonce":`), []byte(`"nonce": "00", "nonce":`), 1), 0o644))
		s.fails(exitFailed, "duplicate", s.apply(twice)...)

		s.approve("ann", other, file)
		s.fails(exitBlocked, "approval", s.apply(other)...)

		foreign := s.forge("foreign", file, func(p *plan.Plan) { p.Instance = "another" })
		s.approve("ann", foreign)
		s.fails(exitTrust, "another", s.apply(foreign)...)

		machine := copyOf("machine")
		s.approve("ci", machine)
		s.fails(exitBlocked, "1 more approval of 1", s.apply(machine)...)
		s.fails(exitTrust, "is a person", "apply", machine, "-C", s.path("fleet"), "--key", s.path("ann.key"))

		for name, change := range map[string]func(*seal.Approval){
			"root":  func(a *seal.Approval) { a.Batches.Root[0]++ },
			"count": func(a *seal.Approval) { a.Batches.Count++ },
			"env":   func(a *seal.Approval) { a.Environment, _ = catalog.ParseEnvironment("prod") },
			"ended": func(a *seal.Approval) { a.NotAfter = s.now.Add(-time.Second) },
		} {
			of, terms := copyOf(name), approval
			change(&terms)
			s.beside(of, "ann", s.bundle("ann", of, terms))
			s.fails(exitBlocked, "approval", s.apply(of)...)
		}

		statement := string(s.statement(file, approval))
		_, subject, _ := strings.Cut(statement, `"subject":[`)
		subject, _, _ = strings.Cut(subject, "]")
		for name, c := range map[string]struct {
			payload string
			times   int
			why     string
		}{
			"two-signatures": {statement, 2, "bundle with 2 signatures"},
			"two-subjects":   {strings.Replace(statement, subject, subject+","+subject, 1), 1, "statement with 2 subjects"},
			"no-subject":     {strings.Replace(statement, `"sha256":"`, `"sha256":"zz`, 1), 1, "subject[0].digest.sha256"},
			"predicate":      {strings.Replace(statement, "charter/approval/v1", "charter/mandate/v1", 1), 1, "predicate of type"},
			"statement-v0.1": {strings.Replace(statement, "Statement/v1", "Statement/v0.1", 1), 1, "statement of type"},
			"twice-a-key":    {strings.Replace(statement, `"decision":"approve"`, `"decision":"reject","decision":"approve"`, 1), 1, "given twice"},
		} {
			if c.times == 1 && c.payload == statement {
				s.t.Fatalf("%s changes nothing", name)
			}
			of := copyOf(name)
			s.beside(of, "dan", s.signs([]byte(c.payload), c.times))
			s.fails(exitTrust, c.why, s.apply(of)...)
		}
	})

	// the same key, and what it signs as it should
	s.beside(file, "dan", s.signs(s.statement(file, approval), 1))
	s.must(s.apply(file)...)
	s.fails(exitTrust, "a plan is used once", s.apply(file)...)
}

// attackByReplay uses an approval again where nothing has a revision: a name that
// was changed on Monday, back on Tuesday, and again on Wednesday.
func attackByReplay(s *siege, _ *ground) {
	name := func(old, new string) {
		s.edit("tenants/lakeside-clinic/tenant.cue", `"Lakeside `+old+`"`, `"Lakeside `+new+`"`)
	}
	name("Clinic", "Hospital")
	monday := s.ship("monday")
	s.now = s.now.Add(24 * time.Hour)
	name("Hospital", "Clinic")
	s.ship("tuesday")
	s.now = s.now.Add(24 * time.Hour)
	name("Clinic", "Hospital")
	s.commit("wednesday")
	s.unharmed(func() {
		s.fails(exitStale, "no longer holds", s.apply(monday)...)
		wednesday := s.plan("wednesday")
		if s.decoded(wednesday).BatchesRoot != s.decoded(monday).BatchesRoot {
			s.t.Fatal("it is another batch")
		}
		s.beside(wednesday, "bob", s.read("monday.json.bob.sigstore.json"))
		s.fails(exitBlocked, "approval", s.apply(wednesday)...)
	})
}

// attackByTime applies a plan, and by an approval, that has ended; and a plan that
// says of itself that it was made next year.
func attackByTime(s *siege, _ *ground) {
	s.declare(`grants: ward: reason: "bought"`)
	s.commit("ward")
	file := s.plan("plan")
	s.approve("ann", file)
	s.unharmed(func() {
		later := s.forge("later", file, func(p *plan.Plan) {
			p.At, p.CreatedAt, p.ExpiresAt = p.At.AddDate(1, 0, 0), p.CreatedAt.AddDate(1, 0, 0), p.ExpiresAt.AddDate(1, 0, 0)
		})
		s.approve("ann", later)
		s.fails(exitStale, "no longer holds", s.apply(later)...)
		s.now = s.now.Add(24 * time.Hour)
		s.fails(exitStale, "no longer holds", s.apply(file)...)
		s.now = s.now.Add(14 * 24 * time.Hour)
		again := s.plan("again")
		s.beside(again, "ann", s.read("plan.json.ann.sigstore.json"))
		s.fails(exitBlocked, "approval", s.apply(again)...)
	})
}

// attackElsewhere applies a plan to a platform that it was not made for, and one
// for an environment that has no ledger.
func attackElsewhere(s *siege, _ *ground) {
	s.declare(`grants: ward: reason: "bought"`)
	s.commit("ward")
	file := s.plan("plan")
	s.approve("ann", file)
	other := ehrtest.Start(s.t, "--instance", "another")
	s.fails(exitTrust, "another", append(s.apply(file), "--ehr", other.URL)...)
	if n := len(other.Audit(s.t)); n != 0 {
		s.t.Errorf("%d writes on the other platform", n)
	}
	s.unharmed(func() {
		s.fails(exitTrust, "digest", s.apply(s.forge("prod", file, func(p *plan.Plan) { p.Environment = "prod" }))...)
		empty := s.forge("empty", file, func(p *plan.Plan) {
			p.Environment, p.Batches, p.Summary = "prod", []plan.Batch{}, plan.Summary{}
			tree, err := plan.NewTree(p.Leaves())
			check(s.t, err)
			p.BatchesRoot, err = tree.Root()
			check(s.t, err)
		})
		s.fails(exitTrust, "has no ledger", s.apply(empty)...)
	})
}

// attackPolicy lets a policy escalate, ride in the commit of what it would allow,
// and leave nobody to approve the next.
func attackPolicy(s *siege, _ *ground) {
	roles := func(who, old, new string) {
		s.edit("policy/people.cue", who+`@example.org", roles: [`+old+`]`, who+`@example.org", roles: [`+new+`]`)
	}
	s.unharmed(func() {
		roles("ann", `"support"`, `"all"`)
		s.commit("ann may all")
		escalates := s.plan("escalates")
		s.approve("ann", escalates)
		s.fails(exitBlocked, "policy.write", s.apply(escalates)...)
		s.git("fleet", "reset", "-q", "--hard", "HEAD~1")

		roles("eve", ``, `"all"`)
		s.declare(`grants: ward: reason: "bought"`)
		s.commit("eve may all, and a ward")
		rides := s.plan("rides")
		s.approve("eve", rides)
		s.fails(exitBlocked, "0 of 1 approver hold", s.apply(rides)...)
		s.git("fleet", "reset", "-q", "--hard", "HEAD~1")

		roles("bob", `"all"`, `"support"`)
		s.commit("nobody may all")
		alone := s.plan("alone")
		s.approve("bob", alone)
		s.fails(exitBlocked, "nobody could approve another", s.apply(alone)...)
	})
}

// attackByOldRole applies by the approval of somebody whose role was taken away
// since: the policy came first, and the change after it.
func attackByOldRole(s *siege, _ *ground) {
	s.git("fleet", "checkout", "-q", "-b", "ward")
	s.declare(`grants: ward: reason: "bought"`)
	s.commit("ward")
	before := s.plan("before")
	s.approve("ann", before)
	s.git("fleet", "checkout", "-q", "main")
	s.edit("policy/people.cue", `ann@example.org", roles: ["support"]`, `ann@example.org", roles: []`)
	s.ship("ann may nothing")
	s.unharmed(func() {
		s.fails(exitTrust, "does not descend from", s.apply(before)...)
		s.git("fleet", "merge", "-q", "--no-edit", "ward")
		after := s.plan("after")
		if s.decoded(after).BatchesRoot != s.decoded(before).BatchesRoot {
			s.t.Fatal("it is another batch")
		}
		s.beside(after, "ann", s.read("before.json.ann.sigstore.json"))
		s.fails(exitBlocked, "0 of 1 approver hold", s.apply(after)...)
	})
}

// attackByOneKey gives ann's key to eve too, who would make two of her.
func attackByOneKey(s *siege, g *ground) {
	file := s.plan("before")
	text := strings.Replace(g.people(), fmt.Sprintf("%q", g.pems["eve"]), fmt.Sprintf("%q", g.pems["ann"]), 1)
	s.write("policy/people.cue", text)
	s.declare(`grants: ward: reason: "bought"`)
	commit := s.commit("one key of two")
	s.fails(exitWrong, "ann", "validate", s.path("fleet"))
	s.fails(exitWrong, "ann", "plan", "-C", s.path("fleet"))
	forged := s.forge("forged", file, func(p *plan.Plan) {
		p.Source.Commit, p.Source.Tree = commit, s.git("fleet", "rev-parse", "HEAD^{tree}")
	})
	s.fails(exitWrong, "ann", s.apply(forged)...)
}

// peopleSign puts a policy in force by which people sign their commits, and none
// approves what they wrote.
func (s *siege) peopleSign() {
	s.t.Helper()
	s.edit("policy/policy.cue", `commits: "none"`, `commits: "people"`)
	s.write("policy/rules.cue", "package policy\n\nrules: own: {capability: \"entitlements.write\", writers: false}\n")
	s.ship("people sign")
}

// attackByWriter approves what one wrote oneself: alone, with somebody else, and
// under an address that is nobody's.
func attackByWriter(s *siege, _ *ground) {
	s.peopleSign()
	s.declare(`grants: ward: reason: "bought"`)
	s.git("fleet", "stash", "-q")
	s.unharmed(func() {
		for name, c := range map[string]struct{ by, message, approver string }{
			"alone":  {"ann", "ward", "ann"},
			"with":   {"bob", "ward\n\nCo-authored-by: Ann <ANN@example.org>", "ann"},
			"nobody": {"bob", "ward\n\nCo-Authored-By: A <home@example.com>", "ann"},
		} {
			s.git("fleet", "stash", "apply", "-q")
			s.signedCommit(c.by, c.message, s.now)
			file := s.plan(name)
			s.approve(c.approver, file)
			s.fails(exitBlocked, "is missing", s.apply(file)...)
			s.git("fleet", "reset", "-q", "--hard", "HEAD~1")
		}
	})
	s.git("fleet", "stash", "apply", "-q")
	s.signedCommit("bob", "ward", s.now)
	file := s.plan("honest")
	s.approve("ann", file)
	s.must(s.apply(file)...)
}

// attackCommits slips a commit in between those of people, and one by a key that
// was revoked, dated before.
func attackCommits(s *siege, g *ground) {
	s.peopleSign()
	s.unharmed(func() {
		s.write("readme", "one")
		s.signedCommit("bob", "one", s.now)
		s.declare(`grants: ward: reason: "bought"`)
		between := s.commit("nobody's")
		s.write("readme", "three")
		s.signedCommit("bob", "three", s.now)
		file := s.plan("between")
		s.approve("bob", file)
		s.approve("ann", file)
		s.fails(exitTrust, between, s.apply(file)...)
		s.git("fleet", "reset", "-q", "--hard", "HEAD~3")
	})
	s.write("policy/revoked.cue", fmt.Sprintf("package policy\n\nrevoked: [{fingerprint: %q, since: %q}]\n",
		g.keys["ann"].PublicKey().Fingerprint(), s.now.AddDate(0, 0, -1).Format(time.DateOnly)))
	s.signedCommit("bob", "ann's key is gone", s.now)
	file := s.plan("revoked")
	s.approve("bob", file)
	s.must(s.apply(file)...)
	s.unharmed(func() {
		s.declare(`grants: ward: reason: "bought"`)
		dated := s.signedCommit("ann", "ward", s.now.AddDate(-1, 0, 0))
		file := s.plan("dated")
		s.approve("bob", file)
		s.fails(exitTrust, dated, s.apply(file)...)
	})
}

// attackHistory forces the branch behind what was applied last, and goes on.
func attackHistory(s *siege, _ *ground) {
	s.declare(`grants: ward: reason: "bought"`)
	s.ship("ward")
	last := s.git("fleet", "rev-parse", "HEAD")
	s.git("fleet", "push", "-q", "origin", "main")
	s.git("fleet", "reset", "-q", "--hard", "HEAD~1")
	s.declare(`grants: theatre: reason: "bought"`)
	s.commit("theatre")
	s.git("fleet", "push", "-q", "--force", "origin", "main")
	file := s.plan("plan")
	s.approve("bob", file)
	s.unharmed(func() { s.fails(exitTrust, "does not descend from "+last, s.apply(file)...) })
}

// attackFolder puts a link, or a submodule, in the place of the policy, which then
// says what nobody has in front of them.
func attackFolder(s *siege, _ *ground) {
	file := s.plan("before")
	for name, swap := range map[string]func(){
		"a link": func() {
			check(s.t, os.Symlink("elsewhere", s.path("fleet/policy")))
			s.git("fleet", "add", "-A")
		},
		"a submodule": func() {
			s.git("fleet", "update-index", "--add", "--cacheinfo", "160000,"+s.git("fleet", "rev-parse", "HEAD")+",policy")
		},
		"a link to a file": func() {
			check(s.t, os.MkdirAll(s.path("fleet/policy"), 0o755))
			for _, name := range []string{"people.cue", "policy.cue"} {
				check(s.t, os.Symlink("../elsewhere/"+name, s.path("fleet/policy/"+name)))
			}
			s.git("fleet", "add", "-A")
		},
	} {
		s.git("fleet", "mv", "policy", "elsewhere")
		swap()
		s.git("fleet", "commit", "-q", "-m", name)
		s.fails(exitWrong, "policy", "plan", "-C", s.path("fleet"))
		forged := s.forge("forged", file, func(p *plan.Plan) {
			p.Source.Commit, p.Source.Tree = s.git("fleet", "rev-parse", "HEAD"), s.git("fleet", "rev-parse", "HEAD^{tree}")
		})
		s.fails(exitWrong, "policy", s.apply(forged)...)
		s.git("fleet", "reset", "-q", "--hard", "HEAD~1")
		s.git("fleet", "clean", "-q", "-f", "-d")
	}
}

// attackMapper turns one module's rows into another's, by a catalogue that nobody
// has approved.
func attackMapper(s *siege, _ *ground) {
	s.edit("catalog/modules.cue", `theatre: {name: "Theatre"`, `theatre: {ehr_key: "scribe", name: "Theatre"`)
	s.edit("catalog/modules.cue", `scribe: {name: "Scribe"`, `scribe: {ehr_key: "theatre", name: "Scribe"`)
	s.declare(`grants: scribe: reason: "a pilot"`)
	s.commit("scribe")
	file := s.plan("plan")
	s.approve("ann", file) // who may not approve a catalogue
	s.unharmed(func() {
		s.fails(exitBlocked, "lakeside-clinic entitlements: module scribe bears \"theatre\"", "verify", file, "-C", s.path("fleet"))
		s.fails(exitBlocked, "registry.write", s.apply(file)...)
	})
	if s.ehr.Gate(s.t, "lakeside-clinic", "main", "/theatre") != 403 {
		s.t.Error("the theatre is open")
	}
	s.approve("bob", file)
	s.must(s.apply(file)...)
	if s.ehr.Gate(s.t, "lakeside-clinic", "main", "/theatre") != 200 {
		s.t.Error("what was approved was not done")
	}
}

// elsewhere is another machine: a new clone, which has seen nothing.
func (s *siege) elsewhere() *siege {
	s.t.Helper()
	other := *s
	other.dir = s.t.TempDir()
	other.git(".", "clone", "-q", s.path("origin.git"), "fleet")
	check(s.t, os.WriteFile(other.path("ci.key"), s.read("ci.key"), 0o600))
	return &other
}

const auditBranch = "refs/heads/charter/default/audit"

// attackLedger takes receipts away. Who has seen them knows, and who has not is
// told by the platform.
func attackLedger(s *siege, _ *ground) {
	s.declare(`grants: ward: reason: "bought"`)
	s.ship("ward")
	s.declare(`grants: theatre: reason: "bought"`)
	s.commit("theatre")
	s.git("fleet", "push", "-q", "origin", "main")
	file := s.plan("plan")
	s.approve("ann", file)
	tip := s.git("origin.git", "rev-parse", auditBranch)
	s.unharmed(func() {
		for name, move := range map[string][]string{
			"rolled back": {auditBranch, auditBranch + "~2"}, "half a receipt": {auditBranch, auditBranch + "~1"}, "gone": {"-d", auditBranch},
		} {
			s.git("origin.git", append([]string{"update-ref"}, move...)...)
			s.fails(exitTrust, "rolled back", "plan", "-C", s.path("fleet"))
			s.fails(exitTrust, "rolled back", s.apply(file)...)
			s.fails(exitTrust, "rolled back", "audit", "verify", "-C", s.path("fleet"))

			other := s.elsewhere()
			why := "rolled back"
			if name == "gone" {
				why = "it is gone"
			}
			if name != "half a receipt" { // which is taken up again, under its own id
				other.fails(exitTrust, why, "plan", "-C", other.path("fleet"))
				other.fails(exitTrust, why, "drift", "-C", other.path("fleet"))
				other.fails(exitTrust, why, "status", "-C", other.path("fleet"))
				other.fails(exitTrust, why, other.apply(file)...)
				other.fails(exitTrust, why, "audit", "verify", "-C", other.path("fleet"))
			}
			s.git("origin.git", "update-ref", auditBranch, tip)
		}
	})
	s.must(s.apply(file)...)
}

// thief takes every commit for one by the key that it has.
type thief ledger.By

func (k thief) Signer(context.Context, ledger.Pin, ledger.Act, time.Time, []byte) (ledger.By, error) {
	return ledger.By(k), nil
}

func (thief) Turned(context.Context, *ledger.Ledger, *ledger.Receipt) error { return nil }

// attackByCut takes receipts away, and goes on with one by an applier's key that says
// that the platform has been seen up to where it is.
func attackByCut(s *siege, g *ground) {
	s.declare(`grants: ward: reason: "bought"`)
	s.ship("ward")
	s.git("fleet", "push", "-q", "origin", "main")
	var cut struct{ Audit *ledger.AuditEntry }
	check(s.t, json.Unmarshal([]byte(s.git("origin.git", "show", auditBranch+":receipts/000/002/outcome.json")), &cut))
	s.git("origin.git", "update-ref", auditBranch, auditBranch+"~2")

	began := ledger.Intent{Act: ledger.Recover, Reason: "restored", Instance: "siege", Audit: cut.Audit}
	s.goesOn(g, ledger.Draft{Intent: began}, ledger.Results{Audit: cut.Audit})
	s.fails(exitTrust, "rewritten", "plan", "-C", s.path("fleet"))
	other := s.elsewhere()
	other.fails(exitTrust, "rolled back", "plan", "-C", other.path("fleet"))
	other.fails(exitTrust, "rolled back", "audit", "verify", "-C", other.path("fleet"))
	other.fails(exitTrust, "rolled back", "drift", "-C", other.path("fleet"))
}

// attackByLength cuts the ledger and goes on with more receipts than it had, so that
// the longest copy is the thief's.
func attackByLength(s *siege, g *ground) {
	s.declare(`grants: ward: reason: "bought"`)
	s.ship("ward")
	s.git("fleet", "push", "-q", "origin", "main")
	honest := s.git("origin.git", "rev-parse", auditBranch)
	s.git("origin.git", "update-ref", auditBranch, auditBranch+"~2")
	for range 3 {
		s.goesOn(g, ledger.Draft{Intent: ledger.Intent{Act: ledger.Recover, Reason: "restored"}}, ledger.Results{})
	}
	forged := s.git("origin.git", "rev-parse", auditBranch)
	s.fails(exitTrust, "rewritten", "plan", "-C", s.path("fleet"))
	s.fails(exitTrust, "go two ways", "audit", "restore", "-C", s.path("fleet"))
	if here, there := s.git("fleet", "rev-parse", auditBranch), s.git("origin.git", "rev-parse", auditBranch); here != honest || there != forged {
		s.t.Errorf("a copy was moved: %s, %s", here, there)
	}
	s.fails(exitDone, "stood in another copy", "audit", "restore", s.path("fleet"), "-C", s.path("fleet"))
	if there := s.git("origin.git", "rev-parse", auditBranch); there != honest {
		s.t.Errorf("the ledger is at %s, want %s", there, honest)
	}
	s.must("audit", "verify", "-C", s.path("fleet"))
}

// goesOn writes a receipt with the applier's key, as whoever stole it would.
func (s *siege) goesOn(g *ground, d ledger.Draft, done ledger.Results) {
	s.t.Helper()
	repo, err := source.Open(s.elsewhere().path("fleet"))
	check(s.t, err)
	defer repo.Close()
	root, err := ledger.ParseID(g.root)
	check(s.t, err)
	by := ledger.By{Fingerprint: s.keys["ci"].PublicKey().Fingerprint().String(), ID: "ci"}
	l, err := ledger.Open(s.t.Context(), ledger.Options{Repo: repo, Environment: catalog.DefaultEnvironment, Root: root, Trust: thief(by)})
	check(s.t, err)
	writer := ledger.Writer{By: by, Author: source.Author{Name: "ci", Email: "ci@example.org"}, Sign: s.keys["ci"].SignCommit, Now: s.clock}
	d.Intent.At = s.now
	for _, b := range d.Intent.Batches {
		done.Batches = append(done.Batches, ledger.Result{Digest: b.Digest, State: ledger.Done})
	}
	r, err := l.Intent(s.t.Context(), writer, d)
	check(s.t, err)
	check(s.t, l.Outcome(s.t.Context(), writer, r.ID, done))
}

// attackByMachine puts a policy in force by which eve may all, with an applier's key
// and nobody's approval: as a receipt of a policy, and as one of an apply.
func attackByMachine(s *siege, g *ground) {
	s.write("policy/people.cue", strings.ReplaceAll(g.people(), `roles: []`, `roles: ["all"]`))
	s.commit("eve may all")
	s.git("fleet", "push", "-q", "origin", "main")
	p := s.decoded(s.plan("eve"))
	after, err := plan.ParseDigest(p.Batches[0].Changes[0].After)
	check(s.t, err)
	done := ledger.Results{Policy: &ledger.Pin{Commit: p.Source.Commit, Digest: after}}
	tip := s.git("origin.git", "rev-parse", auditBranch)
	for n, i := range []ledger.Intent{
		{Act: ledger.Policy, Reason: "by the keys for recovery"},
		{Act: ledger.Apply, Reason: "x", Commit: p.Source.Commit, Tree: p.Source.Tree, Batches: []ledger.Batch{{Digest: p.Batches[0].Digest, Subject: plan.Policy}}},
	} {
		s.goesOn(g, ledger.Draft{Intent: i}, done)
		other := s.elsewhere()
		other.fails(exitTrust, "without authority", "plan", "-C", other.path("fleet"))
		other.fails(exitTrust, "without authority", "audit", "verify", "-C", other.path("fleet"))
		other.fails(exitTrust, "without authority", "log", "-C", other.path("fleet"))

		// What was begun is not taken away, as it may have been written. It did nothing.
		other.fails(exitDone, "without authority", "audit", "restore", "-C", other.path("fleet"))
		if began := s.git("origin.git", "rev-parse", auditBranch+"~1"); began != tip {
			s.t.Errorf("the ledger goes on from %s, want %s", began, tip)
		}
		other.must("audit", "verify", "-C", other.path("fleet"))
		if n == 0 {
			s.git("origin.git", "update-ref", auditBranch, tip)
		}
	}
	s.now = s.now.Add(time.Hour)
	s.ship("eve may all, as bob says")
	if log := s.must("log", "-C", s.path("fleet"), "-o", "json"); !strings.Contains(log, `"not-tried"`) {
		s.t.Errorf("the log is %s", log)
	}
}

// attackByOldPolicy puts a policy in force that was approved, and replaced since, with
// an applier's key and the approval of that time.
func attackByOldPolicy(s *siege, g *ground) {
	s.edit("policy/people.cue", `eve@example.org", roles: []`, `eve@example.org", roles: ["all"]`)
	monday := s.ship("eve may all")
	s.edit("policy/people.cue", `eve@example.org", roles: ["all"]`, `eve@example.org", roles: []`)
	s.ship("eve may nothing")
	s.edit("policy/people.cue", `eve@example.org", roles: []`, `eve@example.org", roles: ["all"]`)
	s.commit("eve may all again")
	file := s.plan("wednesday")
	p := s.decoded(file)
	if p.BatchesRoot != s.decoded(monday).BatchesRoot {
		s.t.Fatal("it is another batch")
	}
	s.git("fleet", "push", "-q", "origin", "main")

	after, err := plan.ParseDigest(p.Batches[0].Changes[0].After)
	check(s.t, err)
	const name = "plan.json.bob.sigstore.json"
	d := ledger.Draft{
		Plan: s.read(filepath.Base(file)), Files: map[string][]byte{name: s.read(filepath.Base(monday) + ".bob.sigstore.json")},
		Intent: ledger.Intent{
			Act: ledger.Apply, Reason: "x", Commit: p.Source.Commit, Tree: p.Source.Tree,
			Batches:   []ledger.Batch{{Digest: p.Batches[0].Digest, Subject: plan.Policy}},
			Approvals: []ledger.Approval{{Bundle: name, By: ledger.By{Fingerprint: s.keys["bob"].PublicKey().Fingerprint().String(), ID: "bob"}}},
		},
	}
	tip := s.git("origin.git", "rev-parse", auditBranch)
	s.goesOn(g, d, ledger.Results{Policy: &ledger.Pin{Commit: p.Source.Commit, Digest: after}})
	for _, who := range []*siege{s, s.elsewhere()} {
		who.fails(exitTrust, "1 more approval of 1", "plan", "-C", who.path("fleet"))
		who.fails(exitTrust, "1 more approval of 1", "audit", "verify", "-C", who.path("fleet"))
		who.fails(exitTrust, "1 more approval of 1", "can", "eve", "policy.write", "-C", who.path("fleet"))
	}
	s.must("audit", "restore", "-C", s.path("fleet"))
	if began := s.git("origin.git", "rev-parse", auditBranch+"~1"); began != tip {
		s.t.Errorf("the ledger goes on from %s, want %s", began, tip)
	}
}

// attackRoot puts another ledger, with its own policy, in the place of the one.
func attackRoot(s *siege, g *ground) {
	mallory := s.elsewhere()
	mallory.env = map[string]string{"CHARTER_PASSWORD": password}
	mallory.git("fleet", "config", "user.name", "M")
	mallory.git("fleet", "config", "user.email", "m@example.org")
	mallory.write("policy/people.cue", strings.ReplaceAll(g.people(), `roles: []`, `roles: ["all"]`))
	mallory.commit("eve may all")
	mallory.git("fleet", "push", "-q", "origin", "HEAD:main", ":"+auditBranch)
	mallory.must("init", "--audit", mallory.path("fleet"), "--key", mallory.path("ci.key"))
	s.unharmed(func() {
		for _, who := range []*siege{s, s.elsewhere()} {
			who.fails(exitTrust, "", "plan", "-C", who.path("fleet"))
			who.fails(exitTrust, "", "audit", "verify", "-C", who.path("fleet"))
		}
		s.elsewhere().fails(exitTrust, "the root that is trusted is "+g.root, "plan", "-C", s.elsewhere().path("fleet"))
	})
}

// attackReceipt says in a receipt that something else became of a batch.
func attackReceipt(s *siege, _ *ground) {
	mallory := s.elsewhere()
	mallory.git("fleet", "checkout", "-q", "-b", "altered", "origin/charter/default/audit")
	mallory.edit("receipts/000/001/outcome.json", `"done"`, `"moved"`)
	mallory.git("fleet", "commit", "-q", "-a", "--amend", "--no-edit")
	mallory.git("fleet", "push", "-q", "--force", "origin", "HEAD:"+auditBranch)
	s.fails(exitTrust, "rewritten", "plan", "-C", s.path("fleet"))
	other := s.elsewhere()
	other.fails(exitTrust, "receipt 1", "plan", "-C", other.path("fleet"))
	other.fails(exitTrust, "receipt 1", "audit", "verify", "-C", other.path("fleet"))
}

// attackByFork lets one of two machines go on from where the ledger was, with a
// receipt that is signed as it should be.
func attackByFork(s *siege, _ *ground) {
	founded := s.git("origin.git", "rev-parse", auditBranch)
	s.declare(`grants: ward: reason: "bought"`)
	s.ship("ward")
	s.git("fleet", "push", "-q", "origin", "main")
	s.git("origin.git", "update-ref", auditBranch, founded)
	other := s.elsewhere()
	other.env["CHARTER_EHR"] = ehrtest.StartOn(s.t, other.path("ehr.db"), "--instance", "siege").URL // that is not told on
	other.fails(exitUnread, "put back", other.apply(other.plan("plan"))...)
	other.env["CHARTER_EHR"] = s.ehr.URL
	other.fails(exitTrust, "rolled back", "plan", "-C", other.path("fleet"))
	other.must("seal", "HEAD", "-C", other.path("fleet"), "--key", s.path("bob.key"), "--reason", "goes on")
	s.fails(exitTrust, "rewritten", "plan", "-C", s.path("fleet"))
	s.fails(exitTrust, "rewritten", "audit", "verify", "-C", s.path("fleet"))
}

// attackRows writes rows behind the platform's back, and one that was granted and
// revoked before.
func attackRows(s *siege, _ *ground) {
	s.declare(`grants: ward: reason: "bought"`)
	s.ship("ward")
	s.edit("tenants/lakeside-clinic/tenant.cue", "\tgrants: ward: reason: \"bought\"\n", "")
	s.ship("no ward")
	s.must("drift", "-C", s.path("fleet"))
	s.ehr.Kill(s.t)
	s.database(`UPDATE grants SET rows = replace(rows, '[', '[{"facility":"main","module":"ward"},') WHERE tenant = 'lakeside-clinic'`)
	s.ehr = ehrtest.StartOn(s.t, s.path("ehr.db"))
	s.env["CHARTER_EHR"] = s.ehr.URL
	s.fails(exitDrift, "ward", "drift", "-C", s.path("fleet"))
	s.fails(exitDone, "!  lakeside-clinic main ward: it is live, and no receipt says so", "audit", "verify", "-C", s.path("fleet"))
}

// attackByOmission leaves a tenant out of an apply, and waits for the daemon to
// take what is missing for drift.
func attackByOmission(s *siege, _ *ground) {
	tenant := s.read("fleet/tenants/lakeside-clinic/tenant.cue")
	for _, id := range []string{"open", "held", "dark"} {
		text := strings.ReplaceAll(string(tenant), "lakeside-clinic", id)
		s.write("tenants/"+id+"/tenant.cue", strings.ReplaceAll(text, "admin@", "admin-"+id+"@"))
	}
	s.ship("three")
	hold := `package fleet

hold: "H-1": {tenant: "held", owner: "ann", reason: "migration", until: "2099-01-01"}
`
	s.write("holds/h.cue", hold)
	for _, id := range []string{"lakeside-clinic", "open", "held", "dark"} {
		s.edit("tenants/"+id+"/tenant.cue", "\tadmins:", "\tgrants: ward: reason: \"bought\"\n\tadmins:")
	}
	s.commit("a ward for each")
	proxy := ehrtest.NewProxy(s.t, s.ehr.URL)
	proxy.Add(ehrtest.Rule{Path: "/tenants/dark/*", Fault: ehrtest.Answer(200, "application/json", "{}")})
	s.env["CHARTER_EHR"] = proxy.URL
	file := s.path("plan.json")
	s.fails(exitUnread, "dark", "plan", "-C", s.path("fleet"), "--out", file)
	p := s.decoded(file)
	terms := seal.Approval{
		Decision: seal.Approve, Environment: catalog.DefaultEnvironment, NotAfter: s.now.Add(time.Hour),
		Batches: seal.Batches{Root: p.BatchesRoot, Count: len(p.Leaves())},
	}
	id, err := catalog.ParseTenantID("lakeside-clinic")
	check(s.t, err)
	terms.Tenants = []catalog.TenantID{id}
	s.beside(file, "ann", s.bundle("ann", file, terms))
	s.fails(exitBlocked, "open", s.apply(file)...)
	s.env["CHARTER_EHR"] = s.ehr.URL
	check(s.t, os.Remove(s.path("fleet/holds/h.cue")))
	s.commit("the hold is over")
	s.fails(exitDone, "0 drifted, 0 in conflict, 3 pending", "drift", "-C", s.path("fleet"))
	for _, b := range s.decoded(s.plan("rest")).Batches {
		for _, c := range b.Changes {
			if c.Class != plan.Pending {
				s.t.Errorf("%s %s is %s", b.Tenant, c.EHRModule, c.Class)
			}
		}
	}
}
