package main

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

const password = "correct horse"

// people is the policy that scripts begin with: ann may approve what is of a
// tenant, bob everything, and ci carries it out.
const people = `package policy

people: ann: {name: "Ann", email: "ann@example.org", roles: ["support"], keys: [KEY(ann)]}
people: bob: {name: "Bob", email: "bob@example.org", roles: ["super_admin"], keys: [KEY(bob)]}
appliers: ci: {keys: [KEY(ci)], may: ["apply"]}
roles: support: ["entitlements.write", "clients.write", "onboarding.run", "tenant_admins.manage", "registry.write"]
roles: super_admin: ["*"]
`

// foundCommand lays out a fleet with the policy people, or with one of a script's
// own, and founds its ledger.
func (w *world) foundCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: found [FILE]")
	}
	w.startEHR(ts, []string{"--outbox", ts.MkAbs("outbox")})
	ts.Check(ts.Exec("charter", "init", "fleet"))
	policyCommand(ts, false, append([]string{"people"}, args...))
	commitCommand(ts, false, nil)
	ts.Check(ts.Exec("charter", "init", "--audit", "fleet", "--key", "ci.key"))
	ts.Setenv("CHARTER_ROOT", strings.TrimSpace(ts.ReadFile("stdout")))
}

// policyCommand writes a file of the policy, people where nothing else is said.
func policyCommand(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) == 1:
		writePolicy(ts, args[0], people)
	case !neg && len(args) == 2:
		writePolicy(ts, args[0], ts.ReadFile(args[1]))
	default:
		ts.Fatalf("usage: policy NAME [FILE]")
	}
}

var (
	namesKey         = regexp.MustCompile(`KEY\((\w+)\)`)
	namesFingerprint = regexp.MustCompile(`FINGERPRINT\((\w+)\)`)
)

// writePolicy writes a file of the policy: KEY(NAME) in it is somebody's public
// key, FINGERPRINT(NAME) its fingerprint, and $NAME a variable. Who is named has
// NAME.key from then on.
func writePolicy(ts *testscript.TestScript, name, text string) {
	text = os.Expand(text, ts.Getenv)
	text = namesKey.ReplaceAllStringFunc(text, func(s string) string {
		return strconv.Quote(string(keyOf(ts, namesKey.FindStringSubmatch(s)[1]).public))
	})
	text = namesFingerprint.ReplaceAllStringFunc(text, func(s string) string {
		key, err := seal.ParsePublicKey(keyOf(ts, namesFingerprint.FindStringSubmatch(s)[1]).public)
		ts.Check(err)
		return strconv.Quote(key.Fingerprint().String())
	})
	ts.Check(os.WriteFile(ts.MkAbs("fleet/policy/"+name+".cue"), []byte(text), 0o644))
}

type keyFiles struct{ private, public []byte }

// made are the keys of all scripts, by name: making one takes a while.
var made sync.Map

// keyOf gives a script somebody's key.
func keyOf(ts *testscript.TestScript, name string) keyFiles {
	make, _ := made.LoadOrStore(name, sync.OnceValues(func() (keyFiles, error) {
		private, public, err := seal.GenerateKey([]byte(password))
		return keyFiles{private, public}, err
	}))
	key, err := make.(func() (keyFiles, error))()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name+".key"), key.private, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(name+".pub"), key.public, 0o644))
	return key
}

// shipCommand commits what there is, plans it, has it approved, and carries it out,
// whole; $RECEIPT is then the receipt's id.
func shipCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: ship NAME APPROVER APPLIER")
	}
	file, approver, applier := args[0]+".json", args[1]+".key", args[2]+".key"
	ts.Check(ts.Exec("git", "-C", ts.MkAbs("fleet"), "add", "-A"))
	ts.Check(ts.Exec("git", "-C", ts.MkAbs("fleet"), "commit", "-q", "--allow-empty", "-m", args[0]))
	for _, command := range [][]string{
		{"plan", "-C", "fleet", "--out", file},
		{"approve", file, "-C", "fleet", "--key", approver},
		{"apply", file, "-C", "fleet", "--key", applier},
	} {
		ts.Check(ts.Exec("charter", command...))
	}
	said := regexp.MustCompile(`receipt ([0-9a-f]{64})`).FindStringSubmatch(ts.ReadFile("stderr"))
	if said == nil {
		ts.Fatalf("the apply names no receipt")
	}
	ts.Setenv("RECEIPT", said[1])
}

// thiefCommand puts an intent on the ledger that somebody's key has signed, as who
// stole it would: without asking any policy. The ledger that it is put on was
// signed by that key and by others that are named.
func thiefCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: thief APPLIER [OTHER…]")
	}
	thief := credulous{ids: map[seal.Fingerprint]string{}}
	for _, name := range args {
		key, err := seal.ParsePublicKey(keyOf(ts, name).public)
		ts.Check(err)
		thief.keys = append(thief.keys, key)
		thief.ids[key.Fingerprint()] = name
	}
	signer, err := seal.OpenKey(keyOf(ts, args[0]).private, []byte(password))
	ts.Check(err)
	repo, err := source.Open(ts.MkAbs("fleet"))
	ts.Check(err)
	defer repo.Close()
	root, err := ledger.ParseID(ts.Getenv("CHARTER_ROOT"))
	ts.Check(err)
	l, err := ledger.Open(context.Background(), ledger.Options{Repo: repo, Environment: catalog.DefaultEnvironment, Root: root, Trust: thief})
	ts.Check(err)
	_, err = l.Intent(context.Background(), ledger.Writer{
		By:     ledger.By{Fingerprint: signer.PublicKey().Fingerprint().String(), ID: args[0]},
		Author: source.Author{Name: "ci", Email: "ci@example.org"}, Sign: signer.SignCommit, Now: time.Now,
	}, ledger.Draft{Intent: ledger.Intent{Act: ledger.Recover, At: time.Now(), Reason: "a thief's", Approvals: []ledger.Approval{}, Batches: []ledger.Batch{}}})
	ts.Check(err)
}

// credulous believes whatever some keys have signed.
type credulous struct {
	keys []seal.PublicKey
	ids  map[seal.Fingerprint]string // of the keys' holders
}

func (c credulous) Signer(_ context.Context, _ ledger.Pin, _ ledger.Act, _ time.Time, object []byte) (ledger.By, error) {
	by, err := seal.VerifyCommit(object, c.keys...)
	return ledger.By{Fingerprint: by.String(), ID: c.ids[by]}, err
}

func (credulous) Turned(context.Context, *ledger.Ledger, *ledger.Receipt) error { return nil }
