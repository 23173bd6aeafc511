package plan

import (
	"time"

	"github.com/veonahealth/charter/catalog"
)

// explainer says why a facility holds a module, or does not, in the words of a
// catalogue and at the lines of a commit.
type explainer struct {
	catalog *catalog.Catalog
	commit  string
}

// Explain says why a facility of a tenant holds a module, or does not, at an
// instant, by what a commit declares.
func Explain(c *catalog.Catalog, commit string, t *catalog.Tenant, f *catalog.Facility, module catalog.ModuleKey, at time.Time) Reason {
	return explainer{c, commit}.reason(t, f, module, at)
}

// reason says why a facility holds a module, or does not, at an instant.
func (e explainer) reason(t *catalog.Tenant, f *catalog.Facility, module catalog.ModuleKey, at time.Time) Reason {
	cause := e.catalog.Cause(t, f, module, at)
	r := Reason{Commit: e.commit, File: cause.Pos.File, Line: cause.Pos.Line}
	switch {
	case cause.Tombstone != nil:
		r.Code, r.Text = FacilityClosed, cause.Tombstone.Reason
		if cause.Origin == catalog.FromTenantTombstone {
			r.Code = TenantClosed
		}
	case cause.Adjustment != nil && cause.Held:
		r.Code, r.Text = grantCode(cause, at), "a la carte"+ticket(cause.Adjustment)+": "+cause.Adjustment.Reason
	case cause.Adjustment != nil:
		r.Code, r.Text = TenantRevocation, cause.Adjustment.Reason+ticket(cause.Adjustment)
		if cause.Origin == catalog.FromFacility {
			r.Code = FacilityRevocation
		}
	case cause.Held:
		r.Code, r.Text = EditionDefault, "edition "+t.Edition.String()
	default:
		e.notInEdition(&r, t, f, module, at)
	}
	return r
}

func grantCode(cause catalog.Cause, at time.Time) Code {
	switch {
	case cause.Adjustment.From.Equal(at):
		return GrantBegins
	case cause.Origin == catalog.FromFacility:
		return FacilityGrant
	}
	return TenantGrant
}

func ticket(a *catalog.Adjustment) string {
	if a.Ticket == "" {
		return ""
	}
	return ", " + a.Ticket
}

// notInEdition explains the absence of a module that nothing revokes: a grant
// that has ended, else the edition.
func (e explainer) notInEdition(r *Reason, t *catalog.Tenant, f *catalog.Facility, module catalog.ModuleKey, at time.Time) {
	r.Code, r.Text = NotInEdition, "edition "+t.Edition.String()+" does not have it"
	for _, grants := range [][]catalog.Adjustment{f.Grants, t.Grants} {
		for i := range grants {
			g := &grants[i]
			if g.Module == module && !g.Until.IsZero() && !at.Before(g.Until) {
				r.Code, r.File, r.Line = GrantExpired, g.Pos.File, g.Pos.Line
				r.Text = "granted until " + catalog.FormatTime(g.Until) + ticket(g) + ": " + g.Reason
				return
			}
		}
	}
}
