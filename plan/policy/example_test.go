package policy_test

import (
	"fmt"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/policy"
)

func Example() {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	last := catalog.Desired{PolicyData: catalog.Policy{
		People: []catalog.Person{{ID: "asha", Roles: []string{"support"}, Keys: []catalog.PolicyKey{{Text: exampleKey}}}},
		Roles:  map[string][]string{"support": {"entitlements.*"}},
	}}
	p := &plan.Plan{Environment: "default", Batches: []plan.Batch{{Tenant: "kisumu", Subject: plan.Entitlements}}}

	roster, err := policy.NewRoster(&last.PolicyData)
	if err != nil {
		fmt.Println(err)
		return
	}
	verdict := policy.Judge(policy.Input{Plan: p, Roster: roster, Now: now, Environment: catalog.DefaultEnvironment})
	for _, j := range verdict.Units {
		fmt.Println(j.Tenant, j.Subject, j.Allowed(), j.Refusal.Text)
	}
	// Output:
	// kisumu entitlements false 1 more approval of 1 approval by people with entitlements.write is missing: asha could give it
}

const exampleKey = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----`
