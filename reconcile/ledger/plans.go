package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/source"
)

const (
	maxPlans   = 10_000
	maxBundles = 1000
)

// ErrNoPlan says that a plan is not published.
var ErrNoPlan = errors.New("the plan is not published")

// ErrOtherPlan says that what is published under a plan's digest is not that plan:
// somebody put it there.
var ErrOtherPlan = errors.New("what is published under its digest is another file")

// Plans are the open plans of an environment and the bundles that came in for
// them, each on a reference of its own: refs/charter/ENV/plans/<64 hexadecimal
// digits>. They need no ledger. Anybody who can push can put one there, so that
// nothing of it is trusted but that the plan is the one of its digest: the
// bundles are for the policy to judge.
type Plans struct {
	Repo        *source.Repository
	Environment catalog.Environment
	Author      source.Author // of the commits, which nobody signs
	Now         func() time.Time
}

// Published is an open plan.
type Published struct {
	Digest  plan.Digest
	Plan    []byte            // its file
	Bundles map[string][]byte // by the names of their files
}

func (p *Plans) prefix() string { return "refs/charter/" + p.Environment.String() + "/plans/" }

func (p *Plans) name(of plan.Digest) string { return p.prefix() + of.Hex() }

// All yields the open plans by their digests. Anybody who can push can put anything
// there: beside the error of one that cannot be read stands its Digest alone. Where
// they cannot be asked for it yields nil and the error, and nothing more.
func (p *Plans) All(ctx context.Context) iter.Seq2[*Published, error] {
	return func(yield func(*Published, error) bool) {
		refs, err := p.tips(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(refs)) {
			digits, _ := strings.CutPrefix(name, p.prefix())
			of, err := plan.ParseDigest("sha256:" + digits)
			if err != nil {
				continue
			}
			published, err := p.readAt(refs[name], of)
			if errors.Is(err, source.ErrAbsent) { // a part of what was here has been pruned
				published, err = p.Read(ctx, of)
			}
			if err != nil {
				published = &Published{Digest: of}
			}
			if !yield(published, err) {
				return
			}
		}
	}
}

// tips brings all open plans at once, and returns their commits by their names.
func (p *Plans) tips(ctx context.Context) (map[string]string, error) {
	at, err := newPlace(p.Repo)
	if err != nil {
		return nil, err
	}
	if at.remote {
		return p.Repo.FetchUnder(ctx, p.prefix(), maxPlans)
	}
	return p.Repo.Refs(p.prefix())
}

// Read returns an open plan, or ErrNoPlan.
func (p *Plans) Read(ctx context.Context, of plan.Digest) (*Published, error) {
	at, err := newPlace(p.Repo)
	if err != nil {
		return nil, err
	}
	_, published, err := p.read(ctx, at, of)
	if err == nil && published == nil {
		err = fmt.Errorf("plan %s: %w", of, ErrNoPlan)
	}
	return published, err
}

// read returns an open plan and the commit that holds it; nil where there is
// none.
func (p *Plans) read(ctx context.Context, at place, of plan.Digest) (string, *Published, error) {
	tip, err := at.fetch(ctx, p.name(of))
	if err != nil || tip == "" {
		return "", nil, err
	}
	published, err := p.readAt(tip, of)
	return tip, published, err
}

// readAt reads an open plan out of its commit.
func (p *Plans) readAt(tip string, of plan.Digest) (*Published, error) {
	commit, err := p.Repo.ReadCommit(tip)
	if err != nil {
		return nil, err
	}
	files := p.Repo.Files(source.Commit{Hash: tip, Tree: commit.Tree})
	published := &Published{Digest: of}
	published.Plan, err = files.ReadAt(planFile, plan.MaxSize)
	if errors.Is(err, fs.ErrNotExist) || err == nil && plan.DigestOf(published.Plan) != of {
		err = ErrOtherPlan
	}
	if err == nil {
		published.Bundles, err = readBundles(files, maxBundles)
	}
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", of, err)
	}
	return published, nil
}

// readBundles reads the bundles that lie beside what is published: so many and no
// more, as each is tried.
func readBundles(files *source.Files, most int) (map[string][]byte, error) {
	list, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	bundles := map[string][]byte{}
	for _, e := range list {
		if !isBundle(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		if len(bundles) == most {
			return nil, fmt.Errorf("more than %d bundles", most)
		}
		if bundles[e.Name()], err = files.ReadAt(e.Name(), maxBundle); err != nil {
			return nil, err
		}
	}
	return bundles, nil
}

func isBundle(name string) bool {
	return strings.HasSuffix(name, seal.BundleSuffix) && fs.ValidPath(name) && !strings.Contains(name, "/")
}

// Publish puts a plan and bundles of it where others find them, beside the
// bundles that are there already; one of the same name is replaced.
func (p *Plans) Publish(ctx context.Context, file []byte, bundles map[string][]byte) (plan.Digest, error) {
	of := plan.DigestOf(file)
	return of, p.change(ctx, of, func(now *Published) (map[string][]byte, error) {
		put := maps.Clone(bundles)
		if put == nil {
			put = map[string][]byte{}
		}
		if now == nil {
			put[planFile] = file
		}
		return put, nil
	})
}

// Add puts a bundle to an open plan, or gives ErrNoPlan.
func (p *Plans) Add(ctx context.Context, of plan.Digest, name string, bundle []byte) error {
	return p.change(ctx, of, func(now *Published) (map[string][]byte, error) {
		if now == nil {
			return nil, fmt.Errorf("plan %s: %w", of, ErrNoPlan)
		}
		return map[string][]byte{name: bundle}, nil
	})
}

// Remove takes a bundle away from an open plan. One that is not there is no error.
func (p *Plans) Remove(ctx context.Context, of plan.Digest, name string) error {
	return p.change(ctx, of, func(now *Published) (map[string][]byte, error) {
		if now == nil || now.Bundles[name] == nil {
			return nil, nil
		}
		return map[string][]byte{name: nil}, nil
	})
}

// change puts files to an open plan, and again where another writer came first.
func (p *Plans) change(ctx context.Context, of plan.Digest, files func(now *Published) (map[string][]byte, error)) error {
	at, err := newPlace(p.Repo)
	if err != nil {
		return err
	}
	for range maxTries {
		tip, now, err := p.read(ctx, at, of)
		if err != nil {
			return err
		}
		put, err := files(now)
		if err != nil {
			return err
		}
		if put = fresh(put, now); len(put) == 0 {
			return nil
		}
		if err := checkNames(put); err != nil {
			return err
		}
		commit, err := p.Repo.Write(source.Draft{
			Parent: tip, Put: put, Author: p.Author, When: p.Now(), Message: "charter " + p.Environment.String() + ": plan " + of.String(),
		})
		if err != nil {
			return err
		}
		err = at.move(ctx, source.Update{Name: p.name(of), Old: tip, New: commit.Hash})
		if !errors.Is(err, errLost) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("plan %s: %w, %d times", of, errLost, maxTries)
}

// fresh leaves out what is there already.
func fresh(put map[string][]byte, now *Published) map[string][]byte {
	if now == nil {
		return put
	}
	left := map[string][]byte{}
	for name, data := range put {
		if had, ok := now.Bundles[name]; !ok || string(had) != string(data) {
			left[name] = data
		}
	}
	return left
}

func checkNames(put map[string][]byte) error {
	for name, data := range put {
		if name != planFile && !isBundle(name) {
			return fmt.Errorf("bundle name %.80q does not end in %s", name, seal.BundleSuffix)
		}
		if name != planFile && len(data) > maxBundle {
			return fmt.Errorf("bundle %.80q has more than %d bytes", name, maxBundle)
		}
	}
	return nil
}

// Delete takes a plan away, bundles and all. One that is not there is no error.
func (p *Plans) Delete(ctx context.Context, of plan.Digest) error {
	at, err := newPlace(p.Repo)
	if err != nil {
		return err
	}
	for range maxTries {
		tip, err := at.tip(ctx, p.name(of))
		if err != nil || tip == "" {
			return err
		}
		if err := at.move(ctx, source.Update{Name: p.name(of), Old: tip}); !errors.Is(err, errLost) {
			return err
		}
	}
	return fmt.Errorf("delete plan %s: %w", of, errLost)
}
