package main

import (
	"context"
	"crypto/sha256"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
)

type snapshotOptions struct {
	repo    repoFlags
	ehr     ehrFlags
	env     string
	out     string
	key     keyFlags
	publish bool
}

func (a *app) newSnapshot() *cobra.Command {
	var o snapshotOptions
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Write the live state, signed and dated, for plans where no secret may be",
		Long: `Snapshot reads the platform whole and writes what a plan needs of it: ids,
revisions, rows, editions, records, sites, instruments, licences without their
tokens, and administrators as the SHA-256 of their addresses. It holds no token,
no URL and no e-mail address.

--key signs it, with the key of an applier of the policy: plan --snapshot takes no
other. --publish pushes it to refs/charter/ENV/snapshot, in the place of the one
before, where plan --snapshot ref finds it.`,
		Example: `  charter snapshot --out live.json --key ci.key
  charter snapshot --publish --key ci.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.snapshot(cmd.Context(), &o) },
	}
	o.repo.bind(cmd)
	o.ehr.bind(cmd)
	o.key.bind(cmd)
	bindEnv(cmd, &o.env)
	cmd.Flags().StringVar(&o.out, "out", "", "save it as `FILE`, and its signature beside it")
	cmd.Flags().BoolVar(&o.publish, "publish", false, "push it and its signature to refs/charter/ENV/snapshot")
	return cmd
}

func (o *snapshotOptions) check() error {
	switch {
	case o.out == "" && !o.publish:
		return fail(exitUsage, "where to? give --out FILE, --publish or both")
	case o.publish && o.key.key == "":
		return failHint(exitUsage, "give --key, the key of an applier", "--publish: nobody plans against a snapshot that is not signed")
	}
	return nil
}

func (a *app) snapshot(ctx context.Context, o *snapshotOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	taken, err := a.takeSnapshot(ctx, o)
	if err != nil {
		return err
	}
	file, err := taken.Encode()
	if err != nil {
		return err
	}
	bundles, err := a.sealSnapshot(o, taken, file)
	if err != nil {
		return err
	}
	if o.publish {
		if err := a.publishSnapshot(ctx, o, taken, file, bundles); err != nil {
			return err
		}
	}
	a.note("%s of instance %s, %s", view.Counted(len(taken.Tenants), "tenant", "tenants"), taken.Platform.Instance, plan.DigestOf(file))
	if unread := taken.Unreadable(); len(unread) > 0 {
		return fail(exitUnread, "nothing could be learnt of %s, and the snapshot says so", view.Some(unread))
	}
	return nil
}

func (a *app) takeSnapshot(ctx context.Context, o *snapshotOptions) (*reconcile.Snapshot, error) {
	l, err := o.repo.load(ctx, a)
	if err != nil {
		return nil, err
	}
	environment, err := (&scopeFlags{env: o.env}).environment(l.fleet)
	if err != nil {
		return nil, err
	}
	client, err := o.ehr.client(a, environment.EHR)
	if err != nil {
		return nil, err
	}
	taken, err := reconcile.TakeSnapshot(ctx, client, environment, a.now())
	return taken, unread(err)
}

// snapshotName is what a published snapshot is called.
const snapshotName = "snapshot.json"

// sealSnapshot saves a snapshot and signs it, as the flags say, and returns the
// bundle by its name.
func (a *app) sealSnapshot(o *snapshotOptions, taken *reconcile.Snapshot, file []byte) (map[string][]byte, error) {
	bundles := map[string][]byte{}
	if o.key.key != "" {
		signer, err := o.key.open(a)
		if err != nil {
			return nil, err
		}
		subject := seal.Subject{Name: snapshotName, SHA256: sha256.Sum256(file)}
		if o.out != "" {
			subject.Name = filepath.Base(o.out)
		}
		statement, err := seal.NewStatement(subject, reconcile.SnapshotType, taken.Predicate())
		if err != nil {
			return nil, err
		}
		bundle, err := signer.Sign(statement)
		if err != nil {
			return nil, err
		}
		fingerprint := signer.PublicKey().Fingerprint()
		bundles[fingerprint.BundleName(snapshotName)] = bundle
		if o.out != "" {
			if err := writeFile(fingerprint.BundleName(o.out), bundle, 0o644); err != nil {
				return nil, fail(exitFailed, "save the signature: %w", err)
			}
		}
	}
	if o.out == "" {
		return bundles, nil
	}
	if err := writeFile(o.out, file, 0o644); err != nil {
		return nil, fail(exitFailed, "save the snapshot: %w", err)
	}
	if len(bundles) == 0 {
		a.note("it is not signed: plan --snapshot takes only one that is (--key KEY)")
	}
	return bundles, nil
}

func (a *app) publishSnapshot(ctx context.Context, o *snapshotOptions, taken *reconcile.Snapshot, file []byte, bundles map[string][]byte) error {
	repo, err := o.repo.open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	published := &ledger.Snapshots{
		Repo: repo, Environment: taken.Environment, Author: a.author(o.repo.repo), Now: a.now, Most: reconcile.MaxSnapshot,
	}
	if err := published.Publish(ctx, file, bundles); err != nil {
		return fail(exitFailed, "publish the snapshot: %w", err)
	}
	return nil
}
