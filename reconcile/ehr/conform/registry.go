package conform

import (
	"encoding/json"
	"slices"
)

// registry are the checks of editions and instruments.
func registry() []check {
	return []check{
		{"editions: create, edit", "", checkEditionsAreWritten},
		{"editions: an edit changes no grant", "", checkAnEditionsEditChangesNoGrantButWhatIsProvisionedThen},
		{"connect entitlements", "", checkConnectEntitlements},
	}
}

// The tests of this file hold the contract's rows on editions and instruments.

// edition is an edition as a client reads it.
type edition struct {
	Key, Name string
	Modules   []string
	Limits    map[string]*int64
	Revision  int64
	Authority json.RawMessage
	ETag      string // the header's
}

func readEdition(t *T, r reply) (e edition) {
	r.decode(t, &e)
	e.ETag = r.Header.Get("ETag")
	return e
}

func checkEditionsAreWritten(t *T, at target) {
	key := unique("e")
	path := "/registry/editions/" + key
	body := object{
		"key": key, "name": "Clinic", "modules": []string{"rx", "lab"},
		"limits":    object{"facilities": 2, "beds": nil},
		"authority": object{"batch": "sha256:00"},
	}
	first := readEdition(t, at.root(t, "POST", "/registry/editions", body).want(201))
	t.Run("POST creates revision 1 with a tag", func(t *T) {
		if first.Revision != 1 || !slices.Equal(first.Modules, []string{"lab", "rx"}) || first.ETag == "" {
			t.Errorf("edition %+v", first)
		}
		if got := *first.Limits["facilities"]; got != 2 || first.Limits["beds"] != nil || first.Limits["users"] != nil {
			t.Errorf("limits %v", first.Limits)
		}
		read := readEdition(t, at.root(t, "GET", "/editions/"+key, nil).want(200))
		if string(encode(t, read)) != string(encode(t, first)) {
			t.Errorf("read %+v, written %+v", read, first)
		}
	})
	t.Run("and is 409 when it is there", func(t *T) {
		at.root(t, "POST", "/registry/editions", body).refused(409, "exists")
	})
	t.Run("the write is audited with its authority and revision", func(t *T) {
		trail := at.last(t)
		last := trail[len(trail)-1]
		if last.Event != "edition.upsert" || last.Tenant != key || *last.Revision != 1 || !sameJSON(t, last.Authority, body["authority"]) {
			t.Errorf("entry %+v", last)
		}
	})
	edit := object{"name": "Clinic", "modules": []string{"lab"}}
	t.Run("PUT needs a condition", func(t *T) {
		at.root(t, "PUT", path, edit).refused(428, "precondition-required")
		at.root(t, "PUT", path, edit).with("If-Match", "*").refused(428, "precondition-required")
	})
	t.Run("a stale one is 412 with the current revision", func(t *T) {
		p := at.root(t, "PUT", path, edit).with("If-Match", `"1-00"`).refused(412, "revision-moved")
		if *p.Revision != 1 || p.ETag != first.ETag {
			t.Errorf("problem %+v", p)
		}
		at.root(t, "PUT", path, edit).with("If-None-Match", "*").refused(412, "revision-moved")
	})
	t.Run("PUT on the current tag makes the next revision, also where nothing changes", func(t *T) {
		tag := first.ETag
		for revision := int64(2); revision < 4; revision++ {
			e := readEdition(t, at.root(t, "PUT", path, edit).with("If-Match", tag).want(200))
			if e.Revision != revision || e.ETag == tag || e.Limits["facilities"] != nil || string(e.Authority) != "null" {
				t.Errorf("edition %+v", e)
			}
			tag = e.ETag
		}
	})
	t.Run("If-None-Match: * creates", func(t *T) {
		other := "/registry/editions/" + unique("e")
		at.root(t, "PUT", other, edit).with("If-Match", first.ETag).refused(404, "not-found")
		if e := readEdition(t, at.root(t, "PUT", other, edit).with("If-None-Match", "*").want(201)); e.Revision != 1 {
			t.Errorf("edition %+v", e)
		}
	})
	for name, c := range map[string]struct {
		change object
		code   string
	}{
		"an unknown module":         {object{"modules": []string{"surgery"}}, "unknown-module"},
		"charter's key of a module": {object{"modules": []string{"labs"}}, "unknown-module"},
		"a module twice":            {object{"modules": []string{"lab", "lab"}}, "invalid"},
		"no modules":                {object{"modules": nil}, "invalid"},
		"no name":                   {object{"name": ""}, "invalid"},
		"a limit below none":        {object{"limits": object{"beds": -1}}, "invalid"},
		"an unknown limit":          {object{"limits": object{"bed": 1}}, "unknown-field"},
		"another key":               {object{"key": "other"}, "invalid"},
		"the server's revision":     {object{"revision": 3}, "unknown-field"},
	} {
		t.Run(name+" is 422", func(t *T) {
			body := object{"name": "X", "modules": []string{"lab"}}
			for field, value := range c.change {
				body[field] = value
			}
			at.root(t, "PUT", path, body).with("If-Match", first.ETag).refused(422, c.code)
		})
	}
}

func checkAnEditionsEditChangesNoGrantButWhatIsProvisionedThen(t *T, at target) {
	key := unique("e")
	held := readEdition(t, at.root(t, "POST", "/registry/editions", object{"key": key, "name": "E", "modules": []string{"lab"}}).want(201))
	id := at.provisioned(t, "t", key, "main")
	before := at.grant(t, id)
	at.root(t, "PUT", "/registry/editions/"+key, object{"name": "E", "modules": []string{"theatre"}}).
		with("If-Match", held.ETag).want(200)
	if after := at.grant(t, id); after.ETag != before.ETag {
		t.Errorf("grant moved from %s to %s", before.ETag, after.ETag)
	}
	at.root(t, "POST", "/tenants/"+id+"/provision", object{
		"edition": key, "facilities": []object{{"id": "new", "name": "New"}}, "staff": []object{},
	}).want(200)
	if after := at.grant(t, id); !slices.Contains(after.Rows, row{"new", "theatre"}) || len(after.Rows) != len(before.Rows)+1 {
		t.Errorf("grant %+v", after)
	}
}

func checkConnectEntitlements(t *T, at target) {
	id := at.provisioned(t, "t", "hospital", "main")
	path := "/tenants/" + id + "/connect-entitlements"
	type instrument struct {
		Key      string `json:"key"`
		Licensed bool   `json:"licensed"`
	}
	check := func(t *T, r reply, want ...instrument) {
		if want == nil {
			want = []instrument{}
		}
		if !sameJSON(t, r.body, object{"tenant": id, "instruments": want}) || r.Header.Get("ETag") != "" {
			t.Errorf("answer %s", r.body)
		}
	}
	read := func() reply { return at.root(t, "GET", path, nil).want(200) }
	check(t, read())
	put := func(instruments ...instrument) reply {
		if instruments == nil {
			instruments = []instrument{}
		}
		return at.root(t, "PUT", path, object{"instruments": instruments}).want(200)
	}
	sysmex, cobas := instrument{"sysmex-xn-1000", true}, instrument{"roche-cobas-c311", true}
	check(t, put(sysmex, cobas), cobas, sysmex)
	check(t, read(), cobas, sysmex)
	t.Run("one that is disabled, or left out, is told as not licensed", func(t *T) {
		off := instrument{"roche-cobas-c311", false}
		check(t, put(off, sysmex), off, sysmex)
		check(t, put(), off, instrument{"sysmex-xn-1000", false})
		check(t, put(cobas), cobas, instrument{"sysmex-xn-1000", false})
	})
	t.Run("it is audited", func(t *T) {
		trail := at.last(t)
		if last := trail[len(trail)-1]; last.Event != "tenant.connect_entitlements.put" || last.Tenant != id || last.Revision != nil {
			t.Errorf("entry %+v", last)
		}
	})
	for _, c := range []struct{ name, body, code string }{
		{"an unknown instrument", `{"instruments":[{"key":"x-ray-specs","licensed":true}]}`, "unknown-instrument"},
		{"one twice", `{"instruments":[{"key":"sysmex-xn-1000","licensed":true},{"key":"sysmex-xn-1000","licensed":false}]}`, "invalid"},
		{"no list", `{}`, "invalid"},
		{"no key", `{"instruments":[{"licensed":true}]}`, "invalid"},
		{"an unknown field", `{"instruments":[{"key":"sysmex-xn-1000","license":true}]}`, "unknown-field"},
		{"another tenant", `{"tenant":"other","instruments":[]}`, "invalid"},
	} {
		t.Run(c.name+" is 422 and changes nothing", func(t *T) {
			before := read()
			at.root(t, "PUT", path, c.body).refused(422, c.code)
			if after := read(); string(after.body) != string(before.body) {
				t.Errorf("after %s", after.body)
			}
		})
	}
	at.root(t, "GET", "/tenants/nothing/connect-entitlements", nil).refused(404, "not-found")
	at.root(t, "PUT", "/tenants/nothing/connect-entitlements", `{"instruments":[]}`).refused(404, "not-found")
}
