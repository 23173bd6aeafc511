package ledger

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/source"
)

// Environments lists those that have open plans, sorted.
func Environments(ctx context.Context, repo *source.Repository) ([]catalog.Environment, error) {
	at, err := newPlace(repo)
	if err != nil {
		return nil, err
	}
	var refs map[string]string
	if at.remote {
		refs, err = repo.RemoteRefs(ctx)
	} else {
		refs, err = repo.Refs("refs/charter/")
	}
	if err != nil {
		return nil, err
	}
	var list []catalog.Environment
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		rest, ours := strings.CutPrefix(name, "refs/charter/")
		name, plan, found := strings.Cut(rest, "/plans/")
		environment, err := catalog.ParseEnvironment(name)
		if ours && found && plan != "" && err == nil && !slices.Contains(list, environment) {
			list = append(list, environment)
		}
	}
	return list, nil
}
