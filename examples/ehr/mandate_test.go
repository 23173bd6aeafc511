package main_test

import (
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/plan"
)

// The tests of this file hold mandates: what a machine may do by itself where rows
// were changed by hand.

// statement is an in-toto Statement about a file of a digest.
func statement(t *testing.T, predicateType string, digest [32]byte, predicate object) []byte {
	t.Helper()
	return encode(t, object{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": predicateType, "predicate": predicate,
		"subject": []object{{"name": "policy", "digest": object{"sha256": hex.EncodeToString(digest[:])}}},
	})
}

func (p person) sign(t *testing.T, statement []byte) json.RawMessage {
	t.Helper()
	bundle, err := p.Sign(statement)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

const (
	mandateType    = "https://veonahealth.com/charter/mandate/v1"
	correctionType = "https://veonahealth.com/charter/correction/v1"
)

// errand is a machine's write by a mandate. Its zero fields are what an honest one
// would have.
type errand struct {
	lines   []string
	people  []person
	machine *person
	terms   object // added to what is right
	leaves  string // the field that is left out
	batch   []string
	swapped bool // the mandate stands where the correction should
	env     string
}

func (e errand) authority(t *testing.T, w ward) object {
	t.Helper()
	terms := object{
		"environment": "default", "kinds": []string{"grant", "revoke"}, "tenants": nil, "per_hour": 10, "per_day": 50, "reason": "nights",
		"not_after": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	}
	for name, value := range e.terms {
		terms[name] = value
	}
	delete(terms, e.leaves)
	bundles := []json.RawMessage{}
	for _, p := range e.people {
		bundles = append(bundles, p.sign(t, statement(t, mandateType, plan.DigestOf(nil), terms)))
	}
	machine, of := e.machine, e.batch
	if machine == nil {
		machine = &w.machine
	}
	if of == nil {
		of = e.lines
	}
	correction := machine.sign(t, statement(t, correctionType, plan.Lines(of).Digest(), object{"environment": or(e.env, "default")}))
	if e.swapped {
		correction = bundles[0]
	}
	said := word{lines: e.lines}.authority(t)
	said["mandate"] = object{"bundles": bundles, "correction": correction}
	return said
}

// drifted is an EHR on which people approved rows, and then somebody changed them
// by hand while nothing was verified: theatre came and lab went.
func drifted(t *testing.T) (w ward, g grant, approved []row) {
	t.Helper()
	db := filepath.Join(t.TempDir(), "ehr.db")
	made, err := persons()
	if err != nil {
		t.Fatal(err)
	}
	w = ward{ada: made[0], ben: made[1], machine: made[2], mallory: made[3]}
	args := []string{"--trust", w.ada.file(t) + "," + w.ben.file(t), "--trust-applier", w.machine.file(t), "--need", "1,revoke=2"}
	at, stop := launch(t, db, args...)
	w.target = at
	approved = w.hospital(t, "mercy").Rows
	stop()
	w.target, stop = launch(t, db)
	g = w.grant(t, "mercy")
	byHand := append(without(g.Rows, "lab"), row{"main", "theatre"})
	w.replace(t, "mercy", g.ETag, byHand...).want(200)
	stop()
	w.target = startOn(t, db, args...)
	return w, w.grant(t, "mercy"), approved
}

func TestAMandateBringsBackWhatPeopleApprovedAndNothingElse(t *testing.T) {
	w, g, approved := drifted(t)
	both := []person{w.ada, w.ben}
	back := rowLines("mercy", stamped(g), "- main theatre", "+ main lab")
	for name, c := range map[string]struct {
		errand
		rows []row
	}{
		"one person where removals need two": {errand{lines: back, people: both[:1]}, approved},
		"a stranger's mandate":               {errand{lines: back, people: []person{w.ada, w.mallory}}, approved},
		"nobody's":                           {errand{lines: back}, approved},
		"a machine's own mandate":            {errand{lines: back, people: []person{w.machine, w.machine}}, approved},
		"no machine's word":                  {errand{lines: back, people: both, machine: &w.ada}, approved},
		"a machine's word for another batch": {errand{lines: back, people: both, batch: []string{"x"}}, approved},
		"a machine of another environment":   {errand{lines: back, people: both, env: "staging"}, approved},
		"a mandate for the machine's word":   {errand{lines: back, people: both, swapped: true}, approved},
		"another environment":                {errand{lines: back, people: both, terms: object{"environment": "staging"}}, approved},
		"a mandate that has ended":           {errand{lines: back, people: both, terms: object{"not_after": "2026-01-01T00:00:00Z"}}, approved},
		"a mandate to grant alone":           {errand{lines: back, people: both, terms: object{"kinds": []string{"grant"}}}, approved},
		"a mandate to revoke alone":          {errand{lines: back, people: both, terms: object{"kinds": []string{"revoke"}}}, approved},
		"other tenants":                      {errand{lines: back, people: both, terms: object{"tenants": []string{"grace"}}}, approved},
		"no word of tenants":                 {errand{lines: back, people: both, leaves: "tenants"}, approved},
		"no tenants":                         {errand{lines: back, people: both, terms: object{"tenants": []string{}}}, approved},
		"a field that is not known":          {errand{lines: back, people: both, terms: object{"also": 1}}, approved},
		"a row that nobody approved": {errand{lines: rowLines("mercy", stamped(g), "+ main icu"), people: both},
			append(slices.Clone(g.Rows), row{"main", "icu"})},
		"a removal of what was approved": {errand{lines: rowLines("mercy", stamped(g), "- main rx"), people: both}, without(g.Rows, "rx")},
	} {
		t.Run(name, func(t *testing.T) {
			w.put(t, g, c.authority(t, w), c.rows...).refused(403, "authority-invalid")
		})
	}
	body := object{"name": "Mercy"}
	renamed := errand{lines: requestLines(t, "mercy", "organisation", "PUT", "/clients/mercy", content(t, object{"id": "mercy", "name": "mercy"}), body), people: both}
	w.root(t, "PUT", "/clients/mercy", sent(body, renamed.authority(t, w))).refused(403, "authority-invalid")

	// Half of the way, then the rest, by a mandate that selects the tenant.
	selected := object{"tenants": []string{"grace", "mercy"}}
	half := errand{lines: rowLines("mercy", stamped(g), "+ main lab"), people: both[:1], terms: selected}
	g = readGrant(t, w.put(t, g, half.authority(t, w), append(slices.Clone(approved), row{"main", "theatre"})...).want(200))
	rest := errand{lines: rowLines("mercy", stamped(g), "- main theatre"), people: both, terms: selected}
	g = readGrant(t, w.put(t, g, rest.authority(t, w), approved...).want(200))
	if !slices.Equal(g.Rows, approved) {
		t.Errorf("rows %v, want %v", g.Rows, approved)
	}
}

func TestAMandateDoesNotBringBackWhatPeopleRevokedSince(t *testing.T) {
	w, g, approved := drifted(t)
	less := without(approved, "rx")
	said := word{lines: rowLines("mercy", stamped(g), "- main rx", "- main theatre", "+ main lab"), by: []person{w.ada, w.ben}}
	g = readGrant(t, w.put(t, g, said.authority(t), less...).want(200))
	old := errand{lines: rowLines("mercy", stamped(g), "+ main rx"), people: []person{w.ada, w.ben}}
	p := w.put(t, g, old.authority(t, w), approved...).refused(403, "authority-invalid")
	if !strings.Contains(p.Detail, "is not as it was approved") {
		t.Errorf("detail %q", p.Detail)
	}
}

func TestAMandateBringsBackNothingWhereNobodyApproved(t *testing.T) {
	made, err := persons()
	if err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(t.TempDir(), "ehr.db")
	w := ward{ada: made[0], ben: made[1], machine: made[2]}
	var stop func()
	w.target, stop = launch(t, db)
	id := w.provisioned(t, "t", "health-centre", "main")
	stop()
	w.target = startOn(t, db, "--trust", w.ada.file(t), "--trust-applier", w.machine.file(t))
	body := object{"edition": "health-centre", "facilities": []object{{"id": "annex", "name": "Annex"}}, "staff": []object{}}
	lines := requestLines(t, id, "provision", "POST", "/tenants/"+id+"/provision", content(t, []string{"main"}), body)
	w.root(t, "POST", "/tenants/"+id+"/provision", sent(body, word{lines: lines, by: []person{w.ada}}.authority(t))).want(200)
	g := w.grant(t, id)
	e := errand{lines: rowLines(id, stamped(g), "- main rx"), people: []person{w.ada}}
	rows := slices.DeleteFunc(slices.Clone(g.Rows), func(r row) bool { return r == row{"main", "rx"} })
	w.put(t, g, e.authority(t, w), rows...).refused(403, "authority-invalid")
}
