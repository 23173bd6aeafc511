package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/source"
	"github.com/veonahealth/charter/schema"
	"github.com/veonahealth/charter/schema/cache"
)

// evaluateArg makes the program the process that evaluates what is more than
// plain data. It is no command: nobody calls it but charter.
const evaluateArg = "__evaluate"

// repoFlags name a commit of a fleet repository.
type repoFlags struct {
	repo  string
	rev   string
	named func() bool // whether somebody said which repository
}

func (f *repoFlags) bind(cmd *cobra.Command) {
	bindRepo(cmd, &f.repo)
	f.named = func() bool { return cmd.Flags().Changed("repo") }
	cmd.Flags().StringVar(&f.rev, "rev", "HEAD", "the `REVISION` to read; the committed tree, never the work tree")
}

func bindRepo(cmd *cobra.Command, repo *string) {
	cmd.Flags().StringVarP(repo, "repo", "C", ".", "the fleet repository: a `DIR`, or the URL of one to clone")
}

// loaded is a commit that was evaluated.
type loaded struct {
	fleet      *schema.Fleet
	commit     source.Commit
	repository string // the remote's URL, or ""
	// target is the branch that the commit was merged into for the evaluation; nil
	// for none.
	target *schema.Fleet
	before *catalog.Catalog // the catalogue of --base; nil for none
}

// load evaluates the commit that the flags name.
func (f *repoFlags) load(ctx context.Context, a *app) (*loaded, error) {
	repo, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	return f.evaluate(ctx, a, repo, f.rev)
}

func (f *repoFlags) evaluate(ctx context.Context, a *app, repo *source.Repository, rev string) (*loaded, error) {
	commit, err := repo.Resolve(rev)
	if err != nil {
		return nil, fail(exitFailed, "%w", err)
	}
	fleet, err := a.evaluate(ctx, repo.Files(commit), f.repo)
	if err != nil {
		return nil, err
	}
	return &loaded{fleet: fleet, commit: commit, repository: repo.Remote()}, nil
}

// open opens the repository; the caller closes it.
func (f *repoFlags) open(ctx context.Context) (repo *source.Repository, err error) {
	if source.IsURL(f.repo) {
		repo, err = source.Clone(ctx, f.repo)
	} else {
		repo, err = source.Open(f.repo)
	}
	if err != nil {
		return nil, failHint(exitFailed, "name the fleet's folder with -C, or make one: charter init DIR", "%w", err)
	}
	return repo, nil
}

// declaredURL gives the URL that the fleet declares for an environment at a
// commit, or "" where it declares none. A fleet that nobody named need not be at
// hand; what was not compared is said.
func (f *repoFlags) declaredURL(ctx context.Context, a *app, commit, environment string) (string, error) {
	at := repoFlags{repo: f.repo, rev: commit}
	l, err := at.load(ctx, a)
	if err != nil && f.named() {
		return "", fmt.Errorf("the commit that the plan was made of: %w", err)
	}
	if err != nil {
		a.note("the plan's commit is not in this folder: what its environments.cue declares was not compared (-C DIR)")
		return "", nil
	}
	declared, err := (&scopeFlags{env: environment}).environment(l.fleet)
	return declared.EHR, err
}

// evaluate loads a file tree with the help of the cache and a sandbox.
func (a *app) evaluate(ctx context.Context, files fs.FS, fleet string) (*schema.Fleet, error) {
	e, err := a.newEvaluator(fleet)
	if err != nil {
		return nil, err
	}
	defer e.close()
	return e.load(ctx, files)
}

// evaluator loads file trees of one fleet, with the help of the cache and a sandbox.
type evaluator struct {
	app     *app
	options schema.Options
	kept    *cache.Store // nil where there is nowhere to keep evaluations
}

func (a *app) newEvaluator(fleet string) (*evaluator, error) {
	executable, err := a.executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	e := &evaluator{app: a, kept: a.openCache(fleet)}
	e.options = schema.Options{
		Sandbox:  schema.NewSandbox(runtime.GOMAXPROCS(0), executable, evaluateArg),
		Identity: a.identity(executable), Keys: seal.KeyNames,
	}
	if e.kept != nil {
		e.options.Cache = e.kept
	}
	return e, nil
}

func (e *evaluator) load(ctx context.Context, files fs.FS) (*schema.Fleet, error) {
	fleet, err := schema.Load(ctx, files, e.options)
	if err == nil {
		e.app.log().Debug("evaluated", "tenants", len(fleet.Tenants), "anew", fleet.Evaluated)
	}
	return fleet, err
}

// close ends the sandbox, and keeps what was evaluated.
func (e *evaluator) close() {
	e.options.Sandbox.Close()
	if e.kept == nil {
		return
	}
	if err := e.kept.Flush(); err != nil {
		e.app.log().Warn("the evaluation cache is not kept", "error", err)
	}
}

// openCache opens the evaluations that are kept of a fleet; nil where there is
// nowhere to keep them.
func (a *app) openCache(fleet string) *cache.Store {
	dir, err := a.cacheDir()
	if err != nil {
		return nil
	}
	path, err := filepath.Abs(fleet)
	if err != nil {
		return nil
	}
	name := schema.KeyOf(path)
	store, err := cache.Open(filepath.Join(dir, "charter", "evaluations", fmt.Sprintf("%x", name[:8])))
	if err != nil {
		a.log().Warn("the evaluation cache cannot be read", "error", err)
		return nil
	}
	return store
}

// ehrFlags name a platform and how to ask it.
type ehrFlags struct {
	url, tokenFile string
	parallelism    int
	maxRPS         float64
	timeout        time.Duration
}

func (f *ehrFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "ehr", "", "the platform's `URL`; the token goes there and nowhere else")
	flags.StringVar(&f.tokenFile, "token-file", "", "a `FILE` that holds the platform's token (or the variable CHARTER_TOKEN)")
	flags.IntVar(&f.parallelism, "parallelism", 10, "how many requests are under way at once")
	flags.Float64Var(&f.maxRPS, "max-rps", 0, "the most requests a second; 0 is no bound")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long one try of one request may take")
}

// client returns a client for the platform. declared is the URL that the fleet
// declares for the environment, or "": a token is never sent to another one.
func (f *ehrFlags) client(a *app, declared string) (*ehr.Client, error) {
	switch {
	case f.url == "":
		hint := ""
		if declared != "" {
			hint = "environments.cue declares " + declared + "; charter asks to be told, as the token goes there"
		}
		return nil, failHint(exitUsage, hint, "no platform: give --ehr URL or CHARTER_EHR")
	case f.parallelism < 1 || f.parallelism > 1000:
		return nil, fail(exitUsage, "--parallelism %d: want 1 to 1000", f.parallelism)
	case f.maxRPS < 0 || f.timeout <= 0:
		return nil, fail(exitUsage, "--max-rps and --timeout must not be negative, and --timeout not 0")
	}
	token, err := f.token(a)
	if err != nil {
		return nil, err
	}
	return f.clientOf(a, declared, token)
}

// clientOf is client with the token that was read: a file may be one that can be
// read only once.
func (f *ehrFlags) clientOf(a *app, declared, token string) (*ehr.Client, error) {
	client, err := ehr.New(ehr.Options{
		URL: f.url, Token: token, Parallelism: f.parallelism, MaxRPS: f.maxRPS, Timeout: f.timeout,
		UserAgent: "charter/" + version(), Proxy: http.ProxyFromEnvironment, Log: a.log(),
	})
	if err != nil {
		return nil, fail(exitUsage, "%w", err)
	}
	if declared != "" && !ehr.SameURL(declared, f.url) {
		return nil, failHint(exitTrust, "nothing was sent; correct --ehr, or environments.cue",
			"the platform given is %s, and environments.cue declares %s", client.URL(), declared)
	}
	return client, nil
}

const maxToken = 64 << 10

func (f *ehrFlags) token(a *app) (string, error) {
	token, _ := a.lookupEnv("CHARTER_TOKEN")
	if f.tokenFile != "" {
		data, err := readFile(f.tokenFile, maxToken)
		if err != nil {
			return "", fail(exitFailed, "token file: %w", err)
		}
		token = string(bytes.TrimSpace(data))
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fail(exitUsage, "the token holds a character that no token has")
	}
	return token, nil
}

// scopeFlags choose an environment, tenants of it, and a time.
type scopeFlags struct {
	env        string
	tenants    []string
	tenantFile string
	at         string
}

func (f *scopeFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	bindEnv(cmd, &f.env)
	flags.StringSliceVar(&f.tenants, "tenant", nil, "only the tenant of this `ID`; may be given again")
	flags.StringVar(&f.tenantFile, "tenant-file", "", "only the tenants whose ids are in `FILE`, one a line")
	bindAt(cmd, &f.at)
}

func bindEnv(cmd *cobra.Command, env *string) {
	cmd.Flags().StringVar(env, "env", catalog.DefaultEnvironment.String(), "the `NAME` of the environment")
}

func bindAt(cmd *cobra.Command, at *string) {
	cmd.Flags().StringVar(at, "at", "", "judge dates as of a `TIME`: 2027-03-01 or RFC 3339")
}

// parseAt gives the time that dates are judged by.
func parseAt(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now.UTC().Truncate(time.Second), nil
	}
	return instant("--at", text)
}

// environment finds the environment that the flags name.
func (f *scopeFlags) environment(fleet *schema.Fleet) (catalog.ControlPlane, error) {
	name, err := catalog.ParseEnvironment(f.env)
	if err != nil {
		return catalog.ControlPlane{}, fail(exitUsage, "--env: %w", err)
	}
	environment, ok := fleet.Environment(name)
	if !ok {
		declared := []string{catalog.DefaultEnvironment.String()}
		if len(fleet.Environments) > 0 {
			declared = declared[:0]
		}
		for i := range fleet.Environments {
			declared = append(declared, fleet.Environments[i].Environment.String())
		}
		return catalog.ControlPlane{}, failHint(exitUsage, "it has "+strings.Join(declared, ", "), "--env %s: the fleet declares no such environment", name)
	}
	return environment, nil
}

// chosen reports whether the flags name tenants.
func (f *scopeFlags) chosen() bool { return len(f.tenants) > 0 || f.tenantFile != "" }

// of returns the tenants of a plan that the flags name, or nil for all.
func (f *scopeFlags) of(p *plan.Plan) (map[catalog.TenantID]bool, error) {
	wanted, err := f.wanted()
	if err != nil {
		return nil, err
	}
	for id := range wanted {
		if !p.Touches(id) {
			return nil, fail(exitUsage, "--tenant %s: the plan changes nothing of it", id)
		}
	}
	return wanted, nil
}

const maxTenantFile = 16 << 20

// choose returns the declared tenants of the environment, or those of them that
// the flags name.
func (f *scopeFlags) choose(fleet *schema.Fleet, environment catalog.Environment) ([]catalog.Declaration, error) {
	wanted, err := f.wanted()
	if err != nil {
		return nil, err
	}
	if wanted == nil {
		return slices.DeleteFunc(slices.Clone(fleet.Tenants), func(d catalog.Declaration) bool {
			return d.Environment != environment
		}), nil
	}
	var chosen []catalog.Declaration
	for id := range wanted {
		d := fleet.Tenant(id)
		switch {
		case d == nil:
			return nil, failHint(exitUsage, nearestTenant(fleet, id), "tenant %s is not declared", id)
		case d.Environment != environment:
			return nil, fail(exitUsage, "tenant %s is of environment %s, not %s", id, d.Environment, environment)
		}
		chosen = append(chosen, *d)
	}
	slices.SortFunc(chosen, func(a, b catalog.Declaration) int { return a.ID.Compare(b.ID) })
	return chosen, nil
}

func nearestTenant(fleet *schema.Fleet, id catalog.TenantID) string {
	names := func(yield func(string) bool) {
		for i := range fleet.Tenants {
			if !yield(fleet.Tenants[i].ID.String()) {
				return
			}
		}
	}
	if nearest := catalog.Nearest(id.String(), names); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	return ""
}

// wanted returns the tenants that the flags name; nil where they name none.
func (f *scopeFlags) wanted() (map[catalog.TenantID]bool, error) {
	names := slices.Clone(f.tenants)
	if f.tenantFile != "" {
		data, err := readFile(f.tenantFile, maxTenantFile)
		if err != nil {
			return nil, fail(exitFailed, "tenant file: %w", err)
		}
		names = append(names, strings.Fields(string(data))...)
	}
	switch {
	case len(names) == 0 && f.tenantFile == "":
		return nil, nil
	case len(names) == 0:
		return nil, fail(exitUsage, "tenant file %s names no tenant", f.tenantFile)
	}
	wanted := map[catalog.TenantID]bool{}
	for _, name := range names {
		id, err := catalog.ParseTenantID(name)
		if err != nil {
			return nil, fail(exitUsage, "%w", err)
		}
		wanted[id] = true
	}
	return wanted, nil
}

// outputFlag is the format of a result.
type outputFlag struct {
	value   string
	formats []string
}

func (f *outputFlag) bind(cmd *cobra.Command, formats ...string) {
	f.formats = formats
	cmd.Flags().VarP(f, "output", "o", "the `FORMAT` of the result: "+strings.Join(formats, ", "))
	f.value = formats[0]
	// It fails only for a flag that is not there or has one already.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// String implements pflag.Value.
func (f *outputFlag) String() string { return f.value }

// Type implements pflag.Value.
func (f *outputFlag) Type() string { return "format" }

// Set implements pflag.Value.
func (f *outputFlag) Set(value string) error {
	if !slices.Contains(f.formats, value) {
		return fmt.Errorf("want %s", strings.Join(f.formats, ", "))
	}
	f.value = value
	return nil
}
