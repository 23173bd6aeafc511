package seal

import (
	"fmt"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// Use is what an approval is held against: one batch at one time.
type Use struct {
	At          time.Time           // when the decision is to count; for a scheduled entry, when its plan is applied
	Environment catalog.Environment // the batch's
	Batches     Batches             // the tree in which the batch was found to be a leaf
	Tenant      catalog.TenantID    // the batch's; zero for policy, catalog, edition and organisation
}

// Reason is why an approval does not count for a Use.
type Reason string

// The reasons, in the order in which Objections gives them.
const (
	OtherEnvironment Reason = "other-environment"
	OtherBatches     Reason = "other-batches" // its root or count is not that of the tree
	OtherTenants     Reason = "other-tenants" // it names tenants, and not the batch's
	Expired          Reason = "expired"
)

// Objection says, to programs and to people, why an approval does not count.
type Objection struct {
	Reason Reason
	Text   string
}

// String returns both.
func (o Objection) String() string { return string(o.Reason) + ": " + o.Text }

// Objections returns every reason for which the approval does not count for a
// use; none if it does. It does not look at the decision, as a rejection counts
// by the same rules, nor at the signer, who is the policy's to judge.
func (a Approval) Objections(use Use) []Objection {
	var objections []Objection
	object := func(reason Reason, format string, args ...any) {
		objections = append(objections, Objection{Reason: reason, Text: fmt.Sprintf(format, args...)})
	}
	if a.Environment != use.Environment {
		object(OtherEnvironment, "it is for environment %s, not %s", a.Environment, use.Environment)
	}
	if a.Batches != use.Batches {
		object(OtherBatches, "it is for %s, not %s", a.Batches, use.Batches)
	}
	if a.Tenants != nil && !slices.Contains(a.Tenants, use.Tenant) {
		object(OtherTenants, "it names tenants, and not %s", named(use.Tenant))
	}
	if use.At.After(a.NotAfter) {
		object(Expired, "it expired at %s", a.NotAfter.Format(time.RFC3339))
	}
	return objections
}

// String returns the count and the beginning of the root, for people.
func (b Batches) String() string {
	const shownDigits = 8
	return fmt.Sprintf("%d batches under %s%x…", b.Count, digestPrefix, b.Root[:shownDigits])
}

func named(tenant catalog.TenantID) string {
	if tenant.IsZero() {
		return "what is of no tenant"
	}
	return "tenant " + tenant.String()
}
