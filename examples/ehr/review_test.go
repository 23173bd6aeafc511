package main_test

import (
	"slices"
	"testing"
)

// reviewing starts an EHR to which Mallory is a notary. Ada has two accounts beside her
// key, Ben none, and an account is of somebody who has no key.
func reviewing(t *testing.T, more ...string) ward {
	t.Helper()
	made, err := persons()
	if err != nil {
		t.Fatal(err)
	}
	w := ward{ada: made[0], ben: made[1], machine: made[2], mallory: made[3]}
	w.target = start(t, append([]string{
		"--trust", w.ada.file(t), w.ben.file(t), "--trust-applier", w.machine.file(t), "--trust-notary", w.mallory.file(t),
		"--reviewer", "github:1,gitlab:1," + w.ada.file(t), "--reviewer", "github:3",
	}, more...)...)
	return w
}

// says is a word for the review of an account.
func (p person) says(account string) person {
	p.account = account
	return p
}

// A notary's bundle is the approval of the person whose account that is, once; what an
// applier or anybody else signs is nobody's, and neither is a notary's own word.
func TestAReviewIsThePersonOfTheAccount(t *testing.T) {
	w := reviewing(t)
	g := w.hospital(t, "mercy")
	more := append(slices.Clone(g.Rows), row{"main", "theatre"})
	grant := rowLines("mercy", stamped(g), "+ main theatre")
	notary := w.mallory
	for name, by := range map[string][]person{
		"an account of nobody":            {notary.says("github:9")},
		"the number at another forge":     {notary.says("gitea:1")},
		"a notary's own word":             {notary},
		"an applier's plain signature":    {w.machine},
		"an applier that is no notary":    {w.machine.says("github:1")},
		"a person who speaks of a review": {w.ben.says("github:1")},
		"a person of their own review":    {w.ada.says("github:1")},
	} {
		t.Run(name, func(t *testing.T) {
			w.put(t, g, word{lines: grant, by: by}.authority(t), more...).refused(403, "authority-invalid")
		})
	}
	w.put(t, g, word{lines: grant, by: []person{notary.says("github:3")}}.authority(t), more...).want(200)
	g = w.grant(t, "mercy")

	fewer := without(g.Rows, "theatre")
	revoke := rowLines("mercy", stamped(g), "- main theatre")
	w.put(t, g, word{lines: revoke, by: []person{notary.says("github:3")}}.authority(t), fewer...).refused(403, "authority-invalid")
	body := object{"id": "o", "name": "O"}
	create := requestLines(t, "o", "organisation", "POST", "/clients", "base none", body)
	w.root(t, "POST", "/clients", sent(body, word{lines: create, by: []person{notary.says("github:3")}}.authority(t))).refused(403, "authority-invalid")
	w.put(t, g, word{lines: revoke, by: []person{w.ada}}.authority(t), fewer...).want(200)
}

func TestAPersonIsCountedOnceHoweverTheyApprove(t *testing.T) {
	w := reviewing(t, "--need", "2", "--any-review")
	notary := w.mallory
	body := object{"id": "o", "name": "O"}
	lines := requestLines(t, "o", "organisation", "POST", "/clients", "base none", body)
	write := func(by ...person) call {
		return w.root(t, "POST", "/clients", sent(body, word{lines: lines, by: by}.authority(t)))
	}
	for name, by := range map[string][]person{
		"a review twice":        {notary.says("github:1"), notary.says("github:1")},
		"two accounts":          {notary.says("github:1"), notary.says("gitlab:1")},
		"a key and an account":  {w.ada, notary.says("github:1")},
		"a person and a notary": {w.ada, notary},
	} {
		t.Run(name, func(t *testing.T) { write(by...).refused(403, "authority-invalid") })
	}
	write(w.ada, notary.says("github:3")).want(201)
}
