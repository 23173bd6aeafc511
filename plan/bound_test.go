package plan_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// everySubject are plans that together have a batch of every kind.
func everySubject() map[string]*plan.Plan {
	altered, was := customer(), settled()
	altered.Facilities = append(altered.Facilities, catalog.Facility{ID: facility("c"), Name: "Site C", Users: 3, Pos: at("t.cue", 14)})
	altered.Licence.Revoked, altered.Admins[0].Withdrawn = "moved", "left"
	was.Tenant.Name, was.Tenant.Edition = "Kisumo", "extra"
	was.Facilities[0].Beds, was.Facilities[0].Name = 7, "Old"
	was.Grant.Rows = rows("a register, a ward")
	was.Facilities, was.Instruments, was.Admins = was.Facilities[:1], []string{"dxh", "zybio"}, was.Admins[:1]

	registry := registryBuilder()
	thereNow := asDeclared()
	basic := thereNow["basic"]
	basic.Modules, basic.Limits, basic.Name = []string{"register", "theatre"}, limits(5), "Old"
	thereNow["basic"] = basic
	delete(thereNow, "extra")
	for _, part := range must(registry.Editions(thereNow, all)) {
		registry.Add(part)
	}
	named := func(id string) catalog.Organisation {
		return catalog.Organisation{ID: must(catalog.ParseOrganisationID(id)), Name: strings.ToUpper(id)}
	}
	there := map[string]catalog.LiveOrganisation{"county": {ID: "county", Name: "Old"}}
	for _, part := range must(registry.Organisations([]catalog.Organisation{named("county"), named("state")}, there)) {
		registry.Add(part)
	}

	ends := tenant()
	ends.Timezone = "Africa/Nairobi"
	span := catalog.Span{Until: day("2027-06-01")}
	ends.Grants = []catalog.Adjustment{{Module: module("ward"), Reason: "pilot", Span: span}, {Module: module("theatre"), Reason: "pilot", Span: span}}

	was1, was2, now := plan.DigestOf([]byte("1")), plan.DigestOf([]byte("2")), plan.DigestOf([]byte("3"))
	rules := plan.NewBuilder(plan.Header{
		At: day("2027-01-01"), Environment: environment("default"), Policy: now, LastPolicy: &was1, Catalog: now, LastCatalog: &was2,
	}, testCatalog(), nil)
	return map[string]*plan.Plan{
		"new": build(customer(), plan.Live{Absent: true}), "altered": build(altered, was), "registry": must(registry.Plan()),
		"rows": build(ends, live("a legacy, b theatre")), "rules": must(rules.Plan()),
	}
}

// liveBasic is the edition that the registry's plan changes, as it is live.
func liveBasic() catalog.LiveEdition {
	return catalog.LiveEdition{Key: "basic", Limits: limits(5), Modules: []string{"register", "theatre"}, Name: "Old"}
}

// taken reads a plan file, and asks of the live edition what apply asks.
func taken(file []byte) (*plan.Plan, error) {
	p, err := plan.Decode(file)
	if err != nil {
		return nil, err
	}
	for i := range p.Batches {
		b := &p.Batches[i]
		edition := liveBasic()
		if b.Subject == plan.Provision {
			edition.Modules = []string{"lab", "register"}
		}
		if _, stamped := b.Base.Stamp(); b.Subject == plan.Provision || b.Subject == plan.Edition && stamped && b.Tenant == "basic" {
			if err := b.CheckEdition(edition); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// sends says what the batches and entries of a plan write.
func sends(p *plan.Plan) string {
	var lines []string
	for _, b := range p.Batches {
		if b.Request == nil {
			lines = append(lines, fmt.Sprint(b.Subject, " ", b.Tenant, " ", rowsOf(b.Changes)))
			continue
		}
		body := must(json.Marshal(anything(b.Request.Body)))
		lines = append(lines, fmt.Sprint(b.Subject, " ", b.Tenant, " ", b.Request.Method, b.Request.Path, string(body)))
	}
	for _, e := range p.Scheduled {
		lines = append(lines, fmt.Sprint(e.At, " ", e.Tenant, " ", rowsOf(e.Changes)))
	}
	return strings.Join(lines, "\n")
}

// rowsOf are the rows that changes of a tenant write, or what the fleet's own rules
// come to.
func rowsOf(changes []plan.Change) []string {
	var list []string
	for _, c := range changes {
		if c.Kind == string(plan.Policy) || c.Kind == string(plan.Catalog) {
			list = append(list, c.After)
			continue
		}
		list = append(list, fmt.Sprint(c.Action, " ", c.Facility, " ", c.EHRModule))
	}
	slices.Sort(list)
	return list
}

// shows says what people see of a plan's batches and entries. What a thing was
// before a licence is revoked, and what is for information, is left out.
func shows(p *plan.Plan) string {
	var lines []string
	add := func(of string, changes []plan.Change) {
		var list []string
		for _, c := range changes {
			if c.Kind == string(plan.Licence) {
				c.Before = ""
			}
			list = append(list, fmt.Sprintf("%q", []any{of, c.Action, c.Kind, c.Facility, c.Key, c.Before, c.After, c.Module, c.EHRModule, c.Critical, c.Routes}))
		}
		slices.Sort(list)
		lines = append(lines, list...)
	}
	for _, b := range p.Batches {
		add(string(b.Subject)+b.Tenant, b.Changes)
	}
	for _, e := range p.Scheduled {
		at := e.At
		if e.Local != "" {
			at = must(time.Parse(time.RFC3339, e.Local))
		}
		add(e.Tenant+at.UTC().String(), e.Changes)
	}
	return strings.Join(lines, "\n")
}

// edits yields a JSON value with one thing in it altered at a time, and where that
// was: a text that is longer, empty or one from elsewhere, a number, a truth, a
// field or an item that is missing, an item that stands twice.
func edits(value any, path string, texts []string, yield func(where string, edited any)) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			less := maps.Clone(v)
			delete(less, key)
			yield(path+"/"+key+" left out", less)
			if key == "reason" {
				continue // for information
			}
			edits(v[key], path+"/"+key, texts, func(where string, edited any) {
				with := maps.Clone(v)
				with[key] = edited
				yield(where, with)
			})
		}
	case []any:
		for i, item := range v {
			yield(fmt.Sprint(path, "/", i, " left out"), slices.Delete(slices.Clone(v), i, i+1))
			yield(fmt.Sprint(path, "/", i, " twice"), slices.Insert(slices.Clone(v), i, item))
			edits(item, fmt.Sprint(path, "/", i), texts, func(where string, edited any) {
				with := slices.Clone(v)
				with[i] = edited
				yield(where, with)
			})
		}
	case string:
		for _, text := range append([]string{v + "x", ""}, texts...) {
			if text != v {
				yield(fmt.Sprintf("%s is %q", path, text), text)
			}
		}
	case json.Number:
		yield(path+" with a digit more", json.Number("1"+v.String()))
	case bool:
		yield(path+" the other way", !v)
	case nil:
		yield(path+" is there", json.Number("1"))
	}
}

var otherTexts = []string{"b", "ward", "grant", "extra", "unlimited"}

// TestEveryEditOfAPlanFileIsRefusedOrChangesNothing edits one thing at a time.
func TestEveryEditOfAPlanFileIsRefusedOrChangesNothing(t *testing.T) {
	for name, p := range everySubject() {
		sent, shown, refused := sends(p), shows(p), 0
		edits(anything(must(plan.Encode(p))), "", otherTexts, func(where string, edited any) {
			if strings.HasPrefix(where, "/format_version is") {
				return // another version's plan is not applied
			}
			got, err := taken(must(json.Marshal(edited)))
			switch {
			case err != nil:
				refused++
			case sends(got) != sent:
				t.Errorf("%s: %s: it sends something else", name, where)
			case shows(got) != shown || got.Summary != p.Summary:
				t.Errorf("%s: %s: it shows something else", name, where)
			}
		})
		if refused == 0 {
			t.Errorf("%s: nothing was refused", name)
		}
	}
}

// TestAForgedPlanShowsWhatItSends edits one thing at a time and takes every digest
// anew, as somebody does who wants people to approve what they do not see. A
// licence's modules are summed up, by their number.
func TestAForgedPlanShowsWhatItSends(t *testing.T) {
	for name, p := range everySubject() {
		edits(anything(must(plan.Encode(p))), "", otherTexts, func(where string, edited any) {
			if strings.HasPrefix(where, "/format_version is") {
				return
			}
			if fault := forgery(p, must(json.Marshal(edited))); fault != "" && !licensedModule(p, where) {
				t.Errorf("%s: %s: %s", name, where, fault)
			}
		})
	}
}

// forgery says how an altered file, of which every digest is taken anew, deceives
// those who read the plan, or "".
func forgery(p *plan.Plan, edited []byte) string {
	var altered plan.Plan
	if err := json.Unmarshal(edited, &altered); err != nil {
		return ""
	}
	for i := range altered.Batches {
		if b := &altered.Batches[i]; b.Request != nil && !json.Valid(b.Request.Body) {
			return ""
		}
	}
	if _, err := catalog.ParseEnvironment(altered.Environment); err != nil {
		return ""
	}
	got, err := taken(sealed(&altered))
	switch {
	case err != nil:
		return ""
	case sends(got) != sends(p) && shows(got) == shows(p):
		return "it sends something else than it shows"
	case sends(got) == sends(p) && shows(got) != shows(p):
		return "it shows something else than it sends"
	}
	return ""
}

func licensedModule(p *plan.Plan, where string) bool {
	for i, b := range p.Batches {
		if b.Subject == plan.Licence && strings.HasPrefix(where, fmt.Sprintf("/batches/%d/request/body/modules/", i)) {
			return true
		}
	}
	return false
}

func TestBatchesInAnotherOrderAreRefused(t *testing.T) {
	p := build(customer(), plan.Live{Absent: true})
	slices.Reverse(p.Batches)
	if _, err := plan.Decode(sealed(p)); err == nil || !strings.Contains(err.Error(), "order") {
		t.Errorf("error %v", err)
	}
}

// TestNewFacilitiesShowTheRowsOfTheirEdition hides one module's rows.
func TestNewFacilitiesShowTheRowsOfTheirEdition(t *testing.T) {
	b := plan.NewBuilder(plan.Header{At: day("2027-01-01"), Environment: environment("default")}, testCatalog(), nil)
	for _, part := range must(b.Editions(map[string]catalog.LiveEdition{}, all)) {
		b.Add(part)
	}
	b.Add(must(b.Tenant(customer(), plan.Live{Absent: true})))
	p := must(b.Plan())
	if _, err := plan.Decode(sealed(p)); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(p.Batches, func(b plan.Batch) bool { return b.Subject == plan.Provision })
	provision := &p.Batches[at]
	provision.Changes = slices.DeleteFunc(provision.Changes, func(c plan.Change) bool { return c.EHRModule == "lab" })
	if _, err := plan.Decode(sealed(p)); err == nil {
		t.Error("rows that the plan's own edition gives are hidden")
	}
	p.Batches = p.Batches[1:] // without the edition
	if _, err := plan.Decode(sealed(p)); err != nil {
		t.Errorf("without the edition nobody can tell: %v", err)
	}
	live := catalog.LiveEdition{Key: "basic", Modules: []string{"lab", "register"}}
	if err := p.Batches[at-1].CheckEdition(live); err == nil {
		t.Error("rows that the live edition gives are hidden")
	}
}

// FuzzAForgedPlanShowsWhatItSends puts any text in the place of any other.
func FuzzAForgedPlanShowsWhatItSends(f *testing.F) {
	plans := everySubject()
	names := slices.Sorted(maps.Keys(plans))
	for i := range names {
		f.Add(uint8(i), uint16(40*i), "extra")
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, text string) {
		p := plans[names[int(which)%len(names)]]
		var n uint16
		edits(anything(must(plan.Encode(p))), "", []string{text}, func(where string, edited any) {
			n++
			if n != at || strings.HasPrefix(where, "/format_version is") || licensedModule(p, where) {
				return
			}
			if fault := forgery(p, must(json.Marshal(edited))); fault != "" {
				t.Errorf("%s: %s", where, fault)
			}
		})
	})
}
