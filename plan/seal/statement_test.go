package seal_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

// edit changes one place of the golden statement.
type edit struct {
	old, replacement string
	want             string // the whole error, without who signed
}

func testEdits(t *testing.T, edits []edit) {
	t.Helper()
	signer := newForger(t)
	verifier := seal.NewVerifier(signer.public)
	statement := string(golden(t, "statement.json"))
	for _, e := range edits {
		t.Run(strings.TrimSuffix(e.replacement, ","), func(t *testing.T) {
			if !strings.Contains(statement, e.old) {
				t.Fatalf("no %s in the statement", e.old)
			}
			_, err := verifier.Open(signer.bundle(t, []byte(strings.Replace(statement, e.old, e.replacement, 1))))
			wantError(t, err, "statement signed by key "+signer.public.Fingerprint().Short()+": "+e.want)
		})
	}
}

func TestOpenRefusesStatements(t *testing.T) {
	testEdits(t, []edit{
		{`{"_type"`, `[{"_type"`, "statement: not JSON in UTF-8"},
		{`kisumu`, "\xff", "statement: not JSON in UTF-8"},
		{`"_type":"https://in-toto.io/Statement/v1",`, ``, "_type is missing"},
		{`"https://in-toto.io/Statement/v1"`, `1`, "_type is of the wrong kind: want a text"},
		{`in-toto.io/Statement/v1`, `in-toto.io/Statement/v2`, `statement of type "https://in-toto.io/Statement/v2", want "https://in-toto.io/Statement/v1"`},
		{`in-toto.io/Statement/v1`, `in-toto.io/Statement/v0.1`,
			`statement of type "https://in-toto.io/Statement/v0.1", want "https://in-toto.io/Statement/v1": cosign attest-blob keeps it with --statement, not with --predicate`},
		{`"_type"`, `"colour":1,"_type"`, "colour is unknown"},
		{`"_type"`, `"_Type":"https://in-toto.io/Statement/v1","_type"`, "_Type is unknown"},
		{`"_type"`, `"_type":"https://in-toto.io/Statement/v1","_type"`, "_type is given twice"},
		{`"_type"`, `"\u005ftype":"https://in-toto.io/Statement/v1","_type"`, "_type is given twice"},
		{`"_type"`, `"x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `,"_type"`, "statement: deeper than 16 levels"},
		{`"_type"`, `"x":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `,"_type"`, "x is unknown"},
		{`"_type"`, `"x":1e999,"_type"`, "x is unknown"},
		{`"subject"`, `"object"`, "subject is missing"},
		{`"subject":[`, `"subject":[],"x":[`, "statement with 0 subjects, want 1"},
		{`"subject":[`, `"subject":null,"x":[`, "subject is of the wrong kind: want a list"},
		{`"subject":[`, `"subject":[{},`, "statement with 2 subjects, want 1"},
		{`"subject":[`, `"subject":["plan.json"],"x":[`, "subject[0] is of the wrong kind: want an object"},
		{`"name":"plan.json"`, `"name":""`, "subject[0].name is out of bounds: want a text of 1 to 1024 bytes on one line"},
		{`"name":"plan.json"`, `"name":"a\nb"`, "subject[0].name is out of bounds: want a text of 1 to 1024 bytes on one line"},
		{`"name":"plan.json"`, `"name":"plan.json","uri":"x"`, "subject[0].uri is unknown"},
		{`{"sha256":"`, `{"sha512":"00","sha256":"`, "subject[0].digest.sha512 is unknown"},
		{`{"sha256":"`, `{"sha256":"0`, "subject[0].digest.sha256 is out of bounds: want 64 lower-case hexadecimal digits"},
		{`{"digest":{"sha256":"`, `{"digest":{"sha256":"AB","x":"`, "subject[0].digest.sha256 is out of bounds: want 64 lower-case hexadecimal digits"},
		{`charter/approval/v1`, `charter/mandate/v1`,
			`predicate of type "https://veonahealth.com/charter/mandate/v1", want "https://veonahealth.com/charter/approval/v1"`},
		{`"predicate":{`, `"predicate":null,"x":{`, "predicate is of the wrong kind: want an object"},
	})
}

func TestOpenRefusesApprovals(t *testing.T) {
	const root = `"sha256:d5b8fcc940a467b99967ca065abd98ee365197cc7817abca46223625951328d1"`
	testEdits(t, []edit{
		{`"decision":"approve",`, ``, "predicate.decision is missing"},
		{`"decision":"approve"`, `"Decision":"approve"`, "predicate.decision is missing"},
		{`"approve"`, `"APPROVE"`, `predicate.decision is out of bounds: want "approve" or "reject"`},
		{`"approve"`, `true`, "predicate.decision is of the wrong kind: want a text"},
		{`"approve"`, `null`, "predicate.decision is of the wrong kind: want a text"},
		{`"decision":"approve"`, `"decision":"reject","decision":"approve"`, "predicate.decision is given twice"},
		{`"environment":"default",`, ``, "predicate.environment is missing"},
		{`"default"`, `""`, "predicate.environment is out of bounds: want an environment's name"},
		{`"default"`, `"Prod"`, "predicate.environment is out of bounds: want an environment's name"},
		{`"batches"`, `"batch"`, "predicate.batches is missing"},
		{`"batches":{`, `"batches":[],"x":{`, "predicate.batches is of the wrong kind: want an object"},
		{`"count":3,`, ``, "predicate.batches.count is missing"},
		{`"count":3`, `"count":-1`, "predicate.batches.count is out of bounds: want a whole number from 0 to 10000000"},
		{`"count":3`, `"count":10000001`, "predicate.batches.count is out of bounds: want a whole number from 0 to 10000000"},
		{`"count":3`, `"count":99999999999999999999`, "predicate.batches.count is out of bounds: want a whole number from 0 to 10000000"},
		{`"count":3`, `"count":3.0`, "predicate.batches.count is of the wrong kind: want a whole number from 0 to 10000000"},
		{`"count":3`, `"count":"3"`, "predicate.batches.count is of the wrong kind: want a whole number from 0 to 10000000"},
		{`"count":3`, `"count":3,"leaves":[]`, "predicate.batches.leaves is unknown"},
		{`"root":"sha256:`, `"root":"`, "predicate.batches.root is out of bounds: want sha256:64 lower-case hexadecimal digits"},
		{root, strings.ToUpper(root), "predicate.batches.root is out of bounds: want sha256:64 lower-case hexadecimal digits"},
		{`,"tenants":["kisumu","mercy"]`, ``, "predicate.tenants is missing"},
		{`["kisumu","mercy"]`, `[]`, "predicate.tenants is out of bounds: want null for all, or 1 to 10000 tenants"},
		{`["kisumu","mercy"]`, `"kisumu"`, "predicate.tenants is of the wrong kind: want a list"},
		{`["kisumu","mercy"]`, `["kisumu",null]`, "predicate.tenants[1] is of the wrong kind: want a tenant's id"},
		{`["kisumu","mercy"]`, `["kisumu","*"]`, "predicate.tenants[1] is out of bounds: want a tenant's id"},
		{`["kisumu","mercy"]`, `["kisumu","mercy","kisumu"]`, "predicate.tenants is out of bounds: want each tenant once"},
		{`"not_after":"2027-03-01T12:00:00Z",`, ``, "predicate.not_after is missing"},
		{`"2027-03-01T12:00:00Z"`, `"2027-03-01"`, "predicate.not_after is out of bounds: want a time as RFC 3339 writes it"},
		{`"2027-03-01T12:00:00Z"`, `"0001-01-01T00:00:00Z"`, "predicate.not_after is out of bounds: want a time as RFC 3339 writes it"},
		{`"2027-03-01T12:00:00Z"`, `"9999-12-31T23:59:59-01:00"`, "predicate.not_after is out of bounds: want a time as RFC 3339 writes it"},
		{`"2027-03-01T12:00:00Z"`, `1803902400`, "predicate.not_after is of the wrong kind: want a text"},
		{`"comment":"`, `"comment":"` + strings.Repeat("a", 4096), "predicate.comment is out of bounds: want a text of at most 4096 bytes without control characters"},
		{`"comment":"`, `"comment":"\u001b[2J`, "predicate.comment is out of bounds: want a text of at most 4096 bytes without control characters"},
		{`"commit":"`, `"commit":"` + strings.Repeat("0", 256), "predicate.commit is out of bounds: want a text of at most 256 bytes without control characters"},
		{`"plan":"`, `"plan":{},"x":"`, "predicate.plan is of the wrong kind: want a text"},
		{`"comment"`, `"Comment"`, "predicate.Comment is unknown"},
		{`"comment"`, `"a\tb"`, `predicate."a\tb" is unknown`},
	})
}

const review = `{"account":"github:1234","at":"2027-02-20T08:00:00Z","change":5,"head":"3f6c1d0b8a7e5f4d3c2b1a09f8e7d6c5b4a39281","id":"77"}`

// withReview is the golden approval as a notary gives it.
func withReview(t testing.TB) seal.Approval {
	a := goldenApproval(t)
	a.Review = &seal.Review{Account: "github:1234", Change: 5, Head: a.Commit, ID: "77", At: time.Date(2027, 2, 20, 8, 0, 0, 0, time.UTC)}
	return a
}

func TestAReviewIsSignedWithTheApproval(t *testing.T) {
	text, err := seal.Statement(goldenSubject(t), withReview(t))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(golden(t, "statement.json")), `,"tenants":`, `,"review":`+review+`,"tenants":`, 1)
	if string(text) != want {
		t.Errorf("statement\n%s\nwant\n%s", text, want)
	}
	signer := newForger(t)
	opened, err := seal.NewVerifier(signer.public).Open(signer.bundle(t, text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(withReview(t), opened.Approval, identifiers()); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

func TestOpenRefusesReviews(t *testing.T) {
	const at = `,"tenants":`
	put := func(old, now string) string { return `,"review":` + strings.Replace(review, old, now, 1) + at }
	testEdits(t, []edit{
		{at, `,"review":null` + at, "predicate.review is of the wrong kind: want an object"},
		{at, `,"review":[]` + at, "predicate.review is of the wrong kind: want an object"},
		{at, `,"review":{}` + at, "predicate.review.account is missing"},
		{at, `,"Review":` + review + at, "predicate.Review is unknown"},
		{at, put(`"github:1234"`, `"github:ann"`), "predicate.review.account is out of bounds: want an account at a forge by its number, such as github:1234"},
		{at, put(`"github:1234"`, `"github:01234"`), "predicate.review.account is out of bounds: want an account at a forge by its number, such as github:1234"},
		{at, put(`"github:1234"`, `"example:1234"`), "predicate.review.account is out of bounds: want an account at a forge by its number, such as github:1234"},
		{at, put(`"change":5`, `"change":0`), "predicate.review.change is out of bounds: want the number of a pull request"},
		{at, put(`"change":5`, `"change":"5"`), "predicate.review.change is of the wrong kind: want a whole number from 0 to 1000000000"},
		{at, put(`"head":"3f`, `"head":"HEAD3f`), "predicate.review.head is out of bounds: want a commit's 40 or 64 hexadecimal digits"},
		{at, put(`"id":"77"`, `"id":""`), "predicate.review.id is out of bounds: want 1 to 64 letters, digits and dashes"},
		{at, put(`"id":"77"`, `"id":"7\n7"`), "predicate.review.id is out of bounds: want 1 to 64 letters, digits and dashes"},
		{at, put(`,"id":"77"`, ``), "predicate.review.id is missing"},
		{at, put(`"id":"77"`, `"id":"77","state":"approved"`), "predicate.review.state is unknown"},
		{at, put(`"2027-02-20T08:00:00Z"`, `"yesterday"`), "predicate.review.at is out of bounds: want a time as RFC 3339 writes it"},
	})
	rejected := withReview(t)
	rejected.Decision = seal.Reject
	_, err := seal.Statement(goldenSubject(t), rejected)
	wantError(t, err, `predicate.decision is out of bounds: want "approve", for a review`)
}

// Other tools may order and space a statement as they like, and leave out what
// is only for information.
func TestOpenReadsOtherSpellingsOfAStatement(t *testing.T) {
	const text = `
	{
	  "subject" : [ { "name" : "plan.json", "digest" : { "sha256" : "8d9f541984931314bb901670a85a0a974ba1df9ca8a7679b37a4043d80c974e7" } } ],
	  "predicateType" : "https://veonahealth.com/charter/approval/v1",
	  "predicate" : {
	    "tenants" : null ,
	    "not_after" : "2027-03-01T15:00:00.5+03:00",
	    "decision" : "reject",
	    "batches" : { "root" : "sha256:d5b8fcc940a467b99967ca065abd98ee365197cc7817abca46223625951328d1", "count" : 0 },
	    "environment" : "prod"
	  },
	  "_type" : "https:\/\/in-toto.io\/Statement\/v1"
	}
`
	signer := newForger(t)
	opened, err := seal.NewVerifier(signer.public).Open(signer.bundle(t, []byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	prod, err := catalog.ParseEnvironment("prod")
	if err != nil {
		t.Fatal(err)
	}
	want := &seal.Opened{
		Signer:  signer.public.Fingerprint(),
		Subject: seal.Subject{Name: "plan.json", SHA256: digest(t, "8d9f541984931314bb901670a85a0a974ba1df9ca8a7679b37a4043d80c974e7")},
		Approval: seal.Approval{
			Decision:    seal.Reject,
			Environment: prod,
			Batches:     seal.Batches{Root: digest(t, "d5b8fcc940a467b99967ca065abd98ee365197cc7817abca46223625951328d1")},
			NotAfter:    time.Date(2027, 3, 1, 12, 0, 0, 500_000_000, time.UTC),
		},
		Statement: []byte(text),
	}
	if diff := cmp.Diff(want, opened, identifiers()); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

func TestStatementRefusesWhatOpenWould(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*seal.Subject, *seal.Approval)
		want   string
	}{
		{"no decision", func(_ *seal.Subject, a *seal.Approval) { a.Decision = "" }, `predicate.decision is out of bounds: want "approve" or "reject"`},
		{"no environment", func(_ *seal.Subject, a *seal.Approval) { a.Environment = catalog.Environment{} }, "predicate.environment is out of bounds: want an environment's name"},
		{"an empty list of tenants", func(_ *seal.Subject, a *seal.Approval) { a.Tenants = []catalog.TenantID{} }, "predicate.tenants is out of bounds: want null for all, or 1 to 10000 tenants"},
		{"no time", func(_ *seal.Subject, a *seal.Approval) { a.NotAfter = time.Time{} }, "predicate.not_after is out of bounds: want a time as RFC 3339 writes it"},
		{"no name", func(s *seal.Subject, _ *seal.Approval) { s.Name = "" }, "subject[0].name is out of bounds: want a text of 1 to 1024 bytes on one line"},
		{"a comment that is not UTF-8", func(_ *seal.Subject, a *seal.Approval) { a.Comment = "caf\xe9" }, "statement: a text that is not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			subject, approval := goldenSubject(t), goldenApproval(t)
			test.change(&subject, &approval)
			_, err := seal.Statement(subject, approval)
			wantError(t, err, test.want)
		})
	}
}

func TestStatementSortsTenantsAndLeavesTheCallersListAlone(t *testing.T) {
	approval := goldenApproval(t)
	slices.Reverse(approval.Tenants)
	text, err := seal.Statement(goldenSubject(t), approval)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(golden(t, "statement.json")) {
		t.Errorf("statement %s", text)
	}
	if approval.Tenants[0] != tenant(t, "mercy") {
		t.Error("the caller's list was sorted")
	}
}

func TestSignRefusesWhatIsNoStatement(t *testing.T) {
	signer := goldenSigner(t)
	for _, test := range []struct{ text, want string }{
		{"approved", "statement: not JSON in UTF-8"},
		{"[]", "statement is of the wrong kind: want an object"},
		{`{"_type":"https://in-toto.io/Statement/v0.1"}`,
			`statement of type "https://in-toto.io/Statement/v0.1", want "https://in-toto.io/Statement/v1": cosign attest-blob keeps it with --statement, not with --predicate`},
		{strings.Repeat(" ", 768_001), "statement: 768001 bytes, want at most 768000"},
	} {
		_, err := signer.Sign([]byte(test.text))
		wantError(t, err, test.want)
	}
}

// The statements of later predicates go through the same envelope.
func TestSignTakesStatementsOfAnyPredicateType(t *testing.T) {
	mandate := strings.Replace(string(golden(t, "statement.json")), "charter/approval/v1", "charter/mandate/v1", 1)
	if _, err := goldenSigner(t).Sign([]byte(mandate)); err != nil {
		t.Fatal(err)
	}
}

func TestLargestApprovalFitsIntoABundle(t *testing.T) {
	approval := goldenApproval(t)
	approval.Comment = strings.Repeat("…", 4096/len("…"))
	approval.Tenants = nil
	for i := range 10_000 {
		approval.Tenants = append(approval.Tenants, tenant(t, strings.Repeat("a", 58)+string([]byte{
			'a' + byte(i/26/26/26%26), 'a' + byte(i/26/26%26), 'a' + byte(i/26%26), 'a' + byte(i%26), 'a'})))
	}
	text, err := seal.Statement(goldenSubject(t), approval)
	if err != nil {
		t.Fatal(err)
	}
	signer := goldenSigner(t)
	bundle, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.NewVerifier(signer.PublicKey()).Open(bundle); err != nil {
		t.Fatal(err)
	}
}

func TestLargestStatementFitsIntoABundle(t *testing.T) {
	signer := goldenSigner(t)
	text := golden(t, "statement.json")
	text = append(text, strings.Repeat(" ", 768_000-len(text))...)
	bundle, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.NewVerifier(signer.PublicKey()).Open(bundle); err != nil {
		t.Fatal(err)
	}
}

func goldenSigner(t testing.TB) *seal.Signer {
	t.Helper()
	signer, err := seal.OpenKey(golden(t, "charter.key"), []byte(goldenPassword))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}
