package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/veonahealth/charter/catalog"
)

// ApprovalType is the predicateType of an approval.
const ApprovalType = "https://veonahealth.com/charter/approval/v1"

// The bounds of an approval's fields. A named tenant is at most 66 bytes of JSON,
// so that a list of maxTenants fits into maxStatement.
const (
	maxBatches = 10_000_000
	maxTenants = 10_000
	maxInfo    = 256
	maxComment = 4096
)

// digestPrefix stands before the hexadecimal digits of every digest of a plan.
const digestPrefix = "sha256:"

// Decision is what an approver has decided.
type Decision string

// The decisions.
const (
	Approve Decision = "approve"
	Reject  Decision = "reject" // blocks until the same person approves later
)

// Batches are the batches of a plan, under one hash.
type Batches struct {
	Root  [sha256.Size]byte // the plan's batches_root
	Count int               // how many leaves the tree has, 0 to 10,000,000
}

// Approval is the predicate by which a person approves batches of a plan, or
// rejects them. What counts is its decision for the batches under its root, for
// as long as it says; the plan file that was looked at is only the subject.
type Approval struct {
	Decision    Decision            // required
	Environment catalog.Environment // whose batches; required
	Batches     Batches             // required
	// Tenants are those whose batches the decision is about, 1 to 10,000,
	// sorted; nil is every batch under the root. A list that is not nil and
	// empty is refused, as the two are too easily taken for one another; and a
	// list never covers batches that are of no tenant.
	Tenants  []catalog.TenantID
	NotAfter time.Time // the last instant at which it counts, in UTC; required
	// Review is the review at a forge that a notary found, and then it is the
	// decision of that account and not of the key that signed; nil for a decision of
	// the signer's own. Only approvals bear one.
	Review *Review

	// The rest is for people and reports. Nothing may be decided by it: nobody
	// checks that it is true. Each may be "".

	Plan    string // the digest of the plan file, at most 256 bytes
	Commit  string // the commit that was planned, at most 256 bytes
	Policy  string // the digest of the policy in force, at most 256 bytes
	Comment string // the approver's own words, at most 4096 bytes, of lines
}

// Review is an approving review of a change at a forge.
type Review struct {
	Account string // by the forge's own number, such as github:1234
	Change  int    // the number of the pull request, from 1
	Head    string // the commit that was reviewed, 40 or 64 hexadecimal digits
	ID      string // what the forge calls the review, 1 to 64 letters, digits and dashes
	At      time.Time
}

// maxChange is the highest number of a pull request.
const maxChange = 1_000_000_000

var (
	accountForm = regexp.MustCompile(`^(github|gitea|gitlab):[1-9][0-9]{0,19}$`)
	commitForm  = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	reviewForm  = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
)

// wireApproval has the fields of the predicate sorted by key.
type wireApproval struct {
	Batches     wireBatches         `json:"batches"`
	Comment     string              `json:"comment"`
	Commit      string              `json:"commit"`
	Decision    Decision            `json:"decision"`
	Environment catalog.Environment `json:"environment"`
	NotAfter    string              `json:"not_after"`
	Plan        string              `json:"plan"`
	Policy      string              `json:"policy"`
	Review      *wireReview         `json:"review,omitempty"`
	Tenants     []catalog.TenantID  `json:"tenants"`
}

type wireBatches struct {
	Count int    `json:"count"`
	Root  string `json:"root"`
}

type wireReview struct {
	Account string `json:"account"`
	At      string `json:"at"`
	Change  int    `json:"change"`
	Head    string `json:"head"`
	ID      string `json:"id"`
}

// Statement returns the in-toto Statement v1 by which approval is given to
// subject: the exact bytes to be signed, by Signer.Sign or by
// cosign attest-blob --statement. The same values give the same bytes. It
// returns a FieldError for an approval that would not be opened again, or a
// MalformedError for texts that are not UTF-8.
func Statement(subject Subject, approval Approval) ([]byte, error) {
	// encoding/json would write other texts in their place without a word.
	for _, text := range []string{subject.Name, approval.Plan, approval.Commit, approval.Policy, approval.Comment, approval.reviewTexts()} {
		if !utf8.ValidString(text) {
			return nil, &MalformedError{What: "statement", Reason: "a text that is not UTF-8"}
		}
	}
	text, err := writeStatement(subject, ApprovalType, approval.wire())
	if err != nil {
		return nil, err
	}
	// Reading it back is the check, so that there is one place for the bounds.
	if _, _, err := readApprovalStatement(text); err != nil {
		return nil, err
	}
	return text, nil
}

// reviewTexts are the texts of the review, for what is asked of every text; "".
func (a Approval) reviewTexts() string {
	if a.Review == nil {
		return ""
	}
	return a.Review.Account + a.Review.Head + a.Review.ID
}

func (a Approval) wire() wireApproval {
	tenants := slices.Clone(a.Tenants)
	slices.SortFunc(tenants, catalog.TenantID.Compare)
	var review *wireReview
	if r := a.Review; r != nil {
		review = &wireReview{Account: r.Account, At: r.At.UTC().Format(time.RFC3339Nano), Change: r.Change, Head: r.Head, ID: r.ID}
	}
	return wireApproval{
		Batches:     wireBatches{Count: a.Batches.Count, Root: digestPrefix + hex.EncodeToString(a.Batches.Root[:])},
		Comment:     a.Comment,
		Commit:      a.Commit,
		Decision:    a.Decision,
		Environment: a.Environment,
		NotAfter:    a.NotAfter.UTC().Format(time.RFC3339Nano),
		Plan:        a.Plan,
		Policy:      a.Policy,
		Review:      review,
		Tenants:     tenants,
	}
}

// readApprovalStatement reads a statement that has to be an approval.
func readApprovalStatement(payload []byte) (Subject, Approval, error) {
	s, err := readStatement(payload)
	if err != nil {
		return Subject{}, Approval{}, err
	}
	if s.predicateType != ApprovalType {
		return Subject{}, Approval{}, &PredicateTypeError{Type: s.predicateType, Want: ApprovalType}
	}
	approval := readApproval(s.predicate)
	return s.subject, approval, *s.predicate.fault
}

func readApproval(f *fields) Approval {
	approval := Approval{
		Decision:    readDecision(f),
		Environment: readEnvironment(f),
		Batches:     readBatches(f),
		Tenants:     readTenants(f),
		NotAfter:    readTime(f, "not_after"),
		Review:      readReview(f),
		Plan:        f.note("plan", maxInfo),
		Commit:      f.note("commit", maxInfo),
		Policy:      f.note("policy", maxInfo),
		Comment:     f.note("comment", maxComment),
	}
	if approval.Review != nil && approval.Decision != Approve {
		f.failField("decision", OutOfBounds, `"approve", for a review`)
	}
	f.end()
	return approval
}

// readReview reads the one field that may be left out and means something: null is
// not nothing.
func readReview(f *fields) *Review {
	if _, there := f.members["review"]; !there {
		return nil
	}
	o := f.object("review")
	review := &Review{
		Account: o.formed("account", accountForm, "an account at a forge by its number, such as github:1234"),
		Change:  o.count("change", maxChange),
		Head:    o.formed("head", commitForm, "a commit's 40 or 64 hexadecimal digits"),
		ID:      o.formed("id", reviewForm, "1 to 64 letters, digits and dashes"),
		At:      readTime(o, "at"),
	}
	if review.Change == 0 {
		o.failField("change", OutOfBounds, "the number of a pull request")
	}
	o.end()
	return review
}

func readDecision(f *fields) Decision {
	decision := Decision(f.word("decision"))
	if decision != Approve && decision != Reject {
		f.failField("decision", OutOfBounds, `"approve" or "reject"`)
	}
	return decision
}

func readEnvironment(f *fields) catalog.Environment {
	environment, err := catalog.ParseEnvironment(f.word("environment"))
	if err != nil {
		f.failField("environment", OutOfBounds, "an environment's name")
	}
	return environment
}

func readBatches(f *fields) Batches {
	o := f.object("batches")
	batches := Batches{Root: o.digest("root", digestPrefix), Count: o.count("count", maxBatches)}
	o.end()
	return batches
}

// readTenants tells null, which is all tenants, from a missing field: what is
// left out must not widen an approval.
func readTenants(f *fields) []catalog.TenantID {
	if string(f.members["tenants"]) == "null" {
		f.take("tenants")
		return nil
	}
	items := f.list("tenants")
	if len(items) == 0 || len(items) > maxTenants {
		f.failField("tenants", OutOfBounds, "null for all, or 1 to 10000 tenants")
		return nil
	}
	tenants := make([]catalog.TenantID, 0, len(items))
	for i, raw := range items {
		tenants = append(tenants, readTenant(f, item(member(f.path, "tenants"), i), raw))
	}
	slices.SortFunc(tenants, catalog.TenantID.Compare)
	if len(slices.Compact(tenants)) < len(items) {
		f.failField("tenants", OutOfBounds, "each tenant once")
	}
	return tenants
}

func readTenant(f *fields, path string, raw json.RawMessage) catalog.TenantID {
	text, ok := rawText(raw)
	if !ok {
		f.failAt(path, WrongKind, "a tenant's id")
	}
	id, err := catalog.ParseTenantID(text)
	if err != nil {
		f.failAt(path, OutOfBounds, "a tenant's id")
	}
	return id
}

func readTime(f *fields, name string) time.Time {
	var at time.Time
	err := at.UnmarshalText([]byte(f.word(name)))
	at = at.UTC() // which may be in a year that RFC 3339 cannot write
	if err != nil || at.IsZero() || at.Year() > 9999 {
		f.failField(name, OutOfBounds, "a time as RFC 3339 writes it")
	}
	return at
}
