package platform

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/licence"
	"github.com/veonahealth/charter/plan"
)

// Grace is how long a deployment may run without a heartbeat, unless the platform
// is told otherwise.
const Grace = 14 * 24 * time.Hour

// fresh is how old a heartbeat may be for its deployment to count as reachable.
const fresh = time.Hour

// deployment is what is known of a box. It is kept in its newest version alone: a
// heartbeat every few minutes is nothing that a listing has to show as it was.
type deployment struct {
	HeartbeatAt time.Time `json:"heartbeat_at,omitzero"` // the zero time where it was never heard of
	Enforced    *Enforced `json:"enforced"`              // what it said; null where it said nothing
	Offered     int64     `json:"offered"`               // the newest revision that it was given
}

func deploymentOf(v View, id catalog.TenantID) (d deployment, err error) {
	_, err = get(v, Deployments, id.String(), &d)
	return d, err
}

// unversioned is the seq of records of which only the newest version is kept.
const unversioned = 0

func (d *deployment) put(tx Tx, id catalog.TenantID) error {
	_, err := put(tx, moment{seq: unversioned}, Deployments, id.String(), d)
	return err
}

// offerLicence makes a new licence the one that the tenant's deployment runs by, or
// the next one, where it runs by another. One that was offered before and that no
// box has activated is void: only the newest may be.
func (t *tenantRecord) offerLicence(tx Tx, m moment, id string) error {
	next := &t.NextLicence
	if t.Licence == "" {
		next = &t.Licence
	} else if current, _, err := licenceOf(tx, t.Licence); err != nil {
		return err
	} else if !current.Activated {
		next = &t.Licence
	}
	before := *next
	*next = id
	if before == "" {
		return nil
	}
	return void(tx, m, before)
}

// void revokes a licence that another one replaces.
func void(tx Tx, m moment, id string) error {
	l, _, err := licenceOf(tx, id)
	if err != nil {
		return err
	}
	l.Revoked = true
	return l.put(tx, m)
}

// lockedAt reports whether a tenant's deployment must not run: its licence is
// revoked or has ended, or it was not heard of for longer than its grace.
func (p *Platform) lockedAt(v View, t *tenantRecord, now time.Time) (bool, error) {
	if t.Licence == "" {
		return false, nil
	}
	l, _, err := licenceOf(v, t.Licence)
	if err != nil || l.Revoked || !now.Before(l.Expires) {
		return err == nil, err
	}
	if !l.Activated {
		return false, nil
	}
	d, err := deploymentOf(v, t.ID)
	return now.After(d.HeartbeatAt.Add(p.grace)), err
}

// usable refuses a box that may not use its licence now.
func (l *licenceRecord) usable(now time.Time, fingerprint string) error {
	switch {
	case l.Revoked:
		return refuse(LicenceRevokedCode, "licence %s: is revoked", l.ID)
	case !now.Before(l.Expires):
		return refuse(LicenceExpired, "licence %s: has ended", l.ID)
	case now.Before(l.NotBefore):
		return refuse(LicenceNotBegun, "licence %s: has not begun", l.ID)
	case l.Fingerprint != "" && l.Fingerprint != fingerprint:
		return refuse(FingerprintMismatch, "licence %s: is bound to another box", l.ID)
	}
	return nil
}

// checkFingerprint refuses a text that names no box.
func checkFingerprint(text string) error { return checkName("fingerprint", text) }

// Activate binds a licence to the box with a fingerprint, on its first run. A box
// that has activated it already may do so again.
func (p *Platform) Activate(ctx context.Context, w Write, id, fingerprint string) (Answer, error) {
	if err := checkFingerprint(fingerprint); err != nil {
		return Answer{}, err
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		l, t, err := licenceOf(tx, id)
		if err != nil {
			return change{}, err
		}
		now := p.now().UTC()
		if err := l.usable(now, fingerprint); err != nil {
			return change{}, err
		}
		l.Fingerprint, l.Activated = fingerprint, true
		if err := t.runBy(tx, m, l); err != nil {
			return change{}, err
		}
		d, err := deploymentOf(tx, t.ID)
		if err != nil {
			return change{}, err
		}
		d.HeartbeatAt = now
		if err := d.put(tx, t.ID); err != nil {
			return change{}, err
		}
		return p.putLicence(tx, m, l, t, "license.activate")
	})
}

// runBy makes a licence the one that the tenant's deployment runs by. The one
// before is revoked: two boxes must not run by two licences.
func (t *tenantRecord) runBy(tx Tx, m moment, l *licenceRecord) error {
	if t.Licence != l.ID {
		if err := void(tx, m, t.Licence); err != nil {
			return err
		}
		t.Licence = l.ID
	}
	if t.NextLicence == l.ID {
		t.NextLicence = ""
	}
	_, err := put(tx, m, Tenants, t.ID.String(), t)
	return err
}

// Heartbeat is what a box says of itself.
type Heartbeat struct {
	Fingerprint string `json:"fingerprint"`
	// EnforcedRevision is the grant that the box's routes answer by; null where
	// it has none yet.
	EnforcedRevision *int64 `json:"enforced_revision"`
}

// Directive tells a box what to do beside enforcing its grant.
type Directive struct {
	Do      string `json:"do"`               // "suspend": answer 403; "renew": activate another licence
	Licence string `json:"licence,omitzero"` // the one to activate, with "renew"
	Token   string `json:"token,omitzero"`   // its token, with "renew"
}

// heartbeatAnswer is what a box is told.
type heartbeatAnswer struct {
	Token      string         `json:"token"` // lets it run for another grace
	Grant      jsontext.Value `json:"grant"` // what to enforce from now on, with its etag
	Directives []Directive    `json:"directives"`
}

// Beat takes a box's heartbeat: it renews the licence, and what the box says that
// it enforces is what the gate answers by from now on.
func (p *Platform) Beat(ctx context.Context, w Write, id string, said Heartbeat) (Answer, error) {
	if err := checkFingerprint(said.Fingerprint); err != nil {
		return Answer{}, err
	}
	if said.EnforcedRevision != nil && *said.EnforcedRevision < 0 {
		return Answer{}, refuse(Invalid, "enforced_revision %d: want 0 or more", *said.EnforcedRevision)
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		l, t, err := licenceOf(tx, id)
		if err != nil {
			return change{}, err
		}
		now := p.now().UTC()
		if err := l.usable(now, said.Fingerprint); err != nil {
			return change{}, err
		}
		if !l.Activated {
			return change{}, refuse(LicenceNotActive, "licence %s: is not activated", l.ID)
		}
		grant, err := tx.Grant(t.ID)
		if err != nil {
			return change{}, err
		}
		if err := heard(tx, m, now, grant, said); err != nil {
			return change{}, err
		}
		body, err := p.heartbeatAnswer(tx, l, t, grant)
		return change{event: "license.heartbeat", subject: t.ID.String(), answer: Answer{Body: body}}, err
	})
}

// heard writes down a heartbeat, and keeps the grant that is given in answer: its
// rows are needed when the box says that it enforces them, however late.
func heard(tx Tx, m moment, now time.Time, grant *Grant, said Heartbeat) error {
	d, err := deploymentOf(tx, grant.Tenant)
	if err != nil {
		return err
	}
	d.HeartbeatAt = now
	if revision := said.EnforcedRevision; revision != nil && (d.Enforced == nil || d.Enforced.Revision != *revision) {
		d.Enforced = &Enforced{Revision: *revision, At: m.at}
	}
	if d.Offered != grant.Stamp.Revision {
		d.Offered = grant.Stamp.Revision
		offer := Record{Key: offerKey(grant.Tenant, d.Offered), Body: grant.Rows}
		if err := tx.PutRecord(unversioned, Offers, offer); err != nil {
			return err
		}
	}
	return d.put(tx, grant.Tenant)
}

func (p *Platform) heartbeatAnswer(tx Tx, l *licenceRecord, t *tenantRecord, grant *Grant) (jsontext.Value, error) {
	token, err := p.token(tx, l)
	if err != nil {
		return nil, err
	}
	directives, err := p.directives(tx, t)
	if err != nil {
		return nil, err
	}
	return json.Marshal(heartbeatAnswer{token, withTag(grant.Append(nil), grant.Stamp.ETag), directives})
}

func (p *Platform) directives(v View, t *tenantRecord) ([]Directive, error) {
	told := []Directive{}
	if t.Billing == Suspended {
		told = append(told, Directive{Do: "suspend"})
	}
	if t.NextLicence == "" {
		return told, nil
	}
	next, _, err := licenceOf(v, t.NextLicence)
	if err != nil {
		return nil, err
	}
	token, err := p.token(v, next)
	return append(told, Directive{Do: "renew", Licence: next.ID, Token: token}), err
}

// enforced returns the rows that a tenant's routes answer by, or nil where they
// answer by none. A cloud tenant's are those in force; an on-prem one's those that
// its box has said it enforces.
func enforced(v View, t *tenantRecord, grant *Grant) (*Grant, error) {
	if t.Hosting == catalog.Cloud {
		return grant, nil
	}
	d, err := deploymentOf(v, t.ID)
	if err != nil || d.Enforced == nil {
		return nil, err
	}
	if d.Enforced.Revision == grant.Stamp.Revision {
		return grant, nil
	}
	rows, err := v.Record(Offers, offerKey(t.ID, d.Enforced.Revision))
	if err != nil || rows == nil { // a box that has what this platform never gave it
		return nil, err
	}
	return &Grant{Tenant: t.ID, Rows: rows}, nil
}

// RevokeLicence ends a licence for good: no box can activate it any more, and the
// deployment that runs by it is locked.
func (p *Platform) RevokeLicence(ctx context.Context, w Write, id string) (Answer, error) {
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		l, t, err := licenceOf(tx, id)
		if err != nil {
			return change{}, err
		}
		if err := p.approvedWithdrawal(tx, m, w, plan.Licence, t.ID.String(), l.base()); err != nil {
			return change{}, err
		}
		l.Revoked = true
		if t.NextLicence == id {
			t.NextLicence = ""
		}
		if _, err := put(tx, m, Tenants, t.ID.String(), t); err != nil {
			return change{}, err
		}
		return p.putLicence(tx, m, l, t, "license.revoke")
	})
}

// RebindLicence moves a licence to other hardware: to the box with a fingerprint,
// or to whichever activates it next where that is "". What the box before enforces
// is no longer known.
func (p *Platform) RebindLicence(ctx context.Context, w Write, id, fingerprint string) (Answer, error) {
	if fingerprint != "" {
		if err := checkFingerprint(fingerprint); err != nil {
			return Answer{}, err
		}
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		l, t, err := licenceOf(tx, id)
		if err != nil {
			return change{}, err
		}
		if l.Revoked {
			return change{}, refuse(LicenceRevokedCode, "licence %s: is revoked", l.ID)
		}
		l.Fingerprint, l.Activated = fingerprint, false
		if t.Licence == id {
			if err := (&deployment{}).put(tx, t.ID); err != nil {
				return change{}, err
			}
		}
		return p.putLicence(tx, m, l, t, "license.rebind")
	})
}

// OpenToken returns what a licence token says, if this platform gave it.
func (p *Platform) OpenToken(token string) (licence.Claims, error) {
	c, err := p.key.Public().Open(token)
	if err == nil && c.Instance != p.instance {
		return licence.Claims{}, licence.ErrInvalid
	}
	return c, err
}
