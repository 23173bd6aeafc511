package authority_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/authority"
	"github.com/veonahealth/charter/plan"
)

// What signatures come to is tested against the whole EHR, beside its main
// package. Here is what needs none.

func checker(t testing.TB) *authority.Checker {
	t.Helper()
	c, err := authority.New(authority.Trust{Need: authority.Need{Grant: 1, Revoke: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rows reads "facility module", each.
func rows(t testing.TB, texts ...string) catalog.Rows {
	t.Helper()
	var list []catalog.Row
	for _, text := range texts {
		facility, module, _ := strings.Cut(text, " ")
		var row catalog.Row
		var err error
		if row.Facility, err = catalog.ParseFacilityID(facility); err != nil {
			t.Fatal(err)
		}
		if row.Module, err = catalog.ParseEHRModule(module); err != nil {
			t.Fatal(err)
		}
		list = append(list, row)
	}
	return catalog.NewRows(list)
}

// TestABatchIsComputedAsTheContractHasIt names digests that the contract gives as
// examples: what is still missing then is only that somebody signs.
func TestABatchIsComputedAsTheContractHasIt(t *testing.T) {
	zero := int64(0)
	for name, c := range map[string]struct {
		environment, base, digest string
		write                     authority.Write
	}{
		"on a revision": {"default", `base 7 "7-3f2a"`, "6a7be5675c21316da87014fd3f35fc688243539985f1bbd6fea6c2c44828723c", authority.Write{
			Of: "kisumu", Base: plan.OnStamp(catalog.Stamp{Revision: 7, ETag: `"7-3f2a"`}),
			Revoked: rows(t, "lumumba theatre"), Granted: rows(t, "lumumba bloodbank", "jootrh scribe")}},
		"on what is provisioned": {"prod", "base provisioned 0", "df7504d712ba0e25787d122a4a57fff64a4007fd642efe315d310a999e850a86", authority.Write{
			Of: "t-0001", Base: plan.OnStamp(catalog.Stamp{Revision: 1, ETag: `"1-x"`}), Provisioned: &zero, Granted: rows(t, "main scribe")}},
		"from a time on": {"default", "at 2027-03-01T00:00:00Z", "740b75f52e2e9552e0484bf7ce43d23e992582fd41cc3bfb98a2c2e7cb5c071e", authority.Write{
			Of: "kisumu", Base: plan.OnStamp(catalog.Stamp{Revision: 9, ETag: `"9-x"`}), Revoked: rows(t, "jootrh scribe")}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(map[string]any{"environment": c.environment, "base": c.base, "batch": "sha256:" + c.digest})
			if err != nil {
				t.Fatal(err)
			}
			c.write.Subject = plan.Entitlements
			claim := checker(t).Read(text, time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC))
			if _, err := claim.Covers(c.write); err == nil || err.Error() != "approvals: 0 of 1" {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNeedIsReadInItsForms(t *testing.T) {
	for text, want := range map[string]authority.Need{
		"1": {Grant: 1, Revoke: 1}, "3": {Grant: 3, Revoke: 3}, "1,revoke=2": {Grant: 1, Revoke: 2}, "revoke=2": {Grant: 1, Revoke: 2},
		"grant=2,revoke=1": {Grant: 2, Revoke: 1}, "2,grant=1": {Grant: 1, Revoke: 2},
	} {
		if got, err := authority.ParseNeed(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "101", "1,", ",1", "1,2", "revoke", "revoke=", "edit=1", "1 , revoke=2", "1e1", "99999999999999999999"} {
		if got, err := authority.ParseNeed(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestTheNilClaimCoversNothing(t *testing.T) {
	var claim *authority.Claim
	var invalid *authority.Invalid
	if _, err := claim.Covers(authority.Write{}); !errors.As(err, &invalid) {
		t.Errorf("error %v", err)
	}
}

// FuzzRead reads what anybody may send: it neither panics nor covers anything.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "null", "{}", `{"environment":"default","batch":"sha256:` + strings.Repeat("0", 64) + `","base":"none","approvals":[{"bundle":{},"count":1,"index":0,"proof":["AAAA"]}]}`,
		`{"base":"at 2027-03-01T00:00:00Z","mandate":{"bundles":[{}],"correction":{}}}`, `{"approvals":[{"proof":[null],"count":-1,"index":-9223372036854775808}]}`,
	} {
		f.Add([]byte(text))
	}
	c := checker(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		claim := c.Read(text, time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC))
		for _, subject := range []plan.Subject{plan.Entitlements, plan.Organisation} {
			write := authority.Write{Subject: subject, Of: "kisumu", Request: &plan.Request{Method: "PUT", Path: "/clients/kisumu", Body: []byte("{}")}}
			if _, err := claim.Covers(write); err == nil {
				t.Fatalf("%s covers a write", text)
			}
		}
	})
}
