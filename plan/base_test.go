package plan_test

import (
	"strings"
	"testing"

	"github.com/veonahealth/charter/plan"
)

func TestABaseHasOneLineAndWordsForPeople(t *testing.T) {
	sum := plan.DigestOf([]byte("x"))
	for _, c := range []struct {
		base        *plan.Base
		line, words string
	}{
		{nil, "base none", "nothing"},
		{plan.OnStamp(stamp(7)), `base 7 "tag"`, "revision 7"},
		{plan.OnStamp(stamp(0)), `base 0 "tag"`, "revision 0"},
		{plan.OnProvisioned(0), "base provisioned 0", "what provisioning makes of revision 0"},
		{plan.OnProvisioned(7), "base provisioned 7", "what provisioning makes of revision 7"},
		{plan.OnContent(sum), "base " + sum.String(), "other contents"},
	} {
		if c.base.Line() != c.line || c.base.Words() != c.words {
			t.Errorf("%q, %q, want %q, %q", c.base.Line(), c.base.Words(), c.line, c.words)
		}
	}
}

func TestOnlyAStampIsOne(t *testing.T) {
	if got, ok := plan.OnStamp(stamp(7)).Stamp(); !ok || got != stamp(7) {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, base := range []*plan.Base{nil, plan.OnProvisioned(7), plan.OnContent(plan.Digest{})} {
		if got, ok := base.Stamp(); ok {
			t.Errorf("%s is %+v", base.Line(), got)
		}
	}
}

// TestContentIsTheSameHoweverItIsWritten holds the base to the canonical form.
func TestContentIsTheSameHoweverItIsWritten(t *testing.T) {
	want := must(plan.ContentOf(map[string]any{"b": 1, "a": "é"})).Line()
	for _, text := range []string{`{"a":"é","b":1}`, `{ "b" : 1.0, "a": "\u00e9" }`} {
		if got := must(plan.ContentOf([]byte(text))).Line(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if base, err := plan.ContentOf([]byte("{")); err == nil {
		t.Errorf("half a document is %s", base.Line())
	}
}

func TestABaseThatIsTwoThingsIsRefused(t *testing.T) {
	revision, none := int64(7), int64(-1)
	sum := plan.DigestOf(nil)
	for name, base := range map[string]*plan.Base{
		"none of them":                  {},
		"a revision and contents":       {Revision: &revision, ETag: `"tag"`, Content: &sum},
		"a revision and a provision":    {Revision: &revision, ETag: `"tag"`, Provisioned: &revision},
		"a provision of less than none": {Provisioned: &none},
		"a provision with a tag":        {Provisioned: &revision, ETag: `"tag"`},
		"a tag alone":                   {ETag: `"tag"`},
		"a revision without a tag":      {Revision: &revision},
		"a weak tag":                    {Revision: &revision, ETag: `W/"tag"`},
		"a tag with a line in it":       {Revision: &revision, ETag: "\"tag\"\n= 00"},
	} {
		_, err := plan.Decode(forged(plan.Edition, "basic", "PUT", "/registry/editions/basic", anEdition, base))
		if err == nil || !strings.Contains(err.Error(), "the base is no revision") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
