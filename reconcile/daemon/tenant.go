package daemon

import (
	"cmp"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// Standing is how a tenant stands between what is declared and what is live. An
// unknown standing prints as itself.
type Standing string

// The standings, the gravest first: where several apply, the first counts.
const (
	Unreadable Standing = "unreadable" // its live state could not be read
	Conflict   Standing = "conflict"   // declared and live have both moved
	Drift      Standing = "drift"      // live has moved
	Pending    Standing = "pending"    // declared has moved, and is not applied yet
	Refused    Standing = "refused"    // what is declared cannot be carried out
	Held       Standing = "held"       // kept as it is live, by a hold or by the platform's word
	Offline    Standing = "offline"    // accepted, and the site does not act by it yet
	InStep     Standing = "in-step"
)

// Standings lists all of them, the gravest first.
func Standings() []Standing {
	return []Standing{Unreadable, Conflict, Drift, Pending, Refused, Held, Offline, InStep}
}

// Concern reports whether people want to be told of the standing.
func (s Standing) Concern() bool { return s == Unreadable || s == Conflict || s == Drift }

// Tenant is how one tenant stands. A Tenant that a View holds never changes.
type Tenant struct {
	ID           string `json:"tenant"`
	Name         string `json:"name"`
	Organisation string `json:"organisation"`
	Edition      string `json:"edition"`
	Hosting      string `json:"hosting"`

	Standing Standing  `json:"standing"`
	Since    time.Time `json:"since"` // from when on it stands like that
	SeenAt   time.Time `json:"seen_at"`

	// What a plan says of it, each with its class.
	Batches   []plan.Batch   `json:"batches"`
	Held      []plan.Held    `json:"held"`
	Refusals  []plan.Refusal `json:"refusals"`
	Scheduled []plan.Entry   `json:"scheduled"`

	Status   string    `json:"status"`   // the platform's word, or "" where it has none of it
	Revision int64     `json:"revision"` // of the grant that the platform accepted
	Rows     int       `json:"rows"`     // in it
	Enforced *Enforced `json:"enforced"` // nil where the site was not asked, or never said

	Unreadable string    `json:"unreadable"` // why its live state is not known, or ""
	Tries      int       `json:"tries"`      // in a row that could not read it
	RetryAt    time.Time `json:"retry_at,omitzero"`
}

// Enforced is what a tenant's deployment last said that it acts by.
type Enforced struct {
	Reachable bool      `json:"reachable"`
	Revision  int64     `json:"revision"` // 0 where it never said
	At        time.Time `json:"at,omitzero"`
}

// newTenant begins what is known of a declared tenant.
func newTenant(t *catalog.Tenant) *Tenant {
	return &Tenant{
		ID: t.ID.String(), Name: t.Name, Organisation: t.Organisation.String(), Edition: t.Edition.String(), Hosting: string(t.Hosting),
	}
}

// Classes counts the changes of each class.
func (t *Tenant) Classes() map[plan.Class]int {
	count := map[plan.Class]int{}
	for i := range t.Batches {
		for j := range t.Batches[i].Changes {
			count[t.Batches[i].Changes[j].Class]++
		}
	}
	return count
}

// judge sets the standing from all the rest.
func (t *Tenant) judge() {
	classes := t.Classes()
	switch {
	case t.Unreadable != "":
		t.Standing = Unreadable
	case classes[plan.Conflict] > 0:
		t.Standing = Conflict
	case classes[plan.Drift] > 0:
		t.Standing = Drift
	case len(t.Batches) > 0:
		t.Standing = Pending
	case len(t.Refusals) > 0:
		t.Standing = Refused
	case len(t.Held) > 0:
		t.Standing = Held
	case t.Enforced != nil && (!t.Enforced.Reachable || t.Enforced.Revision < t.Revision):
		t.Standing = Offline
	default:
		t.Standing = InStep
	}
}

// after sets since when the tenant stands as it does, given how it stood before.
func (t *Tenant) after(was *Tenant) {
	t.Since = t.SeenAt
	if was != nil && was.Standing == t.Standing {
		t.Since = was.Since
	}
}

// contents takes what a plan says apart by tenant; what belongs to no tenant is
// under "".
func contents(p *plan.Plan) map[string]*Tenant {
	parts := map[string]*Tenant{}
	of := func(id string) *Tenant {
		if parts[id] == nil {
			parts[id] = &Tenant{ID: id}
		}
		return parts[id]
	}
	for _, b := range p.Batches {
		id := ""
		if b.Subject.OfTenant() {
			id = b.Tenant
		}
		of(id).Batches = append(of(id).Batches, b)
	}
	for _, e := range p.Scheduled {
		of(e.Tenant).Scheduled = append(of(e.Tenant).Scheduled, e)
	}
	for _, h := range p.Held {
		of(h.Tenant).Held = append(of(h.Tenant).Held, h)
	}
	for _, r := range p.Refusals {
		of(r.Tenant).Refusals = append(of(r.Tenant).Refusals, r)
	}
	for _, u := range p.Unreadable {
		of(u.Tenant).Unreadable = u.Text
	}
	return parts
}

// byID orders tenants.
func byID(a, b *Tenant) int { return cmp.Compare(a.ID, b.ID) }
