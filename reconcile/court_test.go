package reconcile_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/ehrtest"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
	"github.com/veonahealth/charter/schema/write"
)

// keyPair is somebody's.
type keyPair struct {
	*seal.Signer
	pem string
}

// keys are made once: opening one takes a while, on purpose.
var keys = sync.OnceValues(func() (map[string]keyPair, error) {
	all := map[string]keyPair{}
	for _, name := range []string{"ann", "bob", "ci", "ci2"} {
		private, public, err := seal.GenerateKey([]byte(name))
		if err != nil {
			return nil, err
		}
		signer, err := seal.OpenKey(private, []byte(name))
		if err != nil {
			return nil, err
		}
		all[name] = keyPair{signer, string(public)}
	}
	return all, nil
})

// court is a fleet in git with a ledger, a platform, people and a clock.
type court struct {
	t      *testing.T
	dir    string
	repo   *source.Repository
	ehr    *ehrtest.EHR
	client *ehr.Client
	keys   map[string]keyPair
	now    time.Time
	root   ledger.ID
}

// newCourt lays out a fleet, in which ann may approve everything but policies and
// bob those too, and founds its ledger.
func newCourt(t *testing.T) *court {
	t.Helper()
	c := &court{t: t, dir: t.TempDir(), ehr: ehrtest.Start(t, "--instance", "court"), keys: must(keys())(t), now: now}
	c.client = newClient(t, c.ehr.URL)
	for _, f := range must(write.Layout())(t) {
		c.write(f.Path, string(f.Data))
	}
	c.write("policy/people.cue", c.people(""))
	c.git("init", "-q", "-b", "main")
	commit := c.commit("founding")
	c.repo = must(source.Open(c.dir))(t)
	t.Cleanup(func() { c.repo.Close() })
	root, err := reconcile.Found(t.Context(), reconcile.Founding{
		Repo: c.repo, Environment: catalog.DefaultEnvironment, Desired: must(c.evaluate(t.Context(), commit))(t), Commit: commit,
		Tree: c.git("rev-parse", "HEAD^{tree}"), Signer: c.keys["ci"].Signer, Now: c.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.root = root
	return c
}

func (c *court) people(more string) string {
	pem := func(name string) string { return fmt.Sprintf("%q", c.keys[name].pem) }
	return "package policy\n\npeople: ann: {name: \"Ann\", email: \"ann@example.org\", roles: [\"support\"], keys: [" + pem("ann") + "]}\n" +
		"people: bob: {name: \"Bob\", email: \"bob@example.org\", roles: [\"all\"], keys: [" + pem("bob") + "]}\n" +
		"appliers: ci: {keys: [" + pem("ci") + "], may: [\"apply\"]}\n" +
		"roles: {support: [\"entitlements.*\", \"clients.*\", \"onboarding.run\", \"tenant_admins.manage\"], all: [\"*\"]}\n" + more
}

func (c *court) clock() time.Time { return c.now }

func (c *court) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// tenant declares a health centre with more fields.
func (c *court) tenant(id, more string) {
	c.t.Helper()
	c.write("tenants/"+id+"/tenant.cue", fmt.Sprintf("package fleet\n\ntenant: {id: %q, name: \"T\", organisation: \"lakeside\", edition: \"health-centre\", facilities: main: name: \"Main\"}\ntenant: {%s}\n", id, more))
}

func (c *court) git(args ...string) string {
	c.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c *court) commit(message string) string {
	c.t.Helper()
	c.git("add", "-A")
	c.git("commit", "-q", "--allow-empty", "-m", message)
	return c.git("rev-parse", "HEAD")
}

func (c *court) evaluate(ctx context.Context, commit string) (*catalog.Desired, error) {
	repo, err := source.Open(c.dir)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	at, err := repo.Resolve(commit)
	if err != nil {
		return nil, err
	}
	fleet, err := schema.Load(ctx, repo.Files(at), schema.Options{Keys: seal.KeyNames})
	if err != nil {
		return nil, err
	}
	return &fleet.Desired, nil
}

// open reads the ledger.
func (c *court) open() (*reconcile.Governance, error) {
	head := c.git("rev-parse", "HEAD")
	return reconcile.Govern(c.t.Context(), reconcile.GovernanceOptions{
		Repo: c.repo, Environment: catalog.DefaultEnvironment, Root: c.root, Evaluate: c.evaluate, Newest: head, Now: c.clock,
	})
}

// plan plans the newest commit, and gives the plan's file.
func (c *court) plan() (*plan.Plan, []byte) { return c.planOf() }

// planOf plans for some tenants alone, or for all.
func (c *court) planOf(ids ...string) (*plan.Plan, []byte) {
	c.t.Helper()
	g := must(c.open())(c.t)
	at := must(c.repo.Resolve("HEAD"))(c.t)
	desired := must(c.evaluate(c.t.Context(), at.Hash))(c.t)
	r := reconcile.PlanRequest{
		Desired: desired, Tenants: desired.Tenants, Environment: catalog.ControlPlane{Environment: catalog.DefaultEnvironment},
		Source: plan.Source{Commit: at.Hash, Tree: at.Tree}, At: c.now, Now: c.now, ExpiresIn: 24 * time.Hour, Nonce: "n",
	}
	if len(ids) > 0 {
		r.Chosen = true
		r.Tenants = slices.DeleteFunc(slices.Clone(r.Tenants), func(d catalog.Declaration) bool { return !slices.Contains(ids, d.ID.String()) })
	}
	if err := g.Bind(c.t.Context(), &r); err != nil {
		c.t.Fatal(err)
	}
	p, _, err := reconcile.Plan(c.t.Context(), c.client, r)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := g.Require(c.t.Context(), p, desired); err != nil {
		c.t.Fatal(err)
	}
	return p, must(plan.Encode(p))(c.t)
}

// bundle is somebody's decision about a plan.
func (c *court) bundle(who string, file []byte, decision seal.Decision, tenants ...string) reconcile.Bundle {
	c.t.Helper()
	p := must(plan.Decode(file))(c.t)
	approval := seal.Approval{
		Decision: decision, Environment: catalog.DefaultEnvironment, NotAfter: c.now.Add(14 * 24 * time.Hour),
		Batches: seal.Batches{Root: p.BatchesRoot, Count: len(p.Leaves())}, Plan: plan.DigestOf(file).String(),
	}
	for _, id := range tenants {
		approval.Tenants = append(approval.Tenants, must(catalog.ParseTenantID(id))(c.t))
	}
	statement := must(seal.Statement(seal.Subject{Name: "plan.json", SHA256: plan.DigestOf(file)}, approval))(c.t)
	return reconcile.Bundle{Name: who, Data: must(c.keys[who].Sign(statement))(c.t)}
}

// carry carries a plan out with some bundles.
func (c *court) carry(file []byte, bundles ...reconcile.Bundle) (*reconcile.Carried, error) {
	c.t.Helper()
	g, err := c.open()
	if err != nil {
		return nil, err
	}
	return g.Carry(c.t.Context(), c.client, reconcile.Order{
		Plan: must(plan.Decode(file))(c.t), File: file, Bundles: bundles, Signer: c.keys["ci"].Signer,
	})
}

// begin writes the receipt of a plan that is then cut off.
func (c *court) begin(file []byte) ledger.ID {
	c.t.Helper()
	r, err := must(c.open())(c.t).Ledger.Intent(c.t.Context(), c.writer("ci"), c.draft(file))
	if err != nil {
		c.t.Fatal(err)
	}
	return r.ID
}

// draft is the receipt of a plan that is carried out whole, by nobody's approval.
func (c *court) draft(file []byte) ledger.Draft {
	p := must(plan.Decode(file))(c.t)
	intent := ledger.Intent{Act: ledger.Apply, At: c.now, Commit: p.Source.Commit, Tree: p.Source.Tree, Instance: p.Instance, Approvals: []ledger.Approval{}, Batches: []ledger.Batch{}}
	for _, b := range p.Batches {
		intent.Batches = append(intent.Batches, ledger.Batch{Digest: b.Digest, Subject: b.Subject, Tenant: b.Tenant})
	}
	return ledger.Draft{Intent: intent, Plan: file}
}

// writer signs receipts with somebody's key.
func (c *court) writer(who string) ledger.Writer {
	key := c.keys[who]
	return ledger.Writer{By: ledger.By{Fingerprint: key.PublicKey().Fingerprint().String(), ID: who}, Sign: key.SignCommit, Now: c.clock}
}

// ship commits, plans, approves by bob and carries out what must be done whole.
func (c *court) ship(message string) {
	c.t.Helper()
	c.commit(message)
	_, file := c.plan()
	done, err := c.carry(file, c.bundle("bob", file, seal.Approve))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, o := range done.Outcomes {
		if o.State != reconcile.Done && o.State != reconcile.Already {
			c.t.Fatalf("%s %s: %s %s", o.Subject, o.Tenant, o.State, o.Text)
		}
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	return string(must(os.ReadFile(name))(t))
}
