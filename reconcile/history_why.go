package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/ehr"
	"github.com/veonahealth/charter/reconcile/ledger"
	"github.com/veonahealth/charter/reconcile/source"
)

// Proof says whether a step of the way back from a row holds.
type Proof struct {
	Text     string `json:"text"` // what was found; "" where there is nothing to add
	Verified bool   `json:"verified"`
}

// Why is why a facility holds a module, or does not: what is declared, who
// brought it, what receipt carried it out, and what is live.
type Why struct {
	// Command would have the facility hold the module; "" where it does, or where
	// none would do it: a tombstone is taken out by hand, and a grant that is to
	// begin begins by itself.
	Command   string   `json:"command"`
	Declared  Declared `json:"declared"`
	EHRModule string   `json:"ehr_module"` // the module in the platform's words
	Facility  string   `json:"facility"`
	Held      []string `json:"held"`    // the holds that keep the row as it is live, in sentences
	Live      *LiveRow `json:"live"`    // null where no platform was asked
	Missing   []string `json:"missing"` // modules that it requires and the facility does not hold
	Module    string   `json:"module"`
	Tenant    string   `json:"tenant"`
	Written   *Written `json:"written"` // null where no receipt wrote the row, or no ledger is founded

	cause    catalog.Cause
	facility *catalog.Facility
}

// Declared is what a commit says of a row.
type Declared struct {
	plan.Reason
	Brought []Brought `json:"brought"` // the commits of its lines, newest first
	Held    bool      `json:"held"`
}

// Brought is the commit that a line of a declaration came with.
type Brought struct {
	Author  string    `json:"author"`
	Commit  string    `json:"commit"` // "" where it was not found
	File    string    `json:"file"`
	Line    int       `json:"line"`
	Signer  string    `json:"signer"` // the person who signed it; "" for nobody whom the policy knows
	Subject string    `json:"subject"`
	When    time.Time `json:"when"` // as its committer says
	Proof
}

// Written is the newest receipt that wrote a row, or found it as it was to be.
type Written struct {
	Action    plan.Action  `json:"action"`
	Approvers []string     `json:"approvers"` // whose approvals the policy of the day counted for it
	Authority Proof        `json:"authority"` // whether those were enough
	By        string       `json:"by"`
	Commit    string       `json:"commit"`
	Confirmed int          `json:"confirmed"` // the number of the newest receipt that found it so already; 0 for none
	Glass     []Glass      `json:"glass"`     // who broke a brake's glass for it
	Number    int          `json:"number"`
	Plan      string       `json:"plan"`
	Reason    plan.Reason  `json:"reason"` // as the plan gave it
	Receipt   string       `json:"receipt"`
	Revision  int64        `json:"revision"` // of the platform, that it led to; 0 where unknown
	State     ledger.State `json:"state"`
	When      time.Time    `json:"when"`
}

// LiveRow is a row as the platform has it.
type LiveRow struct {
	By       string `json:"by"` // who wrote the tenant's grant last
	Held     bool   `json:"held"`
	Receipt  string `json:"receipt"` // that the newest write named; "" for none
	Revision int64  `json:"revision"`
	Proof
}

// WhyRequest says of what to tell why.
type WhyRequest struct {
	Repo     *source.Repository
	Desired  *catalog.Desired
	Commit   string // that Desired is of
	Tenant   *catalog.Tenant
	Facility catalog.FacilityID // zero: all of the tenant's
	Module   *catalog.Module
	At       time.Time
	Now      time.Time
	Platform EHR         // nil: it is not asked
	Ledger   *Governance // nil: none is founded
}

// farBack is how many commits are looked at for who brought a line.
const farBack = 10_000

// ExplainRow tells why facilities of a tenant hold a module, or do not.
func ExplainRow(ctx context.Context, r WhyRequest) ([]Why, error) {
	live, err := r.live(ctx)
	if err != nil {
		return nil, err
	}
	var list []Why
	lines := map[catalog.Position]Brought{}
	for i := range r.Tenant.Facilities {
		f := &r.Tenant.Facilities[i]
		if !r.Facility.IsZero() && f.ID != r.Facility {
			continue
		}
		w := r.declared(f)
		for _, at := range r.places(&w) {
			if _, known := lines[at]; !known {
				if lines[at], err = r.brought(ctx, at); err != nil {
					return nil, err
				}
			}
			w.Declared.Brought = append(w.Declared.Brought, lines[at])
		}
		slices.SortStableFunc(w.Declared.Brought, func(a, b Brought) int { return b.When.Compare(a.When) })
		if r.Ledger != nil {
			if w.Written, err = r.Ledger.written(ctx, &w); err != nil {
				return nil, err
			}
		}
		if live != nil {
			w.Live = r.row(live, &w)
		}
		list = append(list, w)
	}
	return list, nil
}

// live asks the platform for the tenant's grant; one that it does not have holds
// nothing.
func (r *WhyRequest) live(ctx context.Context) (*catalog.Grant, error) {
	if r.Platform == nil {
		return nil, nil
	}
	grant, err := r.Platform.Grant(ctx, r.Tenant.ID)
	if ehr.IsNotFound(err) {
		return &catalog.Grant{Tenant: r.Tenant.ID}, nil
	}
	return &grant, err
}

// declared tells what the commit says of the row.
func (r *WhyRequest) declared(f *catalog.Facility) Why {
	c, t := r.Desired.Catalog, r.Tenant
	w := Why{
		EHRModule: r.Module.EHR.String(), Facility: f.ID.String(), Held: []string{}, Missing: []string{}, Module: r.Module.Key.String(), Tenant: t.ID.String(),
		cause: c.Cause(t, f, r.Module.Key, r.At), facility: f,
	}
	w.Declared = Declared{Brought: []Brought{}, Held: w.cause.Held, Reason: plan.Explain(c, r.Commit, t, f, r.Module.Key, r.At)}
	if g := begins(r.Module.Key, r.At, f.Grants, t.Grants); g != nil && !w.cause.Held && w.cause.Adjustment == nil && w.cause.Tombstone == nil {
		w.Declared.Code, w.Declared.Text = plan.GrantBegins, "granted from "+catalog.FormatTime(g.From)+": "+g.Reason
		w.Declared.File, w.Declared.Line = g.Pos.File, g.Pos.Line
	}
	w.Command = r.command(&w)
	for i := range r.Desired.Holds {
		if h := &r.Desired.Holds[i]; h.Tenant == t.ID && h.Covers(f.ID, r.Module.Key) && r.At.Before(h.Until) {
			w.Held = append(w.Held, fmt.Sprintf("hold %s of %s, until %s: %s (%s)", h.Key, h.Owner, catalog.FormatTime(h.Until), h.Reason, h.Pos))
		}
	}
	holds := c.Holds(t, f, r.At)
	for _, index := range r.Module.Needs() {
		if !holds.Has(index) {
			w.Missing = append(w.Missing, c.Module(index).Key.String())
		}
	}
	return w
}

// begins is a grant of a module that is still to come; nil for none.
func begins(module catalog.ModuleKey, at time.Time, lists ...[]catalog.Adjustment) *catalog.Adjustment {
	for _, list := range lists {
		for i := range list {
			if list[i].Module == module && at.Before(list[i].From) {
				return &list[i]
			}
		}
	}
	return nil
}

func (r *WhyRequest) command(w *Why) string {
	if w.Declared.Held || w.cause.Tombstone != nil || w.Declared.Code == plan.GrantBegins {
		return ""
	}
	ended := func(list []catalog.Adjustment) bool {
		return slices.ContainsFunc(list, func(a catalog.Adjustment) bool { return a.Module == r.Module.Key })
	}
	facility := w.Tenant + "/" + w.Facility
	switch {
	case ended(w.facility.Grants):
		return "charter extend " + facility + " " + w.Module + " --until DATE"
	case w.cause.Origin == catalog.FromEdition && ended(r.Tenant.Grants):
		return "charter extend " + w.Tenant + " " + w.Module + " --until DATE"
	case r.Facility.IsZero() && w.cause.Origin != catalog.FromFacility:
		return "charter grant " + w.Tenant + " " + w.Module + " --reason WHY"
	}
	return "charter grant " + facility + " " + w.Module + " --reason WHY"
}

// places are the lines that decide of a row: what says it, and for what an edition
// gives also the line of the catalogue that names the module.
func (r *WhyRequest) places(w *Why) []catalog.Position {
	list := []catalog.Position{{File: w.Declared.File, Line: w.Declared.Line}}
	if w.cause.Origin != catalog.FromEdition || !w.cause.Held {
		return list
	}
	at := r.Desired.Catalog.Edition(r.Tenant.Edition).Pos
	commit, err := r.Repo.Resolve(r.Commit)
	if err != nil || at.IsZero() {
		return list
	}
	data, err := r.Repo.Files(commit).ReadAt(at.File, plan.MaxSize)
	if err != nil {
		return list // the catalogue is charter's own
	}
	named := []byte(strconv.Quote(r.Module.Key.String()))
	for n, line := range bytes.Split(data, []byte("\n")) {
		if n+1 >= at.Line && bytes.Contains(line, named) {
			return append(list, catalog.Position{File: at.File, Line: n + 1})
		}
	}
	return append(list, catalog.Position{File: at.File, Line: at.Line})
}

// brought finds the commit that a line came with, and who signed it.
func (r *WhyRequest) brought(ctx context.Context, at catalog.Position) (Brought, error) {
	b := Brought{File: at.File, Line: at.Line}
	c, err := r.Repo.Brought(ctx, r.Commit, at.File, at.Line, farBack)
	var (
		far     *source.FarError
		shallow *source.ShallowError
	)
	switch {
	case errors.As(err, &far), errors.As(err, &shallow):
		b.Text = err.Error()
		return b, nil
	case err != nil:
		return b, fmt.Errorf("who brought %s: %w", at, err)
	}
	b.Author, b.Commit, b.Subject, b.When = c.Author.Name+" <"+c.Author.Email+">", c.Hash, firstLine(c.Message), c.When
	if r.Ledger == nil {
		b.Text = "no ledger is founded: whose signature counts, nobody has said"
		return b, nil
	}
	roster, err := r.Ledger.Roster(ctx)
	if err != nil {
		return b, err
	}
	person, err := roster.Commit(c.Object, r.Now)
	switch {
	case !c.Signed:
		b.Text = "nobody signed it; what counts are the approvals"
	case err != nil:
		b.Text = err.Error()
	default:
		b.Signer, b.Verified, b.Text = person.ID, true, "signed by "+person.ID
	}
	return b, nil
}

// written finds the newest receipt that wrote a row, or where none did the newest that
// found it as planned; nil for none.
func (g *Governance) written(ctx context.Context, w *Why) (*Written, error) {
	var already *Written
	for r, err := range g.receipts(w.Tenant) {
		switch {
		case err != nil:
			return nil, asTrust(err)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !mayWriteRows(r, w.Tenant):
			continue
		}
		changes, err := g.changes(r)
		if err != nil {
			return nil, asTrust(err)
		}
		for _, b := range r.Intent.Batches {
			result, of := r.Result(b.Digest)
			if b.Tenant != w.Tenant || b.At != nil || !of || result.State != ledger.Done && result.State != ledger.Already {
				continue
			}
			for i := range changes[b.Digest] {
				if c := &changes[b.Digest][i]; c.Kind == plan.KindRow && c.Facility == w.Facility && c.EHRModule == w.EHRModule {
					told, err := g.tellWritten(ctx, r, c, result)
					switch {
					case err != nil:
						return nil, err
					case already != nil && (already.Action != told.Action || told.State != ledger.Done):
						return already, nil
					case already != nil:
						told.Confirmed = already.Number
						return told, nil
					case told.State == ledger.Done:
						return told, nil
					}
					already = told
				}
			}
		}
	}
	return already, nil
}

// mayWriteRows reports whether a receipt wrote rows of a tenant, so that its plan
// is worth reading.
func mayWriteRows(r *ledger.Receipt, tenant string) bool {
	return r.Outcome != nil && slices.ContainsFunc(r.Intent.Batches, func(b ledger.Batch) bool {
		return b.Tenant == tenant && (b.Subject == plan.Entitlements || b.Subject == plan.Provision)
	})
}

func (g *Governance) tellWritten(ctx context.Context, r *ledger.Receipt, c *plan.Change, result ledger.Result) (*Written, error) {
	w := &Written{
		Action: c.Action, Approvers: []string{}, By: r.Intent.By.ID, Commit: r.Intent.Commit, Number: r.Number, Plan: r.Intent.Plan.String(),
		Reason: c.Reason, Receipt: r.ID.String(), Revision: result.Revision, State: result.State, When: r.Outcome.FinishedAt,
	}
	var err error
	if w.Glass, err = g.glassOf(ctx, r); err != nil {
		return nil, err
	}
	_, verdict, text, err := g.rejudge(ctx, r)
	if err != nil {
		return nil, err
	}
	if w.Authority.Text = text; text != "" {
		return w, nil
	}
	for i := range verdict.Units {
		u := &verdict.Units[i]
		if u.Digest != result.Digest {
			continue
		}
		for _, n := range u.Approvals {
			w.Approvers = append(w.Approvers, r.Intent.Approvals[n].By.ID)
		}
		if u.ByMandate {
			w.Authority.Text = "under a mandate"
		}
	}
	slices.Sort(w.Approvers)
	w.Approvers = slices.Compact(w.Approvers)
	if text := unauthorised(r, verdict); text != "" {
		w.Authority.Text = text
		return w, nil
	}
	w.Authority.Verified = true
	return w, nil
}

// row sets the live row beside what the ledger says of it.
func (r *WhyRequest) row(grant *catalog.Grant, w *Why) *LiveRow {
	l := &LiveRow{
		By: grant.By, Held: grant.Rows.Contains(catalog.Row{Facility: w.facility.ID, Module: r.Module.EHR}),
		Receipt: grant.Receipt, Revision: grant.Stamp.Revision,
	}
	if r.Ledger == nil {
		l.Text = "no ledger is founded: there is nothing to hold it against"
		return l
	}
	l.Text = r.Ledger.stranger(grant)
	granted := w.Written != nil && w.Written.Action == plan.Grant
	switch {
	case l.Text != "":
	case l.Held && !granted:
		l.Text = "it is live, and no receipt says that it was granted"
	case !l.Held && granted:
		l.Text = fmt.Sprintf("receipt %d granted it, and it is not live", w.Written.Number)
	default:
		l.Verified = true
	}
	return l
}
