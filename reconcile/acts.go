package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

// Signatory is who signs a receipt, and how its commits name them.
type Signatory struct {
	Signer *seal.Signer
	Author source.Author // "" for the name that the policy has
}

// Founding is what a ledger begins with.
type Founding struct {
	Repo         *source.Repository
	Environment  catalog.Environment
	Desired      *catalog.Desired // at the commit whose policy is pinned
	Commit, Tree string
	Signer       *seal.Signer
	Author       source.Author
	Reason       string
	Now          func() time.Time
	// Again is the platform that another ledger has witnessed before, which is lost;
	// nil where there was none. What the platform has seen of that one is of the past.
	Again EHR
}

// Found begins the ledger of an environment with the policy of a commit, and
// returns its root.
func Found(ctx context.Context, f Founding) (ledger.ID, error) {
	roster, err := policy.NewRoster(&f.Desired.PolicyData)
	if err != nil {
		return ledger.ID{}, err
	}
	writer, err := writerOf(roster, f.Signer, f.Author, ledger.Founding, f.Now)
	if err != nil {
		return ledger.ID{}, err
	}
	rules, err := plan.ParseDigest(f.Desired.Policy)
	if err != nil {
		return ledger.ID{}, err
	}
	catalogue, err := plan.ParseDigest(f.Desired.Catalog.Digest())
	if err != nil {
		return ledger.ID{}, err
	}
	intent := ledger.Intent{
		At: f.Now().UTC().Truncate(time.Second), Commit: f.Commit, Tree: f.Tree, Reason: f.Reason,
		Policy: ledger.Pin{Commit: f.Commit, Digest: rules}, Catalog: ledger.Pin{Commit: f.Commit, Digest: catalogue},
		Approvals: []ledger.Approval{}, Batches: []ledger.Batch{},
	}
	if f.Again != nil {
		if err := seen(ctx, f.Again, &intent); err != nil {
			return ledger.ID{}, err
		}
	}
	return ledger.Found(ctx, ledger.Options{Repo: f.Repo, Environment: f.Environment}, writer, ledger.Draft{Intent: intent})
}

// seen notes in a receipt that is begun which platform there is, and its newest
// audit entry, of seq 0 where its trail is empty.
func seen(ctx context.Context, e EHR, i *ledger.Intent) error {
	platform, err := e.Platform(ctx)
	if err != nil {
		return err
	}
	head, err := e.AuditHead(ctx)
	if err != nil {
		return unwitnessed(err)
	}
	i.Instance, i.Audit = platform.Instance, &ledger.AuditEntry{Hash: head.Hash, Seq: head.Seq}
	return nil
}

// Restore puts back the longest copy of a ledger that verifies.
func Restore(ctx context.Context, o GovernanceOptions, from string) (ledger.Restored, error) {
	g := newGovernance(o)
	did, err := ledger.Restore(ctx, g.ledgerOptions(), from)
	return did, asTrust(err)
}

// Recover writes the receipt by which a platform that was put back may be written
// to again. It voids approvals, so that there must be something to recover.
func (g *Governance) Recover(ctx context.Context, e EHR, by Signatory, reason string) (ledger.ID, error) {
	testimony, err := g.Witness(ctx, e)
	if err != nil {
		return ledger.ID{}, err
	}
	if testimony.Restored == "" {
		return ledger.ID{}, errors.New("there is nothing to recover: the platform holds what the newest receipt saw")
	}
	intent := ledger.Intent{Act: ledger.Recover, Reason: reason}
	if err := seen(ctx, e, &intent); err != nil {
		return ledger.ID{}, err
	}
	if err := g.mayRecover(ctx, e, by.Signer, intent.Audit); err != nil {
		return ledger.ID{}, err
	}
	return g.act(ctx, by, intent)
}

// mayRecover refuses a machine where the platform names a receipt that the ledger does
// not have: that its word does not pass.
func (g *Governance) mayRecover(ctx context.Context, e EHR, signer *seal.Signer, head *ledger.AuditEntry) error {
	roster, err := g.Roster(ctx)
	if err != nil {
		return err
	}
	if by, err := roster.Holder(signer.PublicKey().Fingerprint(), g.o.Now()); err != nil || by.Person != nil {
		return nil // who may not sign at all is refused where it is signed
	}
	newest, err := g.namedBefore(ctx, e, head)
	if err != nil {
		return unwitnessed(err)
	}
	if err := g.knows(ctx, newest); err != nil {
		return fmt.Errorf("%w; if the platform's trail is another's, this is signed by a person who holds policy.write", err)
	}
	return nil
}

// Seal writes the receipt by which the commits up to one are taken as they are.
func (g *Governance) Seal(ctx context.Context, revision string, by Signatory, reason string) (ledger.ID, error) {
	commit, err := g.o.Repo.Resolve(revision)
	if err != nil {
		return ledger.ID{}, err
	}
	last, err := g.newestCommit(g.Ledger.Len())
	if err != nil {
		return ledger.ID{}, err
	}
	if last == "" || g.has(last) { // one that nobody has can only be gone on from without
		if err := g.descends(ctx, commit.Hash, g.Ledger.Len()); err != nil {
			return ledger.ID{}, err
		}
	}
	return g.act(ctx, by, ledger.Intent{Act: ledger.Seal, Commit: commit.Hash, Tree: commit.Tree, Reason: reason})
}

// act writes a receipt that has no plan: its intent and outcome.
func (g *Governance) act(ctx context.Context, by Signatory, intent ledger.Intent) (ledger.ID, error) {
	writer, err := g.writer(ctx, by.Signer, by.Author, intent.Act)
	if err != nil {
		return ledger.ID{}, err
	}
	intent.At, intent.Approvals, intent.Batches = g.o.Now().UTC().Truncate(time.Second), []ledger.Approval{}, []ledger.Batch{}
	r, err := g.Ledger.Intent(ctx, writer, ledger.Draft{Intent: intent})
	if err != nil {
		return ledger.ID{}, asTrust(err)
	}
	return r.ID, asTrust(g.Ledger.Outcome(ctx, writer, r.ID, ledger.Results{Audit: intent.Audit}))
}

// superseded refuses a plan that was made before the platform was declared
// recovered: what it stands on is not what is there.
func (g *Governance) superseded(p *plan.Plan) error {
	recovered, err := g.recovered()
	if err == nil && p.CreatedAt.Before(recovered) {
		err = distrust("the plan was made before the platform was recovered (%s): plan again", recovered.Format(time.RFC3339))
	}
	return err
}

// recovered is when the platform was declared recovered last; zero for never. A
// receipt that bears a time that is still to come says nothing.
func (g *Governance) recovered() (time.Time, error) {
	for _, number := range slices.Backward(g.Ledger.OfAct(ledger.Recover)) {
		r, err := g.Ledger.At(number)
		if err != nil {
			return time.Time{}, asTrust(err)
		}
		if at := r.Intent.CreatedAt.Truncate(time.Second); at.Sub(g.o.Now()) <= wrongClock {
			return at, nil
		}
	}
	return time.Time{}, nil
}
