package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

const writers = 64

// TestNoUpdateOfConcurrentWritersIsLost lets 64 clients add a module each to one
// grant, each by reading, adding and writing on the tag that it read.
func TestNoUpdateOfConcurrentWritersIsLost(t *testing.T) {
	at := start(t)
	var facilities []string
	for i := range writers {
		facilities = append(facilities, fmt.Sprintf("f-%d", i))
	}
	id := at.provisioned(t, "t", "health-centre", facilities...)
	at.replace(t, id, at.grant(t, id).ETag).want(200)
	before := at.grant(t, id).Revision
	var group sync.WaitGroup
	for _, facility := range facilities {
		group.Go(func() {
			mine := row{facility, "theatre"}
			for {
				g := at.grant(t, id)
				r := at.replace(t, id, g.ETag, append(g.Rows, mine)...).send()
				if r.StatusCode == http.StatusPreconditionFailed {
					continue
				}
				if r.StatusCode != http.StatusOK {
					t.Errorf("status %d: %s", r.StatusCode, r.body)
				}
				if got := at.gate(t, id+"/"+facility+"/theatre"); got != 200 {
					t.Errorf("gate of %s after its PUT returned: %d", facility, got)
				}
				return
			}
		})
	}
	group.Wait()
	g := at.grant(t, id)
	if len(g.Rows) != writers || g.Revision != before+writers {
		t.Errorf("%d rows at revision %d, want %d at %d", len(g.Rows), g.Revision, writers, before+writers)
	}
	checkTrail(t, at.trail(t), map[string]int64{id: g.Revision})
}

// checkTrail checks that a trail is one chain without gaps that holds every
// revision of each tenant, from the first to its newest, exactly once and in
// order.
func checkTrail(t *testing.T, trail []entry, newest map[string]int64) {
	t.Helper()
	revisions, prev := map[string]int64{}, ""
	for i, e := range trail {
		if e.Seq != int64(i+1) || e.Prev != prev {
			t.Fatalf("entry %d of the trail: seq %d, prev %q after hash %q", i+1, e.Seq, e.Prev, prev)
		}
		text := encode(t, e)
		if hash := hashOf(t, text); hash != e.Hash {
			t.Fatalf("entry %d: hash %s, want %s", e.Seq, e.Hash, hash)
		}
		prev = e.Hash
		if e.Revision == nil {
			continue
		}
		if *e.Revision != revisions[e.Tenant]+1 {
			t.Fatalf("entry %d: revision %d of tenant %s after %d", e.Seq, *e.Revision, e.Tenant, revisions[e.Tenant])
		}
		revisions[e.Tenant] = *e.Revision
	}
	for tenant, revision := range newest {
		if revisions[tenant] != revision {
			t.Errorf("tenant %s: revision %d in the trail, %d live", tenant, revisions[tenant], revision)
		}
	}
}

// TestTheTrailAgreesWithWhatWritersWereAnswered is a property of any schedule: 64
// clients write to a few tenants, some on tags that are stale, some with rows that
// are wrong, some twice with one key.
func TestTheTrailAgreesWithWhatWritersWereAnswered(t *testing.T) {
	at := start(t)
	known := modules(t)
	rapid.Check(t, func(rt *rapid.T) {
		ids := make([]string, rapid.IntRange(1, 3).Draw(rt, "tenants"))
		for i := range ids {
			ids[i] = at.provisioned(t, "p", "health-centre", "main")
		}
		type step struct {
			tenant       int
			module       string
			stale, wrong bool
			twice        bool
		}
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				tenant: rapid.IntRange(0, len(ids)-1).Draw(rt, "tenant"),
				module: rapid.SampledFrom(known).Draw(rt, "module"),
				stale:  rapid.IntRange(0, 3).Draw(rt, "stale") == 0,
				wrong:  rapid.IntRange(0, 3).Draw(rt, "wrong") == 0,
				twice:  rapid.IntRange(0, 3).Draw(rt, "twice") == 0,
			}
		}), writers, writers).Draw(rt, "steps")
		var accepted atomic.Int64
		var group sync.WaitGroup
		before := len(at.trail(t))
		for i, s := range steps {
			group.Go(func() {
				id := ids[s.tenant]
				etag, facility := at.grant(t, id).ETag, "main"
				if s.stale {
					etag = `"0-stale"`
				}
				if s.wrong {
					facility = "nowhere"
				}
				key := unique(fmt.Sprint("key-", i))
				first := at.replace(t, id, etag, row{facility, s.module}).with("Idempotency-Key", key).send()
				if first.StatusCode == http.StatusOK {
					accepted.Add(1)
				}
				if (s.stale || s.wrong) && first.StatusCode == http.StatusOK {
					t.Errorf("a write that is stale or wrong was accepted: %+v", s)
				}
				if s.twice && first.StatusCode == http.StatusOK {
					again := at.replace(t, id, etag, row{facility, s.module}).with("Idempotency-Key", key).send()
					if string(again.body) != string(first.body) {
						t.Errorf("a retry is answered %s, at first %s", again.body, first.body)
					}
				}
			})
		}
		group.Wait()
		trail := at.trail(t)
		newest := map[string]int64{}
		for _, id := range ids {
			newest[id] = at.grant(t, id).Revision
		}
		checkTrail(t, trail, newest)
		if written := int64(len(trail) - before); written != accepted.Load() {
			rt.Fatalf("%d writes were accepted, %d are in the trail", accepted.Load(), written)
		}
	})
}

// TestListsStayConsistentWhileWritesGoOn reads lists in small pages, and the bulk
// stream, while others add and rename.
func TestListsStayConsistentWhileWritesGoOn(t *testing.T) {
	at := start(t)
	id := at.provisioned(t, "t", "health-centre", "f-0")
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		defer close(done)
		for i := range 150 {
			at.root(t, "POST", "/tenants/"+id+"/provision", object{
				"edition": "health-centre", "staff": []object{},
				"facilities": []object{{"id": fmt.Sprintf("f-%d", (i*37)%151+1), "name": "New"}},
			}).want(200)
			at.root(t, "PUT", "/tenants/"+id+"/facilities/f-0", object{"name": fmt.Sprint("Name ", i)}).want(200)
		}
	})
	reading := func(check func()) {
		group.Go(func() {
			for running(done) {
				check()
			}
		})
	}
	reading(func() {
		list := at.all(t, "/tenants/"+id+"/facilities?limit=7")
		if !slices.IsSortedFunc(list.Items, func(a, b json.RawMessage) int { return compareIDs(t, a, b) }) {
			t.Error("the pages together are not sorted by id, each once")
		}
	})
	reading(func() { checkTrail(t, at.trail(t), nil) })
	reading(func() {
		grants, snapshot := at.bulk(t, "/entitlements")
		for _, g := range grants {
			if len(g.Rows) != int(g.Revision)*len(g.Modules) {
				t.Errorf("snapshot %s: %d rows at revision %d", snapshot, len(g.Rows), g.Revision)
			}
		}
		at.bulk(t, "/entitlements?since="+snapshot)
	})
	group.Wait()
	if list := at.all(t, "/tenants/"+id+"/facilities?limit=50"); list.Total != 151 {
		t.Errorf("%d facilities", list.Total)
	}
}

func running(done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
		return true
	}
}

func compareIDs(t *testing.T, a, b json.RawMessage) int {
	t.Helper()
	var ids [2]struct{ ID string }
	for i, item := range []json.RawMessage{a, b} {
		if err := json.Unmarshal(item, &ids[i]); err != nil {
			t.Fatal(err)
		}
	}
	if ids[0].ID < ids[1].ID {
		return -1
	}
	return 1 // also where they are the same: a list holds each once
}
