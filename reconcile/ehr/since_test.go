package ehr_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/reconcile/ehr"
)

func TestGrantsSinceASnapshotAreThoseThatChanged(t *testing.T) {
	line := `{"tenant":"mercy","revision":7,"etag":"\"7-abc\"","rows":[],"authority":null}`
	platform := play(t, streams(line, `{"end":true,"total":1,"snapshot":"9-b"}`))
	var seen []string
	next, err := platform.client(t).GrantsSince(t.Context(), "8-a&x=1", func(g catalog.Grant) error {
		seen = append(seen, g.Tenant.String())
		return nil
	})
	if err != nil || next != "9-b" || strings.Join(seen, " ") != "mercy" {
		t.Errorf("%q, %q, %v", next, seen, err)
	}
	if query := platform.requests()[0].URL.RawQuery; query != "since=8-a%26x%3D1" {
		t.Errorf("it asks ?%s", query)
	}
}

func TestASnapshotThatIsGoneIsToldFromAFault(t *testing.T) {
	read := func(answer http.HandlerFunc) error {
		_, err := play(t, answer).client(t).GrantsSince(t.Context(), "8-a", func(catalog.Grant) error { return nil })
		return err
	}
	if err := read(refuses(http.StatusGone, "snapshot-gone")); !ehr.IsGone(err) {
		t.Errorf("gone: %v", err)
	}
	if err := read(refuses(http.StatusNotFound, "not-found")); err == nil || ehr.IsGone(err) {
		t.Errorf("not found: %v", err)
	}
	if _, err := play(t, streams()).client(t).GrantsSince(t.Context(), "", nil); err == nil {
		t.Error("no snapshot: no error")
	}
}

// trail answers with a page of audit entries, given as "seq prev hash".
func trail(total int, entries ...string) http.HandlerFunc {
	var items []string
	for _, text := range entries {
		var seq int
		var prev, hash string
		if _, err := fmt.Sscan(text, &seq, &prev, &hash); err != nil {
			panic(err) // the test's own text
		}
		items = append(items, fmt.Sprintf(`{"seq":%d,"prev":%q,"hash":%q,"event":"entitlement.write","at":"2026-11-22T10:00:00Z","actor":"ann","tenant":"mercy","revision":null,"authority":null}`, seq, prev, hash))
	}
	return gives(fmt.Sprintf(`{"items":[%s],"next_cursor":null,"total":%d,"snapshot":"s"}`, strings.Join(items, ","), total))
}

func TestTheAuditTrailIsAChainOrNothing(t *testing.T) {
	for name, c := range map[string]struct {
		entries []string
		fault   string
	}{
		"a chain":             {[]string{"5 d e", "6 e f", "7 f g"}, ""},
		"nothing new":         {nil, ""},
		"an entry left out":   {[]string{"5 d e", "7 f g"}, "does not join on"},
		"another's entry":     {[]string{"5 d e", "6 x f"}, "does not join on"},
		"what was seen again": {[]string{"4 c d", "5 d e"}, "those after 4 were asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			err := play(t, trail(len(c.entries), c.entries...)).client(t).Audit(t.Context(), 4, func(ehr.Entry) error { n++; return nil })
			if c.fault != "" {
				mustBeUnknown(t, err, c.fault)
			} else if err != nil || n != len(c.entries) {
				t.Errorf("%d entries, %v", n, err)
			}
		})
	}
}

func TestTheNewestEntryIsFoundInTwoRequestsHoweverLongTheTrailIs(t *testing.T) {
	platform := play(t, trail(70_000, "1 - a"), trail(1, "70000 y z"))
	head, err := platform.client(t).AuditHead(t.Context())
	if err != nil || head.Seq != 70_000 || head.Hash != "z" {
		t.Errorf("%+v, %v", head, err)
	}
	if n := len(platform.requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
	if head, err := play(t, trail(0)).client(t).AuditHead(t.Context()); err != nil || head.Seq != 0 {
		t.Errorf("an empty trail: %+v, %v", head, err)
	}
}

func TestEachTryIsToldWithTheClocksOfBothSides(t *testing.T) {
	date := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	var told []ehr.Exchange
	platform := play(t, refuses(http.StatusServiceUnavailable, "unavailable"), gives(grantOf7, "ETag", etag, "Date", date.Format(http.TimeFormat)))
	client := platform.client(t, func(o *ehr.Options) { o.Watch = func(_ context.Context, x ehr.Exchange) { told = append(told, x) } })
	if _, err := ask(t, client); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0].Status != 503 || told[1].Status != 200 || !told[1].Date.Equal(date) || told[1].Endpoint != "/tenants/{id}/entitlements" {
		t.Errorf("%+v", told)
	}
}
