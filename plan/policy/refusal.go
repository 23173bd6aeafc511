package policy

import (
	"fmt"
	"strings"

	"github.com/veonahealth/charter/plan"
)

// Brake is what refuses, in the order in which they are looked at.
type Brake string

// The brakes.
const (
	Trust       Brake = "trust"       // a signature, the ancestry, the ledger
	Environment Brake = "environment" // the plan is of another one
	Instance    Brake = "instance"    // the plan is of another platform
	Restored    Brake = "restored"    // the platform was put back behind the ledger
	Held        Brake = "hold"
	Closed      Brake = "window"
	TooMany     Brake = "threshold"
	Missing     Brake = "approval"   // too few people, or one of them said no
	Incapable   Brake = "capability" // people enough, and they may not
)

// The exit statuses of a refusal.
const (
	exitBlocked  = 4 // something is missing, and may come
	exitTrust    = 7 // something is wrong
	exitRestored = 8
)

// Refusal is why something may not be applied.
type Refusal struct {
	Brake   Brake        `json:"brake"`
	Exit    int          `json:"exit"`              // the exit status of a command that stops at it
	Tenant  string       `json:"tenant,omitempty"`  // as in the plan; "" for the plan as a whole
	Subject plan.Subject `json:"subject,omitempty"` // "" for the plan as a whole
	Text    string       `json:"text"`              // what is wrong or missing, and who could give it
	Act     string       `json:"act"`               // the signed act that passes it, as a clause of its own
}

// Error returns where, why, and what to do.
func (r *Refusal) Error() string {
	where := strings.TrimSpace(fmt.Sprintf("%s %s", r.Tenant, r.Subject))
	if where != "" {
		where += ": "
	}
	return where + r.Text + "; " + r.Act
}

// of puts the unit into the refusal.
func (u *unit) refuse(brake Brake, act, format string, args ...any) *Refusal {
	return &Refusal{Brake: brake, Exit: exitBlocked, Tenant: u.tenant, Subject: u.subject, Text: fmt.Sprintf(format, args...), Act: act}
}

// some names a few of many.
func some(names []string, none string) string {
	const few = 5
	switch {
	case len(names) == 0:
		return none
	case len(names) == 1:
		return names[0]
	case len(names) > few:
		return fmt.Sprintf("%s or one of %d others", strings.Join(names[:few], ", "), len(names)-few)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
