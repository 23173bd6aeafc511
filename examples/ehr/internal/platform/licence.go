package platform

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/licence"
)

// LicenceState is what a licence allows at the moment.
type LicenceState string

// The states of a licence.
const (
	LicenceIssued    LicenceState = "issued"    // no box has activated it
	LicenceActive    LicenceState = "active"    // one has
	LicenceSuspended LicenceState = "suspended" // by billing, which can lift it
	LicenceRevoked   LicenceState = "revoked"   // for good; its deployment is locked
)

// LicenceSpec is what a client says about a licence that it issues.
type LicenceSpec struct {
	Tenant catalog.TenantID `json:"tenant"`
	// Modules are the rows that the deployment may have, and when. Left out, they
	// are the tenant's rows in force.
	Modules   []licence.Module `json:"modules"`
	Limits    *Limits          `json:"limits"`     // left out, those of the tenant's edition
	NotBefore *time.Time       `json:"not_before"` // left out, now
	Expires   *time.Time       `json:"expires"`    // required
}

// Licence is a licence as it is answered.
type Licence struct {
	ID        string           `json:"id"` // TENANT.DIGITS
	Tenant    catalog.TenantID `json:"tenant"`
	State     LicenceState     `json:"state"`
	Token     string           `json:"token"`   // a secret
	Modules   []licence.Module `json:"modules"` // sorted
	Limits    Limits           `json:"limits"`
	NotBefore time.Time        `json:"not_before"`
	Expires   time.Time        `json:"expires"`
}

// licenceRecord is a licence as it is stored.
type licenceRecord struct {
	ID          string           `json:"id"`
	Tenant      catalog.TenantID `json:"tenant"`
	Modules     []licence.Module `json:"modules"`
	Limits      Limits           `json:"limits"`
	NotBefore   time.Time        `json:"not_before"`
	Expires     time.Time        `json:"expires"`
	IssuedAt    time.Time        `json:"issued_at"`
	Fingerprint string           `json:"fingerprint"` // of the only box that may activate it; "" for any
	Activated   bool             `json:"activated"`
	Revoked     bool             `json:"revoked"`
}

func (l *licenceRecord) state(t *tenantRecord) LicenceState {
	switch {
	case l.Revoked:
		return LicenceRevoked
	case !l.Activated:
		return LicenceIssued
	case t.Billing == Suspended:
		return LicenceSuspended
	}
	return LicenceActive
}

// licenceDigits is how many hex digits a licence's id ends in.
const licenceDigits = 12

// parseLicenceID returns the key of a licence's record.
func parseLicenceID(id string) (tenant catalog.TenantID, key string, ok bool) {
	name, digits, _ := strings.Cut(id, ".")
	tenant, err := catalog.ParseTenantID(name)
	return tenant, below(tenant, digits), err == nil && len(digits) == licenceDigits
}

// licenceOf returns a licence and its tenant, or a Refusal with NotFound.
func licenceOf(v View, id string) (*licenceRecord, *tenantRecord, error) {
	var l licenceRecord
	owner, key, ok := parseLicenceID(id)
	if !ok {
		return nil, nil, refuse(NotFound, "licence %.100q", id)
	}
	found, err := get(v, Licences, key, &l)
	switch {
	case err != nil:
		return nil, nil, err
	case !found:
		return nil, nil, refuse(NotFound, "licence %q", id)
	}
	t, err := tenant(v, owner)
	return &l, t, err
}

func (l *licenceRecord) put(tx Tx, m moment) error {
	_, key, _ := parseLicenceID(l.ID)
	_, err := put(tx, m, Licences, key, l)
	return err
}

// answer is the licence as a client reads it, its token with it.
func (p *Platform) licenceAnswer(v View, l *licenceRecord, t *tenantRecord) (jsontext.Value, error) {
	token, err := p.token(v, l)
	if err != nil {
		return nil, err
	}
	return json.Marshal(Licence{
		ID: l.ID, Tenant: l.Tenant, State: l.state(t), Token: token,
		Modules: l.Modules, Limits: l.Limits, NotBefore: l.NotBefore, Expires: l.Expires,
	})
}

// token is the licence's token as things stand: that of an activated one bears
// how long it lets its box run without a heartbeat.
func (p *Platform) token(v View, l *licenceRecord) (string, error) {
	limits, err := json.Marshal(l.Limits)
	if err != nil {
		return "", err
	}
	terms, err := licence.Terms{Limits: limits, Modules: l.Modules}.Digest()
	if err != nil {
		return "", err
	}
	claims := licence.Claims{
		Expires: l.Expires, Fingerprint: l.Fingerprint, Instance: p.instance, IssuedAt: l.IssuedAt,
		Licence: l.ID, NotBefore: l.NotBefore, Tenant: l.Tenant, Terms: terms,
	}
	if l.Activated {
		d, err := deploymentOf(v, l.Tenant)
		if err != nil {
			return "", err
		}
		until := d.HeartbeatAt.Add(p.grace)
		claims.OfflineUntil = &until
	}
	return p.key.Mint(claims)
}

// LicenceKey is what opens the platform's tokens.
func (p *Platform) LicenceKey() licence.PublicKey { return p.key.Public() }

// Licences returns a page of the licences, by tenant; of one tenant's where one is
// given.
func (p *Platform) Licences(ctx context.Context, of catalog.TenantID, ask PageRequest) (Page, error) {
	prefix := ""
	if !of.IsZero() {
		prefix = below(of, "")
	}
	list := records(Licences, prefix)
	list.show = func(v View, stored Record) (jsontext.Value, error) {
		var l licenceRecord
		if err := json.Unmarshal(stored.Body, &l); err != nil {
			return nil, err
		}
		t, err := tenant(v, l.Tenant)
		if err != nil {
			return nil, err
		}
		return p.licenceAnswer(v, &l, t)
	}
	return p.list(ctx, list, ask)
}

// IssueLicence issues a licence to a tenant. Where the tenant's deployment runs by
// another one already, it goes on doing so until this one is activated, which its
// next heartbeat asks it for.
func (p *Platform) IssueLicence(ctx context.Context, w Write, spec LicenceSpec) (Answer, error) {
	l, err := p.newLicence(spec)
	if err != nil {
		return Answer{}, err
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		t, err := known(tx, spec.Tenant)
		if err != nil {
			return change{}, err
		}
		if err := p.approvedIssue(tx, m, w, t.ID); err != nil {
			return change{}, err
		}
		if err := l.fill(tx, t, spec); err != nil {
			return change{}, err
		}
		if err := t.offerLicence(tx, m, l.ID); err != nil {
			return change{}, err
		}
		if _, err := put(tx, m, Tenants, t.ID.String(), t); err != nil {
			return change{}, err
		}
		return p.putLicence(tx, m, l, t, "license.issue")
	})
}

// known returns the tenant that a body names, or a Refusal with UnknownTenant.
func known(tx Tx, id catalog.TenantID) (*tenantRecord, error) {
	t, err := tenant(tx, id)
	if isNotFound(err) {
		return nil, refuse(UnknownTenant, "tenant %q", id)
	}
	return t, err
}

// putLicence stores a licence and returns the change that this is.
func (p *Platform) putLicence(tx Tx, m moment, l *licenceRecord, t *tenantRecord, event string) (change, error) {
	if err := l.put(tx, m); err != nil {
		return change{}, err
	}
	body, err := p.licenceAnswer(tx, l, t)
	return change{
		event: event, subject: t.ID.String(),
		answer: Answer{Created: event == "license.issue", Body: body},
	}, err
}

// newLicence returns the licence that a spec asks for, as far as it does not
// depend on the tenant.
func (p *Platform) newLicence(spec LicenceSpec) (*licenceRecord, error) {
	if err := checkID("tenant", spec.Tenant); err != nil {
		return nil, err
	}
	now := p.now().UTC().Truncate(time.Millisecond)
	l := &licenceRecord{
		ID:     spec.Tenant.String() + "." + hex.EncodeToString(random(licenceDigits/2)),
		Tenant: spec.Tenant, IssuedAt: now, NotBefore: now,
	}
	if spec.NotBefore != nil {
		l.NotBefore = spec.NotBefore.UTC()
	}
	if spec.Expires == nil {
		return nil, refuse(Invalid, "expires: missing")
	}
	if l.Expires = spec.Expires.UTC(); !l.Expires.After(l.NotBefore) {
		return nil, refuse(Invalid, "expires: is not after not_before")
	}
	if spec.Limits != nil {
		if err := spec.Limits.check(); err != nil {
			return nil, err
		}
		l.Limits = *spec.Limits
	}
	modules, err := p.checkModules(spec.Modules)
	l.Modules = modules
	return l, err
}

// checkModules returns a licence's modules sorted, in UTC. It does not ask for the
// facilities to be there: a licence is issued before its tenant is provisioned.
func (p *Platform) checkModules(modules []licence.Module) ([]licence.Module, error) {
	for i := range modules {
		m := &modules[i]
		if m.Facility.IsZero() || m.Module.IsZero() {
			return nil, refuse(Invalid, "modules/%d: want a facility and a module", i)
		}
		if _, known := p.catalog.FromEHR(m.Module); !known {
			return nil, refuse(UnknownModule, "module %q", m.Module)
		}
		m.From, m.Until = inUTC(m.From), inUTC(m.Until)
		if m.From != nil && m.Until != nil && !m.Until.After(*m.From) {
			return nil, refuse(Invalid, "modules/%d: until is not after from", i)
		}
	}
	slices.SortFunc(modules, compareModules)
	for i := 1; i < len(modules); i++ {
		if compareModules(modules[i-1], modules[i]) == 0 {
			return nil, refuse(Invalid, "modules: %s at %s stands twice from one time on", modules[i].Module, modules[i].Facility)
		}
	}
	return modules, nil
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}

func compareModules(a, b licence.Module) int {
	return cmp.Or(a.Facility.Compare(b.Facility), a.Module.Compare(b.Module), compareTimes(a.From, b.From))
}

// compareTimes orders times, the beginning of time first.
func compareTimes(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Compare(*b)
}

// fill puts in what the spec leaves to the tenant.
func (l *licenceRecord) fill(tx Tx, t *tenantRecord, spec LicenceSpec) error {
	if spec.Limits == nil {
		e, err := edition(tx, t.Edition)
		if err != nil {
			return err
		}
		l.Limits = e.Limits
	}
	if spec.Modules != nil {
		return nil
	}
	grant, err := tx.Grant(t.ID)
	if err != nil {
		return err
	}
	rows, err := grant.rows()
	l.Modules = []licence.Module{}
	for _, row := range rows {
		l.Modules = append(l.Modules, licence.Module{Facility: row.Facility, Module: row.Module})
	}
	return err
}
