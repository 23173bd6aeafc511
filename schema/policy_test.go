package schema_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/schema"
)

// Three keys, one of them in both of its spellings.
const (
	keyA    = "\"\"\"\n\t-----BEGIN PUBLIC KEY-----\n\tMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\t-----END PUBLIC KEY-----\n\t\"\"\""
	keyB    = "\"\"\"\n\t-----BEGIN PUBLIC KEY-----\n\tMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\t-----END PUBLIC KEY-----\n\t\"\"\""
	keyC    = "\"\"\"\n\t-----BEGIN PUBLIC KEY-----\n\tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAET4pKNEI9KV9UfvdDNQs2nUphy/uS\n\tTfvx9OZoNC2ASAJvNJ3XDpPqcAO+H+YM/hu8/FGSY2f8F+NVGBtYAe9O0A==\n\t-----END PUBLIC KEY-----\n\t\"\"\""
	sshA    = `"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm/RAlphM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh asha"`
	grace   = `people: grace: {name: "Grace", email: "grace@example.org", roles: ["super_admin"], keys: [` + keyA + "]}\n"
	brian   = `people: brian: {name: "Brian", email: "brian@example.org", roles: ["support"], keys: [` + keyB + `], forge: ["github:2"]}` + "\n"
	applier = `appliers: ci: {keys: [` + keyB + `], may: ["apply"]}` + "\n"
)

func policy(t *testing.T, text string) result {
	t.Helper()
	files := fleet(t, map[string]string{"policy/policy.cue": "package policy\n\n" + text})
	return load(t, files, schema.Options{Keys: seal.KeyNames})
}

func TestAPolicyIsDecodedWhole(t *testing.T) {
	r := policy(t, grace+`
people: grace: {ssh: [`+sshA+`], forge: ["github:12"], leaves: "2028-01-01", revoked: [{fingerprint: "SHA256:`+strings.Repeat("a", 43)+`", since: "2027-01-01"}]}
`+applier+`
revoked: [{fingerprint: "`+strings.Repeat("0", 64)+`", since: "`+strings.Repeat("1", 64)+`"}]
roles: super_admin: ["*"]
rules: removals: {capability: "entitlements.write", change: "removal", tenants: edition: "hospital"}
commits: "people"
thresholds: tenant: {share: 10, rows: 5}
windows: nights: {effect: "allow", cron: "0 22 * * 1-5", timezone: "Africa/Nairobi", duration: "8h"}
mandate: {kinds: ["grant"], until: "2027-06-01"}
break_glass: {people: ["grace"], passes: ["threshold"]}
paths: "tenants/kisumu": [{organisation: "lakeside"}]
recovery: keys: [`+keyC+`]
`)
	if len(r.problems) > 0 {
		t.Fatal(picture(r.problems))
	}
	edition, _ := catalog.ParseEditionKey("hospital")
	organisation, _ := catalog.ParseOrganisationID("lakeside")
	day := func(text string) time.Time { at, _ := time.Parse(time.DateOnly, text); return at }
	key := func(text string) []catalog.PolicyKey {
		return []catalog.PolicyKey{{Text: strings.ReplaceAll(strings.Trim(text, "\"\n\t"), "\t", "")}}
	}
	want := catalog.Policy{
		People: []catalog.Person{{
			ID: "grace", Name: "Grace", Email: "grace@example.org", Roles: []string{"super_admin"}, Keys: key(keyA), SSH: key(sshA),
			Forge: []string{"github:12"}, Leaves: day("2028-01-01"),
			Revoked: []catalog.RevokedKey{{Fingerprint: "SHA256:" + strings.Repeat("a", 43), Since: "2027-01-01"}},
		}},
		Appliers: []catalog.Applier{{ID: "ci", Keys: key(keyB), May: []catalog.Duty{catalog.MayApply}}},
		Revoked:  []catalog.RevokedKey{{Fingerprint: strings.Repeat("0", 64), Since: strings.Repeat("1", 64)}},
		Roles:    map[string][]string{"super_admin": {"*"}},
		Rules: []catalog.Rule{{
			Name: "removals", Capability: "entitlements.write", Change: catalog.AnyRemoval, Tenants: &catalog.Selector{Edition: edition},
			Approvals: 1, Writers: true, Evidence: []catalog.Evidence{catalog.ByKey},
		}},
		Commits:    catalog.CommitsPeople,
		Thresholds: catalog.Thresholds{Tenant: catalog.Threshold{Share: 10, Rows: 5}, Fleet: catalog.DefaultThreshold},
		Windows: []catalog.Window{{
			Name: "nights", Allow: true, Cron: "0 22 * * 1-5", Timezone: "Africa/Nairobi", Duration: 8 * time.Hour, Change: catalog.AnyChange,
		}},
		Mandate:    &catalog.Mandate{Kinds: []string{"grant"}, PerHour: 10, PerDay: 50, Until: day("2027-06-01")},
		BreakGlass: &catalog.BreakGlass{People: []string{"grace"}, Approvals: 1, Passes: []string{"threshold"}},
		Paths:      []catalog.PathRule{{Path: "tenants/kisumu", Tenants: []catalog.Selector{{Organisation: organisation}}}},
		Recovery:   &catalog.Recovery{Keys: key(keyC), Threshold: 1},
	}
	placeless := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Pos" || p.Last().String() == ".Names" }, cmp.Ignore())
	if diff := cmp.Diff(want, r.fleet.PolicyData, placeless, cmp.Comparer(func(a, b catalog.EditionKey) bool { return a == b }),
		cmp.Comparer(func(a, b catalog.OrganisationID) bool { return a == b })); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
}

func TestAFleetWithoutAPolicyHasTheDefaults(t *testing.T) {
	p := load(t, fleet(t, nil), schema.Options{}).fleet.PolicyData
	if p.Commits != catalog.CommitsNone || p.Thresholds.Tenant != catalog.DefaultThreshold || len(p.People) > 0 {
		t.Errorf("policy %+v", p)
	}
	person := &catalog.Person{Roles: []string{"support"}}
	if !p.Holds(person, "entitlements.write") || p.Holds(person, "policy.write") {
		t.Errorf("support holds entitlements.write %v, policy.write %v", p.Holds(person, "entitlements.write"), p.Holds(person, "policy.write"))
	}
}

// What is wrong with a policy is said at its place, with its code.
func TestMistakesOfAPolicyAreSaidAtTheirPlaces(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"one key under two people": {
			grace + strings.Replace(brian, keyB, keyA, 1),
			`policy/policy.cue:3:91: person grace has a key that person brian has [CH0104]`,
		},
		"the same key as PEM and SSH": {
			grace + `people: brian: {name: "Brian", email: "b@example.org", ssh: [` + sshA + "]}\n",
			`person grace has a key that person brian has [CH0104]`,
		},
		"an applier with a person's key":    {brian + applier, `applier ci has a key that person brian has [CH0104]`},
		"a recovery key that is a person's": {brian + "recovery: keys: [" + keyB + "]\n", `recovery key 0 has a key that person brian has [CH0104]`},
		"one recovery key twice": {
			"recovery: {keys: [" + keyA + "," + keyA + "], threshold: 2}\n", `recovery key 1 has a key that recovery key 0 has [CH0104]`,
		},
		"one address under two people": {
			grace + `people: other: {name: "Other", email: "Grace@Example.org"}` + "\n", `person other has "grace@example.org", which is person grace's [CH0104]`,
		},
		"a forge account under two people": {
			brian + `people: other: {name: "Other", email: "o@example.org", forge: ["github:2"]}` + "\n", `has "github:2", which is person brian's [CH0104]`,
		},
		"unreadable PEM":          {`people: a: {name: "A", email: "a@b", keys: ["-----BEGIN PUBLIC KEY-----"]}`, `policy/policy.cue:3:45: keys[0] of person a: public key: no PEM block [CH0102]`},
		"a private key":           {`people: a: {name: "A", email: "a@b", keys: ["""` + "\n\t-----BEGIN PRIVATE KEY-----\n\tAAAA\n\t-----END PRIVATE KEY-----\n\t\"\"\"]}", `keys[0] of person a: key of kind "PRIVATE KEY"`},
		"SSH among the PEM":       {`people: a: {name: "A", email: "a@b", keys: [` + sshA + `]}`, `keys[0] of person a is of another kind [CH0102]`},
		"PEM among the SSH":       {`people: a: {name: "A", email: "a@b", ssh: [` + keyA + `]}`, `ssh[0] of person a is of another kind [CH0102]`},
		"an SSH authority":        {`people: a: {name: "A", email: "a@b", ssh: ["cert-authority ` + strings.Trim(sshA, `"`) + `"]}`, `ssh[0] of person a: key of kind SSH certificate authority`},
		"a role there is not":     {`people: a: {name: "A", email: "a@b", roles: ["super_admim"]}`, `unknown role "super_admim" [CH0103]`},
		"a capability not there":  {grace + `rules: x: capability: "entitlements.writ"`, `unknown capability "entitlements.writ" [CH0103]`},
		"a pattern of nothing":    {`roles: x: ["entitlement.*"]`, `unknown capability "entitlement.*" [CH0103]`},
		"a rule about no edition": {grace + `rules: x: {capability: "clients.write", tenants: edition: "hospitl"}`, `unknown edition "hospitl" [CH0103]`},
		"a cron of six fields":    {`windows: x: {effect: "deny", cron: "0 0 1 1 * *", duration: "1h"}`, `windows.x.cron: "0 0 1 1 * *" is not five fields of cron`},
		"a cron that is none":     {`windows: x: {effect: "deny", cron: "61 0 1 1 *", duration: "1h"}`, `policy/policy.cue:3:36: cron: end of range (61) above maximum (59): 61 [CH0102]`},
		"a day that never comes":  {`windows: x: {effect: "deny", cron: "0 0 30 2 *", duration: "1h"}`, `cron: there is no such day [CH0102]`},
		"a zone there is not":     {`windows: x: {effect: "deny", cron: "0 0 1 1 *", duration: "1h", timezone: "Africa/Kisumu"}`, `timezone: "Africa/Kisumu" is not known [CH0102]`},
		"a window without end":    {`windows: x: {effect: "deny", cron: "0 0 1 1 *", duration: "900h"}`, `duration: "900h" is out of bounds, want 1m to 744h [CH0102]`},
		"more than are able": {
			grace + brian + `rules: x: {capability: "registry.write", approvals: 2}`,
			`rule x asks for 2 approvals of people with registry.write, and 1 could give it [CH0114]`,
		},
		"evidence that nobody has": {grace + `rules: x: {capability: "clients.write", evidence: ["forge"]}`, `rule x asks for 1 approval of people with clients.write, and 0 could give it [CH0114]`},
		"no writers, but by commits of anybody": {
			grace + `rules: x: {capability: "clients.write", writers: false}`, `rule x leaves out those who wrote a change, which commits that nobody has signed cannot say [CH0114]`,
		},
		"more recovery keys than there are": {"recovery: {keys: [" + keyA + "], threshold: 2}", `recovery asks for 2 of 1 keys [CH0114]`},
		"a break-glass of a stranger":       {grace + `break_glass: {people: ["grave"], passes: []}`, `unknown person "grave" [CH0103]`},
		"a break-glass of too few":          {grace + `break_glass: {people: ["grace"], approvals: 2, passes: []}`, `break_glass asks for 2 people and names 1 [CH0114]`},
		"a path that may not":               {`paths: "tenants/kisumu": [{edition: "clinic"}]`, `tenant kisumu may not be declared below tenants/kisumu [CH0113]`},
		"a path where none may stand":       {`paths: tenants: []`, `tenant kisumu may not be declared below tenants [CH0113]`},
	} {
		t.Run(name, func(t *testing.T) {
			said := picture(policy(t, c.text).problems)
			if !strings.Contains(said, c.want) {
				t.Errorf("said\n%s\nwant\n%s", said, c.want)
			}
			if first := strings.Count(said, "\n"); first > 0 && strings.HasPrefix(said, "policy:") {
				t.Errorf("said without a place:\n%s", said)
			}
		})
	}
}

// What the policy allows is not reported.
func TestPoliciesThatAreRightLoad(t *testing.T) {
	for name, text := range map[string]string{
		"one person's key in two spellings": grace + `people: grace: ssh: [` + sshA + "]\n",
		"no writers, by signed commits":     grace + `rules: x: {capability: "clients.write", writers: false}` + "\ncommits: \"people\"\n",
		"no writers, by the forge":          brian + `rules: x: {capability: "entitlements.write", writers: false, evidence: ["forge"]}`,
		"the longest path counts":           `paths: {tenants: [], "tenants/kisumu": [{edition: "clinic"}, {organisation: "lakeside"}]}`,
		"a path of others":                  `paths: "tenants/kis": []`,
		"the 29th of February":              `windows: x: {effect: "deny", cron: "0 0 29 2 *", duration: "1h"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if r := policy(t, text); len(r.problems) > 0 {
				t.Error(picture(r.problems))
			}
		})
	}
}

// Whether people leave is a matter of the clock, and so no mistake.
func TestARuleThatLeaversWereNeededForIsAWarning(t *testing.T) {
	r := policy(t, grace+"people: grace: leaves: \"2027-01-01\"\n"+`rules: x: capability: "registry.write"`)
	if len(r.problems) > 0 {
		t.Fatal(picture(r.problems))
	}
	for at, want := range map[string]bool{"2026-12-31": false, "2027-01-01": true} {
		day, _ := time.Parse(time.DateOnly, at)
		warned := slices.ContainsFunc(r.fleet.Warnings(day), func(p schema.Problem) bool { return p.Code == schema.Leaving })
		if warned != want {
			t.Errorf("at %s: warned %v, want %v", at, warned, want)
		}
	}
}

// Who has no key but revoked ones could approve nothing, and a machine sign nothing.
func TestWhatRevokedKeysWereNeededForIsAWarning(t *testing.T) {
	fingerprint := func(key string) string {
		names, err := seal.KeyNames(strings.ReplaceAll(strings.Trim(key, "\"\n\t"), "\t", ""))
		if err != nil {
			t.Fatal(err)
		}
		return names[0]
	}
	const (
		receipt = "1111111111111111111111111111111111111111111111111111111111111111"
		dora    = `people: dora: {name: "Dora", email: "dora@example.org", roles: ["super_admin"], keys: [` + keyB + `]}` + "\n"
		gone    = `people: dora: leaves: "2026-01-01"` + "\n"
		ci      = `appliers: ci: {keys: [` + keyC + `], may: ["apply", "notary"]}` + "\n"
		rule    = `rules: x: capability: "registry.write"` + "\n"
	)
	lose := func(key, since string) string {
		return `{fingerprint: "` + fingerprint(key) + `", since: "` + since + `"},`
	}
	all := func(entries ...string) string { return "revoked: [" + strings.Join(entries, "") + "]\n" }
	for name, x := range map[string]struct {
		text string
		want []string
	}{
		"the last of policy.write": {all(lose(keyA, receipt)) + grace + brian, []string{
			"policy/policy.cue:3:11: no person with policy.write could approve another policy, now that keys are revoked [CW0114]",
		}},
		"under the person":         {grace + "people: grace: " + all(lose(keyA, "2027-01-01")), []string{"no person with policy.write"}},
		"another is left":          {grace + dora + all(lose(keyA, receipt)), nil},
		"another has left":         {grace + dora + gone + all(lose(keyA, receipt)), []string{"now that others have left and keys are revoked"}},
		"all have left":            {grace + `people: grace: leaves: "2026-01-01"`, []string{"policy/policy.cue:3:9: no person with policy.write could approve another policy, now that others have left"}},
		"a new key":                {strings.Replace(grace, "keys: [", "keys: ["+keyB+", ", 1) + all(lose(keyA, receipt)), nil},
		"nobody ever":              {brian + all(lose(keyB, receipt)), nil},
		"a rule of another thing":  {dora + rule + all(lose(keyB, receipt)), []string{"rule x asks for 1 approval of people with registry.write, and 0 could give it, now that keys are revoked", "no person with policy.write"}},
		"a rule of the policy":     {dora + `rules: x: capability: "policy.write"` + "\n" + all(lose(keyB, receipt)), []string{"rule x asks for 1 approval of people with policy.write"}},
		"reviews count":            {grace + brian + `rules: x: {capability: "entitlements.write", approvals: 2, evidence: ["key", "forge"]}` + "\n" + all(lose(keyB, receipt)), nil},
		"the last machine":         {ci + all(lose(keyC, receipt)), []string{"no applier that may apply has a key, now that keys are revoked", "no applier that may notary"}},
		"another machine applies":  {ci + `appliers: ci2: {keys: [` + keyB + `], may: ["apply", "notary"]}` + "\n" + all(lose(keyC, receipt)), nil},
		"a person and the machine": {grace + ci + all(lose(keyA, receipt), lose(keyC, receipt)), []string{"no person with policy.write", "no applier that may apply", "no applier that may notary"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := policy(t, x.text)
			if len(r.problems) > 0 {
				t.Fatal(picture(r.problems))
			}
			day, _ := time.Parse(time.DateOnly, "2027-01-02")
			warnings := r.fleet.Warnings(day)
			said := picture(warnings)
			if len(warnings) != len(x.want) {
				t.Errorf("%d warnings, want %d", len(warnings), len(x.want))
			}
			for _, want := range x.want {
				if !strings.Contains(said, want) {
					t.Errorf("warned\n%s, want\n%s", said, want)
				}
			}
		})
	}
}

// An entry that takes no key out of service is said at its place.
func TestWhatRevokesNothingIsAWarning(t *testing.T) {
	names := func(key string) []string {
		names, err := seal.KeyNames(strings.ReplaceAll(strings.Trim(key, "\"\n\t"), "\t", ""))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	entry := func(fingerprint, since string) string {
		return `revoked: [{fingerprint: "` + fingerprint + `", since: "` + since + `"}]` + "\n"
	}
	a, b, c := names(keyA), names(keyB), names(keyC)
	slip := b[0][:10] + b[0][11:12] + b[0][10:11] + b[0][12:] // two digits in each other's place
	strange := strings.Repeat("0", 64)
	const receipt = "1111111111111111111111111111111111111111111111111111111111111111"
	fleet := grace + brian + `appliers: ci: {keys: [` + keyC + `], may: ["apply"]}` + "\n"
	for name, x := range map[string]struct{ text, want, hint string }{
		"a person's":             {fleet + entry(a[0], receipt), "", ""},
		"as ssh-keygen shows it": {fleet + entry(a[1], "2027-01-01"), "", ""},
		"an applier's":           {fleet + entry(c[0], "2027-01-02T12:00:00Z"), "", ""},
		"under the person":       {fleet + "people: grace: " + entry(a[0], receipt), "", ""},
		"a slip": {fleet + entry(slip, receipt),
			"policy/policy.cue:19:11: key " + slip[:16] + "… is revoked, and no person or applier of the policy has it: nothing is taken out of service [CW0121]",
			`did you mean "` + b[0] + `" of person brian?`},
		"a slip in SSH's":         {fleet + entry(c[1][:49]+"A", receipt), "no person or applier", `did you mean "` + c[1] + `" of applier ci?`},
		"nobody's":                {fleet + entry(strange, receipt), "no person or applier", "mend the fingerprint; a key that is revoked stays in keys"},
		"where there are no keys": {entry(strange, receipt), "no person or applier", "mend the fingerprint; a key that is revoked stays in keys"},
		"under another person": {fleet + "people: grace: " + entry(b[0], receipt),
			"is revoked, and person grace does not have it", "it is person brian's: list it in the policy's own revoked"},
		"for recovery": {grace + "recovery: keys: [" + keyC + "]\n" + entry(c[0], receipt), "no person or applier", "it is a key for recovery: take it out of there"},
		"a day to come": {fleet + entry(a[0], "2027-01-03"),
			"key " + a[0][:16] + "… is revoked since 2027-01-03, which is to come: until then it counts [CW0121]", "give the day when it was lost"},
	} {
		t.Run(name, func(t *testing.T) {
			r := policy(t, x.text)
			if len(r.problems) > 0 {
				t.Fatal(picture(r.problems))
			}
			day, _ := time.Parse(time.DateOnly, "2027-01-02")
			warnings := slices.DeleteFunc(r.fleet.Warnings(day.Add(12*time.Hour)), func(p schema.Problem) bool { return p.Code == schema.Leaving })
			if x.want == "" {
				if len(warnings) > 0 {
					t.Errorf("warned\n%s", picture(warnings))
				}
				return
			}
			if len(warnings) != 1 || !strings.Contains(picture(warnings), x.want) || warnings[0].Hint != x.hint {
				t.Errorf("warned\n%s, want\n%s\n%q", picture(warnings), x.want, x.hint)
			}
		})
	}
}
