package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
)

const (
	maxBundle  = 1 << 20  // bytes of one bundle
	maxKeyFile = 64 << 10 // bytes of one key
	maxBundles = 1000     // beside one plan
)

// trustFlags name the keys whose signatures count.
type trustFlags struct{ files []string }

func (f *trustFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.files, "trusted-key", nil, "a public key `FILE` whose signatures count; may be given again")
}

// trusted are the keys that were given, by fingerprint, with the names that
// people know them by.
type trusted struct {
	verifier *seal.Verifier
	names    map[seal.Fingerprint]string
}

func (f *trustFlags) load() (*trusted, error) {
	t := &trusted{names: map[seal.Fingerprint]string{}}
	var keys []seal.PublicKey
	for _, file := range f.files {
		data, err := readFile(file, maxKeyFile)
		if err != nil {
			return nil, fail(exitFailed, "trusted key: %w", err)
		}
		key, err := seal.ParsePublicKey(data)
		if err != nil {
			return nil, fail(exitFailed, "trusted key %s: %w", file, err)
		}
		keys = append(keys, key)
		t.names[key.Fingerprint()] = strings.TrimSuffix(filepath.Base(file), ".pub")
	}
	t.verifier = seal.NewVerifier(keys...)
	return t, nil
}

// signature is one bundle that stands beside a plan.
type signature struct {
	File     string `json:"file"`
	Signer   string `json:"signer,omitempty"`      // the name of the trusted key
	Key      string `json:"fingerprint,omitempty"` // its fingerprint
	Decision string `json:"decision,omitempty"`
	Comment  string `json:"comment,omitempty"`
	Counts   bool   `json:"counts"`        // whether it counts for this plan, now
	Why      string `json:"why,omitempty"` // why it does not

	bundle []byte
	opened *seal.Opened // nil where it does not verify
}

// sentence says in words what the signature is.
func (s *signature) sentence() string {
	if s.opened == nil {
		return fmt.Sprintf("%s does not count: %s", s.File, s.Why)
	}
	verb := "approves"
	if s.Decision == string(seal.Reject) {
		verb = "rejects"
	}
	what := "it"
	if names := s.opened.Approval.Tenants; names != nil {
		what = "the changes of " + view.Some(names)
	}
	text := fmt.Sprintf("%s %s %s (key %s)", s.Signer, verb, what, s.opened.Signer.Short())
	if s.Comment != "" {
		text += ": " + s.Comment
	}
	if !s.Counts {
		text += "; it does not count: " + s.Why
	}
	return text
}

// trust makes one key the only one that counts.
func trust(key seal.PublicKey) *trusted {
	return &trusted{seal.NewVerifier(key), map[seal.Fingerprint]string{key.Fingerprint(): "you"}}
}

// signatures reads and judges the bundles beside a plan's file.
func (f *planFile) signatures(t *trusted, now time.Time) ([]signature, error) {
	found := make([]signature, 0, len(f.bundles))
	for _, bundle := range f.bundles {
		s := signature{bundle: bundle}
		f.judge(&s, t, now)
		found = append(found, s)
	}
	if len(found) > 0 {
		return found, nil
	}
	names, err := bundleNames(f.path)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		s := signature{File: filepath.Base(name)}
		s.bundle, err = readFile(name, maxBundle)
		if err != nil {
			s.Why = err.Error()
		} else {
			f.judge(&s, t, now)
		}
		found = append(found, s)
	}
	return found, nil
}

// bundleNames finds the bundles of a plan: FILE.<key>.sigstore.json.
func bundleNames(path string) ([]string, error) {
	dir, base := filepath.Split(path)
	entries, err := readDir(dir)
	if err != nil {
		return nil, fail(exitFailed, "signatures of %s: %w", path, err)
	}
	var names []string
	for _, e := range entries {
		middle, ok := strings.CutPrefix(e.Name(), base+".")
		middle, ok2 := strings.CutSuffix(middle, seal.BundleSuffix)
		if ok && ok2 && middle != "" && e.Type().IsRegular() {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	if len(names) > maxBundles {
		return nil, fail(exitFailed, "%s has %d signatures beside it, and the most is %d", path, len(names), maxBundles)
	}
	slices.Sort(names)
	return names, nil
}

func readDir(dir string) ([]fs.DirEntry, error) {
	if dir == "" {
		dir = "."
	}
	return os.ReadDir(dir)
}

// judge opens a bundle and holds it against the plan.
func (f *planFile) judge(s *signature, t *trusted, now time.Time) {
	opened, err := t.verifier.Open(s.bundle)
	if err != nil {
		s.Why = err.Error()
		return
	}
	s.opened, s.Signer, s.Key = opened, t.names[opened.Signer], opened.Signer.String()
	s.Decision, s.Comment = string(opened.Approval.Decision), opened.Approval.Comment
	if plan.Digest(opened.Subject.SHA256) != f.digest {
		s.Why = "it is of another plan"
		return
	}
	if opened.Approval.Review != nil { // it is not its signer's own decision
		s.Why = "it speaks of a review at a forge, and only a policy says who may"
		return
	}
	leaves := f.plan.Leaves()
	environment, err := catalog.ParseEnvironment(f.plan.Environment)
	if err != nil {
		s.Why = err.Error()
		return
	}
	use := seal.Use{At: now, Environment: environment, Batches: seal.Batches{Root: f.plan.BatchesRoot, Count: len(leaves)}}
	if len(opened.Approval.Tenants) > 0 {
		use.Tenant = opened.Approval.Tenants[0] // which tenants it names is judged batch by batch
	}
	if objections := opened.Approval.Objections(use); len(objections) > 0 {
		s.Why = objections[0].Text
		return
	}
	s.Counts = true
}

// covers reports whether a signature that counts is about a batch: one that names
// tenants is about nothing else than theirs.
func (s *signature) covers(b *plan.Batch) bool {
	names := s.opened.Approval.Tenants
	return names == nil || b.Subject.OfTenant() &&
		slices.ContainsFunc(names, func(id catalog.TenantID) bool { return id.String() == b.Tenant })
}

// verdict is what the signatures beside a plan amount to.
type verdict struct {
	approvals []reconcile.Approval
	err       error // why the plan must not be applied, or nil
}

// decide judges a plan by its signatures: each batch needs one approval by a
// trusted key, and a rejection blocks until its signer approves. The same key
// never says both, as its bundle has one name. only names the tenants that matter;
// nil for all.
func (f *planFile) decide(found []signature, only map[catalog.TenantID]bool) verdict {
	var v verdict
	var approving []signature
	for _, s := range found {
		switch {
		case !s.Counts:
		case s.Decision == string(seal.Reject):
			return verdict{err: failHint(exitBlocked, "it can be applied when "+s.Signer+" approves it", "%s", s.sentence())}
		default:
			approving = append(approving, s)
			v.approvals = append(v.approvals, reconcile.Approval{Bundle: s.bundle, Leaves: f.plan.Leaves()})
		}
	}
	if len(approving) == 0 {
		v.err = failHint(exitTrust, "sign it: charter sign "+f.path+" --key KEY", "%s: %w", f.path, f.unsigned(found))
		return v
	}
	v.err = f.unapproved(approving, only)
	return v
}

// unapproved names what no signature is about.
func (f *planFile) unapproved(approving []signature, only map[catalog.TenantID]bool) error {
	var without []string
	for i := range f.plan.Batches {
		b := &f.plan.Batches[i]
		name := string(b.Subject.Owner()) + " " + b.Tenant
		if b.Among(only) && !slices.ContainsFunc(approving, func(s signature) bool { return s.covers(b) }) && !slices.Contains(without, name) {
			without = append(without, name)
		}
	}
	if len(without) == 0 {
		return nil
	}
	return failHint(exitBlocked, "what is approved can be applied by itself: charter apply "+f.path+" --tenant ID",
		"nobody has approved the changes of %s", view.Some(without))
}

// unsigned says why none of the signatures counts.
func (f *planFile) unsigned(found []signature) error {
	if len(found) == 0 {
		return errors.New("the plan is not signed")
	}
	var why []string
	for _, s := range found {
		why = append(why, s.sentence())
	}
	return errors.New("the plan is not signed by a trusted key: " + view.Some(why))
}
