package conform

import (
	"encoding/json"
	"fmt"
	"slices"
)

// trail are the checks of the audit trail.
func trail() []check {
	return []check{{"audit", "", checkAudit}}
}

// head is the number of the newest audit entry.
func (at target) head(t *T) int64 {
	var p page
	at.root(t, "GET", "/audit?limit=1", nil).want(200).decode(t, &p)
	return p.Total
}

// since returns the audit entries after one.
func (at target) since(t *T, seq int64) (entries []entry) {
	for _, item := range at.all(t, fmt.Sprintf("/audit?limit=1000&since=%d", seq)).Items {
		var e entry
		if err := json.Unmarshal(item, &e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// last returns the newest audit entry, alone.
func (at target) last(t *T) []entry { return at.since(t, at.head(t)-1) }

func checkAudit(t *T, at target) {
	begin := at.head(t)
	id := at.provisioned(t, "t", "hospital", "main")
	wrote := readGrant(t, at.replace(t, id, at.grant(t, id).ETag, row{"main", "rx"}).want(200))
	at.root(t, "POST", "/clients", object{"id": id + "-org", "name": "X"}).want(409)
	at.root(t, "PUT", "/clients/"+id+"-org", object{
		"name": "Name <é \u2028 & \"quotes\">", "authority": object{"n": 1e21, "é": "\u20ac\u0001"},
	}).want(200)
	items := at.all(t, fmt.Sprintf("/audit?since=%d&limit=2", begin)).Items
	t.Run("each bears the hash of the one before, of its RFC 8785 form", func(t *T) { checkChain(t, begin, items) })
	t.Run("every accepted write has its entry, in order, and no refused one", func(t *T) {
		want := []string{
			"client.upsert " + id + "-org -", "tenant.upsert " + id + " -", "tenant.provision " + id + " 1",
			fmt.Sprintf("entitlement.write %s %d", id, wrote.Revision), "client.upsert " + id + "-org -",
		}
		if events := events(at.since(t, begin)); !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
	})
	t.Run("since is exclusive", func(t *T) {
		for _, after := range []int64{0, 3, 5, 99} {
			if left := at.since(t, begin+after); int64(len(left)) != max(0, 5-after) {
				t.Errorf("since the entry %d: %d entries", after, len(left))
			}
		}
	})
}

// checkChain checks entries that follow one another after the entry before.
func checkChain(t *T, before int64, items []json.RawMessage) {
	prev := ""
	for i, item := range items {
		var e entry
		if err := json.Unmarshal(item, &e); err != nil {
			t.Fatal(err)
		}
		if e.Seq != before+int64(i)+1 || i > 0 && e.Prev != prev || e.Actor == "" {
			t.Errorf("entry %d: %s", before+int64(i)+1, item)
		}
		if hash := hashOf(t, item); e.Hash != hash {
			t.Errorf("entry %d: hash %s, its RFC 8785 form gives %s", e.Seq, e.Hash, hash)
		}
		prev = e.Hash
	}
}

// events tells entries in a word each.
func events(entries []entry) (told []string) {
	for _, e := range entries {
		revision := "-"
		if e.Revision != nil {
			revision = fmt.Sprint(*e.Revision)
		}
		told = append(told, fmt.Sprintf("%s %s %s", e.Event, e.Tenant, revision))
	}
	return told
}
