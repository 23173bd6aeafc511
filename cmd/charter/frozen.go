package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// frozenFlags name a snapshot to plan against, and whose word for it counts.
type frozenFlags struct {
	snapshot string
	trust    trustFlags
}

func (f *frozenFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.snapshot, "snapshot", "", "plan against a snapshot and not a platform: a `FILE`, - for standard input with the signature after it, or ref for the published one")
	f.trust.bind(cmd)
}

// snapshotRef is the flag's word for the snapshot that is published.
const snapshotRef = "ref"

// sealedSnapshot is a snapshot's file with its bundles, not yet verified.
type sealedSnapshot struct {
	file    []byte
	bundles [][]byte
}

// open reads the snapshot and verifies it. The office says whose word counts where
// a ledger is founded.
func (f *frozenFlags) open(ctx context.Context, o *office) (*reconcile.Snapshot, plan.Digest, error) {
	var none plan.Digest
	if o.governed() && len(f.trust.files) > 0 {
		return nil, none, notWithLedger()
	}
	sealed, err := f.read(ctx, o)
	if err != nil {
		return nil, none, err
	}
	predicate, err := f.verify(ctx, o, sealed)
	if err != nil {
		return nil, none, err
	}
	taken, err := reconcile.DecodeSnapshot(sealed.file)
	switch {
	case err != nil:
		return nil, none, fail(exitFailed, "%w", err)
	case !taken.Vouches(predicate):
		return nil, none, fail(exitTrust, "the snapshot is not of the environment, instance and time that its signer vouches for")
	case taken.Environment != o.environment:
		return nil, none, fail(exitTrust, "the snapshot is of environment %s, not %s", taken.Environment, o.environment)
	}
	return taken, plan.DigestOf(sealed.file), nil
}

func (f *frozenFlags) read(ctx context.Context, o *office) (*sealedSnapshot, error) {
	switch f.snapshot {
	case snapshotRef:
		return readPublished(ctx, o)
	case "-":
		data, err := io.ReadAll(io.LimitReader(o.app.stdin, reconcile.MaxSnapshot+maxBundles*maxBundle))
		if err != nil {
			return nil, fail(exitFailed, "snapshot: %w", err)
		}
		return splitSnapshot(data), nil
	}
	file, err := readFile(f.snapshot, reconcile.MaxSnapshot)
	if err != nil {
		return nil, fail(exitFailed, "snapshot: %w", err)
	}
	names, err := bundleNames(f.snapshot)
	if err != nil {
		return nil, err
	}
	sealed := &sealedSnapshot{file: file}
	for _, name := range names {
		bundle, err := readFile(name, maxBundle)
		if err != nil {
			return nil, fail(exitFailed, "signature: %w", err)
		}
		sealed.bundles = append(sealed.bundles, bundle)
	}
	return sealed, nil
}

func readPublished(ctx context.Context, o *office) (*sealedSnapshot, error) {
	at := &ledger.Snapshots{Repo: o.repo, Environment: o.environment, Most: reconcile.MaxSnapshot}
	found, err := at.Read(ctx)
	if err != nil {
		return nil, failHint(exitFailed, "an applier publishes one: charter snapshot --publish --key KEY", "environment %s: %w", o.environment, err)
	}
	sealed := &sealedSnapshot{file: found.File}
	for _, bundle := range found.Bundles {
		sealed.bundles = append(sealed.bundles, bundle)
	}
	return sealed, nil
}

// splitSnapshot takes a snapshot and the bundles after it apart, each one line.
func splitSnapshot(data []byte) *sealedSnapshot {
	end := bytes.IndexByte(data, '\n') + 1
	if end == 0 {
		end = len(data)
	}
	sealed := &sealedSnapshot{file: data[:end]}
	for line := range bytes.Lines(data[end:]) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			sealed.bundles = append(sealed.bundles, line)
		}
	}
	return sealed
}

// verify returns the predicate of the first bundle of the file that an applier has
// signed, or, where no ledger is founded, a trusted key.
func (f *frozenFlags) verify(ctx context.Context, o *office, sealed *sealedSnapshot) (predicate []byte, err error) {
	verifier, may, err := f.trusted(ctx, o)
	if err != nil {
		return nil, err
	}
	why := errors.New("it is not signed")
	for _, bundle := range sealed.bundles {
		opened, err := verifier.OpenStatement(bundle, reconcile.SnapshotType)
		if err == nil && opened.Subject.SHA256 != sha256.Sum256(sealed.file) {
			err = errors.New("its signature is of another file")
		}
		if err == nil {
			err = may(opened.Signer)
		}
		if err == nil {
			return opened.Predicate, nil
		}
		why = err
	}
	return nil, failHint(exitTrust, "nothing was planned", "snapshot %s: %w", f.snapshot, why)
}

// trusted gives the keys whose word for a snapshot may count, and whether one's
// does.
func (f *frozenFlags) trusted(ctx context.Context, o *office) (*seal.Verifier, func(seal.Fingerprint) error, error) {
	if !o.governed() {
		if len(f.trust.files) == 0 {
			return nil, nil, failHint(exitTrust, "give --trusted-key FILE, the public key of whoever takes it", "whose snapshots count was not said")
		}
		t, err := f.trust.load()
		if err != nil {
			return nil, nil, err
		}
		return t.verifier, func(seal.Fingerprint) error { return nil }, nil
	}
	roster, err := o.Roster(ctx)
	if err != nil {
		return nil, nil, err
	}
	return roster.Verifier(), func(key seal.Fingerprint) error {
		_, err := roster.Applier(key, catalog.MayApply, o.app.now())
		if err != nil {
			_, err = roster.Applier(key, catalog.MayCorrect, o.app.now())
		}
		return err
	}, nil
}

// outlived reports whether something was applied since a snapshot was taken, or in
// the same second.
func (o *office) outlived(observed time.Time) (bool, error) {
	if !o.governed() {
		return false, nil
	}
	applies := o.Ledger.OfAct(ledger.Apply)
	if len(applies) == 0 {
		return false, nil
	}
	newest, err := o.Ledger.At(slices.Max(applies))
	if err != nil {
		return false, err
	}
	return !observed.After(newest.Intent.CreatedAt), nil
}

// old says how old a snapshot is.
func old(observed, now time.Time) string {
	age := now.Sub(observed).Truncate(time.Second)
	if age < 0 {
		return fmt.Sprintf("taken at %s, which is yet to come", catalog.FormatTime(observed))
	}
	return fmt.Sprintf("taken at %s, %s ago", catalog.FormatTime(observed), age)
}
