package plan

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// steps plans everything of one tenant, each step as the earlier ones leave the
// platform.
func (b *Builder) steps(p *Part, t *catalog.Tenant, live Live) error {
	if err := b.record(p, t, live); err != nil {
		return err
	}
	if err := b.licence(p, t, live); err != nil {
		return err
	}
	made, err := b.provision(p, t, live)
	if err != nil {
		return err
	}
	if err := b.sites(p, t, live.Facilities); err != nil {
		return err
	}
	b.entitlements(p, t, live, made)
	if err := b.connect(p, t, live.Instruments); err != nil {
		return err
	}
	return b.admins(p, t, live.Admins)
}

// send adds a batch that sends a request.
func (b *Builder) send(p *Part, subject Subject, r *Request, base *Base, changes ...Change) error {
	batch := Batch{Base: base, Changes: changes, Request: r, Subject: subject, Tenant: p.tenant}
	for i := range changes {
		changes[i].Class = Pending
		if changes[i].Routes == nil {
			changes[i].Routes = []string{}
		}
	}
	lines, err := r.lines(b.environment.String(), p.tenant, subject, base)
	if err != nil {
		return err
	}
	batch.Digest = lines.Digest()
	p.batches = append(p.batches, batch)
	return nil
}

// at is the reason of a change that a declaration asks for.
func (b *Builder) at(code Code, text string, pos catalog.Position) Reason {
	return Reason{Code: code, Commit: b.commit, File: pos.File, Line: pos.Line, Text: text}
}

// record creates the tenant, or corrects what the platform has of it.
func (b *Builder) record(p *Part, t *catalog.Tenant, live Live) error {
	want := t.Live()
	if live.Absent {
		changes := because(b.at(New, "the platform does not have the tenant", t.Pos), tenantCreated(want))
		return b.send(p, Tenant, newRequest(http.MethodPost, "/tenants", want), nil, changes...)
	}
	if live.Tenant == nil || *live.Tenant == want {
		return nil
	}
	base, err := ContentOf(live.Tenant)
	if err != nil {
		return err
	}
	changes := because(b.at(Changed, "declared so", t.Pos), tenantAltered(*live.Tenant, want)...)
	return b.send(p, Tenant, newRequest(http.MethodPut, "/tenants/"+p.tenant, want), base, changes...)
}

// ProvisionBody asks for sites and accounts.
type ProvisionBody struct {
	Edition    string                 `json:"edition"`
	Facilities []catalog.LiveFacility `json:"facilities"`
	Staff      []Account              `json:"staff"`
}

// Account is one of somebody's at a site, made with it.
type Account struct {
	Email    string `json:"email"`
	Facility string `json:"facility"`
	Name     string `json:"name"`
	Role     string `json:"role"`
}

// provision makes the sites that are declared and that the platform has not, with
// the accounts that belong to them, and gives the rows that come with them; nil
// where there is no site to make. What is there is never provisioned again:
// accounts belong to the customer.
func (b *Builder) provision(p *Part, t *catalog.Tenant, live Live) (catalog.Rows, error) {
	if live.Facilities == nil {
		return nil, nil // nobody knows what is there
	}
	body := ProvisionBody{Edition: t.Edition.String(), Staff: []Account{}}
	var changes []Change
	rows := catalog.Rows{}
	for i := range t.Facilities {
		f := &t.Facilities[i]
		if f.Closed.ClosedAt(b.plan.At) || t.Closed.ClosedAt(b.plan.At) || hasSite(live.Facilities, f.ID) {
			continue
		}
		body.Facilities = append(body.Facilities, f.Live())
		changes = append(changes, because(b.at(New, "the platform does not have the facility", f.Pos), siteCreated(f.Live(), body.Edition))...)
		for index := range b.catalog.Edition(t.Edition).Set().All() {
			rows = append(rows, catalog.Row{Facility: f.ID, Module: b.catalog.Module(index).EHR})
			c := b.change(t, f, index, Grant, b.plan.At)
			c.Reason = b.at(New, "edition "+t.Edition.String()+", with the facility", f.Pos)
			changes = append(changes, c)
		}
	}
	if len(body.Facilities) == 0 {
		return nil, nil
	}
	for _, s := range t.Staff {
		if !slices.ContainsFunc(body.Facilities, func(f catalog.LiveFacility) bool { return f.ID == s.Facility.String() }) {
			continue
		}
		account := Account{s.Email, s.Facility.String(), s.Name, s.Role}
		body.Staff = append(body.Staff, account)
		changes = append(changes, because(b.at(New, "made with its facility", s.Pos), accountCreated(account))...)
	}
	sortOnboarding(changes)
	base, err := ProvisionBase(live.Facilities)
	if err != nil {
		return nil, err
	}
	return catalog.NewRows(rows), b.send(p, Provision, newRequest(http.MethodPost, "/tenants/"+p.tenant+"/provision", body), base, changes...)
}

func hasSite(live []catalog.LiveFacility, id catalog.FacilityID) bool {
	return slices.ContainsFunc(live, func(f catalog.LiveFacility) bool { return f.ID == id.String() })
}

// ProvisionBase is the base of a tenant's provision: the sites that are there.
func ProvisionBase(live []catalog.LiveFacility) (*Base, error) {
	ids := make([]string, len(live))
	for i := range live {
		ids[i] = live[i].ID
	}
	slices.Sort(ids)
	return ContentOf(ids)
}

// sortOnboarding orders by facility, the facility itself first, then its
// accounts, then its rows.
func sortOnboarding(changes []Change) {
	rank := func(c Change) int { return slices.Index([]string{string(Facility), kindStaff, KindRow}, c.Kind) }
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(strings.Compare(a.Facility, b.Facility), rank(a)-rank(b), strings.Compare(a.Key, b.Key), strings.Compare(a.Module, b.Module))
	})
}

// sites corrects the names and sizes of sites that are there.
func (b *Builder) sites(p *Part, t *catalog.Tenant, live []catalog.LiveFacility) error {
	for i := range t.Facilities {
		f := &t.Facilities[i]
		at := slices.IndexFunc(live, func(l catalog.LiveFacility) bool { return l.ID == f.ID.String() })
		if at < 0 || live[at] == f.Live() || f.Closed.ClosedAt(b.plan.At) || t.Closed.ClosedAt(b.plan.At) {
			continue
		}
		base, err := ContentOf(live[at])
		if err != nil {
			return err
		}
		changes := because(b.at(Changed, "declared so", f.Pos), siteAltered(live[at], f.Live())...)
		path := "/tenants/" + p.tenant + "/facilities/" + f.ID.String()
		if err := b.send(p, Facility, newRequest(http.MethodPut, path, f.Live()), base, changes...); err != nil {
			return err
		}
	}
	return nil
}

// ConnectBody says which instruments are licensed: just these.
type ConnectBody struct {
	Instruments []Instrument `json:"instruments"`
}

// Instrument is one of the platform's instruments, for a tenant.
type Instrument struct {
	Key      string `json:"key"`
	Licensed bool   `json:"licensed"`
}

// Licensed returns the keys of the licensed instruments, sorted.
func (c *ConnectBody) Licensed() []string {
	return slices.Sorted(slices.Values(c.licensed()))
}

// licensed returns them in the order of the body.
func (c *ConnectBody) licensed() []string {
	keys := []string{}
	for _, i := range c.Instruments {
		if i.Licensed {
			keys = append(keys, i.Key)
		}
	}
	return keys
}

// connect makes the licensed instruments those that are declared.
func (b *Builder) connect(p *Part, t *catalog.Tenant, live []string) error {
	if live == nil {
		p.offered(len(t.Connect) == 0, "instruments")
		return nil
	}
	body := ConnectBody{Instruments: []Instrument{}}
	reasons := map[string]Reason{}
	for _, c := range t.Connect {
		body.Instruments = append(body.Instruments, Instrument{c.Instrument.String(), true})
		reasons[c.Instrument.String()] = b.at(New, c.Reason, c.Pos)
	}
	changes := instrumentsAltered(live, body.licensed())
	if len(changes) == 0 {
		return nil
	}
	for i := range changes {
		c := &changes[i]
		c.Reason = reasons[c.Key]
		if c.Action == Revoke {
			c.Reason = b.at(Changed, "not declared", t.Pos)
		}
	}
	base, err := ContentOf(live)
	if err != nil {
		return err
	}
	return b.send(p, Connect, newRequest(http.MethodPut, "/tenants/"+p.tenant+"/connect-entitlements", body), base, changes...)
}

// AdminBody asks for an invitation.
type AdminBody struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

// AdminWithdrawn is the state of an administrator who was withdrawn.
const AdminWithdrawn = "withdrawn"

// admins invites those who were never invited, and withdraws by tombstone alone.
// One that is there, in whatever state, is left as it is.
func (b *Builder) admins(p *Part, t *catalog.Tenant, live []catalog.LiveAdmin) error {
	if live == nil {
		p.offered(len(t.Admins) == 0, "administrators")
		return nil
	}
	path := "/tenants/" + p.tenant + "/tenant-admins"
	for _, a := range t.Admins {
		at := slices.IndexFunc(live, func(l catalog.LiveAdmin) bool { return catalog.SameEmail(l.Email, a.Email) })
		var err error
		switch {
		case a.Withdrawn == "" && at < 0 && !t.Closed.ClosedAt(b.plan.At):
			body := AdminBody{a.Email, a.Name}
			err = b.send(p, Admin, newRequest(http.MethodPost, path, body), nil, because(b.at(New, "never invited", a.Pos), adminInvited(body))...)
		case a.Withdrawn != "" && at >= 0 && live[at].State != AdminWithdrawn:
			var base *Base
			if base, err = AdminBase(live[at]); err != nil {
				return err
			}
			changes := because(b.at(Tombstone, a.Withdrawn, a.Pos), adminWithdrawn(live[at].Email, live[at].State))
			err = b.send(p, Admin, newRequest(http.MethodDelete, path+"/"+url.PathEscape(live[at].Email), struct{}{}), base, changes...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// AdminBase is the base of a change of an administrator who is there.
func AdminBase(a catalog.LiveAdmin) (*Base, error) {
	return ContentOf(struct {
		Email string `json:"email"`
		State string `json:"state"`
	}{a.Email, a.State})
}

// offered refuses what is declared of a kind that nothing is known of.
func (p *Part) offered(nothingDeclared bool, what string) {
	if !nothingDeclared {
		p.refuse("", NotOffered, "the platform does not say what "+what+" the tenant has")
	}
}
