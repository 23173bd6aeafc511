package ledger

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/veonahealth/charter/plan"
)

var some = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// sampleIntent is an intent with something in every field.
func sampleIntent() *Intent {
	digest, id := plan.DigestOf([]byte("plan")), ID{1}
	pin := Pin{Commit: strings.Repeat("a", 40), Digest: digest}
	return &Intent{
		Act: Apply, Approvals: []Approval{{Bundle: "b.sigstore.json", By: By{Fingerprint: "ff", ID: "amina"}}}, At: some,
		Audit: &AuditEntry{Hash: "ab", Seq: 7}, Batches: []Batch{{Digest: digest, Path: "/tenants/a", Subject: plan.Tenant, Tenant: "a"}, {At: &some, Digest: digest, Subject: plan.Entitlements, Tenant: "a"}},
		By: By{Fingerprint: "ff", ID: "ci"}, Catalog: pin, Commit: pin.Commit, CreatedAt: some, Environment: "default",
		Files:         []File{{Digest: digest, Name: "b.sigstore.json"}, {Digest: digest, Name: planFile}},
		FormatVersion: FormatVersion, Instance: "i", Kind: intentKind, Number: 1, Only: []string{"a"}, Plan: &digest, Policy: pin,
		Previous: &id, PreviousOutcome: &digest, Reason: "because <of> & \"that\"", Tree: pin.Commit,
	}
}

func sampleOutcome() *Outcome {
	i := sampleIntent()
	return &Outcome{
		Audit: i.Audit, Batches: []Result{{Digest: i.Batches[0].Digest, Revision: 3, State: Done}, {Digest: i.Batches[1].Digest, State: Scheduled}},
		By: i.By, Catalog: i.Catalog, Environment: i.Environment, FinishedAt: some, FormatVersion: FormatVersion, InStep: 4,
		Kind: outcomeKind, Number: 1, Policy: i.Policy, Receipt: ID{2}, Skipped: []Skip{{Reason: "held", Subject: plan.Entitlements, Tenant: "b"}},
	}
}

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	data, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAnIntentHasOneSpelling(t *testing.T) {
	whole := string(encoded(t, sampleIntent()))
	if _, err := DecodeIntent([]byte(whole)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":              "",
		"cut short":            whole[:len(whole)-3],
		"two objects":          whole + whole,
		"no newline":           strings.TrimSpace(whole),
		"a duplicate key":      strings.Replace(whole, `"number": 1,`, `"number": 1,"number": 1,`, 1),
		"a key of other case":  strings.Replace(whole, `"number"`, `"Number"`, 1),
		"an unknown key":       strings.Replace(whole, `"number": 1,`, `"number": 1,`+"\n  \"nonce\": 1,", 1),
		"keys in other order":  strings.Replace(strings.Replace(whole, "  \"number\": 1,\n", "", 1), "{\n", "{\n  \"number\": 1,\n", 1),
		"a missing key":        strings.Replace(whole, "  \"number\": 1,\n", "", 1),
		"another kind":         strings.Replace(whole, intentKind, outcomeKind, 1),
		"another major":        strings.Replace(whole, `"1.0"`, `"2.0"`, 1),
		"a time of other zone": strings.Replace(whole, "2026-11-22T09:00:00Z", "2026-11-22T10:00:00.0+01:00", 1),
		"a plan not beside it": strings.Replace(whole, planFile, "plan.yaml", 1),
		"a bundle not there":   strings.Replace(whole, `"bundle": "b`, `"bundle": "c`, 1),
		"a file elsewhere":     strings.ReplaceAll(whole, "b.sigstore.json", "../b.sigstore.json"),
		"a file twice":         strings.ReplaceAll(whole, "b.sigstore.json", planFile),
		"a commit that is none": strings.Replace(whole, `"commit": "`+strings.Repeat("a", 40)+`",
  "created_at"`, `"commit": "main",
  "created_at"`, 1),
		"not the first, and none before": strings.Replace(whole, `"previous": "`+ID{1}.String()+`"`, `"previous": null`, 1),
		"a founding that is not first":   strings.Replace(whole, `"act": "apply"`, `"act": "founding"`, 1),
	} {
		if text == whole {
			t.Errorf("%s: nothing was changed", name)
		}
		if i, err := DecodeIntent([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, i)
		}
	}
}

func TestALaterMinorVersionIsReadAsFarAsItIsKnown(t *testing.T) {
	whole := string(encoded(t, sampleIntent()))
	later := strings.Replace(strings.Replace(whole, `"1.0"`, `"1.1"`, 1), `"number": 1,`, `"nonce": 1, "number": 1,`, 1)
	if i, err := DecodeIntent([]byte(later)); err != nil || i.Number != 1 {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := DecodeIntent([]byte(strings.Replace(later, `"nonce": 1,`, `"nonce": 1, "nonce": 2,`, 1))); err == nil {
		t.Error("a duplicate key was read")
	}
}

func TestAnOutcomeIsOfItsIntentAlone(t *testing.T) {
	r := &Receipt{Number: 1, ID: ID{2}, Intent: sampleIntent()}
	if err := sampleOutcome().checkAgainst(r); err != nil {
		t.Fatal(err)
	}
	other := Pin{Commit: strings.Repeat("b", 40)}
	for name, spoil := range map[string]func(o *Outcome){
		"another receipt":          func(o *Outcome) { o.Receipt = ID{3} },
		"another number":           func(o *Outcome) { o.Number = 2 },
		"another environment":      func(o *Outcome) { o.Environment = "staging" },
		"a batch left out":         func(o *Outcome) { o.Batches = o.Batches[:1] },
		"another batch":            func(o *Outcome) { o.Batches[0].Digest = plan.Digest{} },
		"an unknown state":         func(o *Outcome) { o.Batches[0].State = "well" },
		"a batch that is later":    func(o *Outcome) { o.Batches[0].State = Scheduled },
		"an entry that is done":    func(o *Outcome) { o.Batches[1].State = Done },
		"a policy out of nowhere":  func(o *Outcome) { o.Policy = other },
		"a catalogue from nowhere": func(o *Outcome) { o.Catalog = other },
	} {
		o := sampleOutcome()
		spoil(o)
		if err := o.checkAgainst(r); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func FuzzDecodeIntent(f *testing.F) {
	f.Add(encoded(f, sampleIntent()))
	f.Add([]byte(`{"kind":"charter.intent","format_version":"1.0"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := DecodeIntent(data)
		if err == nil && i.FormatVersion == FormatVersion && !bytes.Equal(encoded(t, i), data) {
			t.Error("it encodes to other bytes")
		}
	})
}

func FuzzDecodeOutcome(f *testing.F) {
	f.Add(encoded(f, sampleOutcome()))
	f.Add([]byte(`{"kind":"charter.outcome","format_version":"1.0"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := DecodeOutcome(data)
		if err != nil {
			return
		}
		if o.FormatVersion == FormatVersion && !bytes.Equal(encoded(t, o), data) {
			t.Error("it encodes to other bytes")
		}
		_ = o.checkAgainst(&Receipt{Intent: sampleIntent()}) // whatever it says, it must not panic
	})
}

func TestAReceiptsIDIsReadBack(t *testing.T) {
	id := ID(plan.DigestOf([]byte("x")))
	if got, err := ParseID(id.String()); err != nil || got != id {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "00", "sha256:" + id.String(), strings.ToUpper(id.String()), id.String() + "0", strings.Repeat("x", 64)} {
		if got, err := ParseID(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
