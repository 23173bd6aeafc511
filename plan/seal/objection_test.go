package seal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

func TestObjections(t *testing.T) {
	approval := goldenApproval(t)
	prod, err := catalog.ParseEnvironment("prod")
	if err != nil {
		t.Fatal(err)
	}
	other := seal.Batches{Root: digest(t, "e4e4a75d31c7b8e164b6e3a8f2035539318e87ddd14cb7788c6b9cf315a8cfc0"), Count: 5}
	otherCount := seal.Batches{Root: approval.Batches.Root, Count: 4}
	for _, test := range []struct {
		name   string
		change func(*seal.Use)
		want   []string
	}{
		{"none", func(*seal.Use) {}, nil},
		{"none at the last instant", func(u *seal.Use) { u.At = approval.NotAfter }, nil},
		{"after it", func(u *seal.Use) { u.At = approval.NotAfter.Add(1) }, []string{"expired: it expired at 2027-03-01T12:00:00Z"}},
		{"another environment", func(u *seal.Use) { u.Environment = prod }, []string{"other-environment: it is for environment default, not prod"}},
		{"another tree", func(u *seal.Use) { u.Batches = other },
			[]string{"other-batches: it is for 3 batches under sha256:d5b8fcc940a467b9…, not 5 batches under sha256:e4e4a75d31c7b8e1…"}},
		{"another count", func(u *seal.Use) { u.Batches = otherCount },
			[]string{"other-batches: it is for 3 batches under sha256:d5b8fcc940a467b9…, not 4 batches under sha256:d5b8fcc940a467b9…"}},
		{"another tenant", func(u *seal.Use) { u.Tenant = tenant(t, "siaya") }, []string{"other-tenants: it names tenants, and not tenant siaya"}},
		{"no tenant", func(u *seal.Use) { u.Tenant = catalog.TenantID{} }, []string{"other-tenants: it names tenants, and not what is of no tenant"}},
		{"all", func(u *seal.Use) {
			*u = seal.Use{At: approval.NotAfter.Add(time.Hour), Environment: prod, Batches: other}
		}, []string{
			"other-environment: it is for environment default, not prod",
			"other-batches: it is for 3 batches under sha256:d5b8fcc940a467b9…, not 5 batches under sha256:e4e4a75d31c7b8e1…",
			"other-tenants: it names tenants, and not what is of no tenant",
			"expired: it expired at 2027-03-01T12:00:00Z",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			use := seal.Use{
				At:          approval.NotAfter.Add(-time.Hour),
				Environment: approval.Environment,
				Batches:     approval.Batches,
				Tenant:      tenant(t, "mercy"),
			}
			test.change(&use)
			var got []string
			for _, objection := range approval.Objections(use) {
				got = append(got, objection.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("objections (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApprovalOfAllTenantsIsAlsoForWhatIsOfNone(t *testing.T) {
	approval := goldenApproval(t)
	approval.Tenants = nil
	use := seal.Use{At: approval.NotAfter, Environment: approval.Environment, Batches: approval.Batches}
	for _, id := range []catalog.TenantID{{}, tenant(t, "siaya")} {
		use.Tenant = id
		if objections := approval.Objections(use); objections != nil {
			t.Errorf("tenant %q: %v", id, objections)
		}
	}
}
