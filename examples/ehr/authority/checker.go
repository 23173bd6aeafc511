package authority

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

// maxNeed is the most people that a write can be made to need.
const maxNeed = 100

// Need is how many people must have approved a write.
type Need struct {
	Grant  int // where it gives or changes something
	Revoke int // where it takes something away; where it does both, the larger counts
}

// ParseNeed reads "2", "1,revoke=2" or "grant=1,revoke=2": a number alone is for
// both. What is not named needs one person.
func ParseNeed(text string) (Need, error) {
	need := Need{Grant: 1, Revoke: 1}
	for i, part := range strings.Split(text, ",") {
		kind, number, named := strings.Cut(part, "=")
		if !named {
			kind, number = "", part
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > maxNeed {
			return Need{}, fmt.Errorf("need %.40q: want numbers from 1 to %d, such as 1,revoke=2", text, maxNeed)
		}
		switch {
		case kind == "" && i == 0:
			need = Need{n, n}
		case kind == "grant":
			need.Grant = n
		case kind == "revoke":
			need.Revoke = n
		default:
			return Need{}, fmt.Errorf("need %.40q: want a number, then grant= or revoke=", text)
		}
	}
	return need, nil
}

// of is how many people a write needs.
func (n Need) of(w *Write) int {
	switch {
	case !w.withdraws():
		return n.Grant
	case w.Subject != entitlements || len(w.Granted) == 0:
		return n.Revoke
	}
	return max(n.Grant, n.Revoke)
}

// Trust is whose word counts, and for what.
type Trust struct {
	People   []seal.PublicKey // who may approve, each key a person but for what Reviewers say
	Notaries []seal.PublicKey // machines whose word for a forge's review counts; none of them approves
	// Reviewers are the people whose accounts notaries may speak of, each once.
	Reviewers []Reviewer
	// AnyReview lets reviews count for every write. Without it they count for rows
	// that are granted where none is taken away, as charter's policy has it where it
	// says nothing else.
	AnyReview bool
	Appliers  []seal.PublicKey // machines that may carry out a mandate; none of them approves
	Need      Need
	// Environment is the only one whose approvals count; the zero Environment takes
	// those of any. An EHR should name its own: two platforms that begin alike have
	// grants of the same tag, and what was meant for the one would fit the other.
	Environment catalog.Environment
}

// Reviewer is one person, by what they may approve with.
type Reviewer struct {
	Accounts []string         // at forges, by their numbers, such as github:1234
	Keys     []seal.PublicKey // those of Trust.People that are theirs too
}

// Checker checks authorities. Many goroutines may use it.
type Checker struct {
	people      *seal.Verifier
	signers     *seal.Verifier // people and notaries: who may sign an approval's bundle
	notaries    map[seal.Fingerprint]bool
	persons     map[seal.Fingerprint]string // of the people's keys, whose they are
	accounts    map[string]string           // whose they are
	anyReview   bool
	appliers    *seal.Verifier
	need        Need
	environment catalog.Environment
}

// errTwoSides says that a key is given for a person and for a machine.
var errTwoSides = errors.New("it is a person's and an applier's: machines do not approve")

// New returns a Checker. A key must not be a person's and a machine's, nor an account
// or a key two people's.
func New(t Trust) (*Checker, error) {
	c := &Checker{
		people: seal.NewVerifier(t.People...), signers: seal.NewVerifier(slices.Concat(t.People, t.Notaries)...), appliers: seal.NewVerifier(t.Appliers...),
		notaries: map[seal.Fingerprint]bool{}, persons: map[seal.Fingerprint]string{}, accounts: map[string]string{},
		anyReview: t.AnyReview, need: t.Need, environment: t.Environment,
	}
	for _, key := range t.People {
		c.persons[key.Fingerprint()] = "key " + key.Fingerprint().Short()
	}
	for _, key := range slices.Concat(t.Appliers, t.Notaries) {
		if c.persons[key.Fingerprint()] != "" {
			return nil, fmt.Errorf("key %s: %w", key.Fingerprint().Short(), errTwoSides)
		}
	}
	for _, key := range t.Notaries {
		c.notaries[key.Fingerprint()] = true
	}
	owned := map[seal.Fingerprint]bool{}
	for _, r := range t.Reviewers {
		if err := c.add(r, owned); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// add makes what a reviewer may approve with one person's.
func (c *Checker) add(r Reviewer, owned map[seal.Fingerprint]bool) error {
	if len(r.Accounts) == 0 {
		return errors.New("reviewer: no account is named")
	}
	person := r.Accounts[0]
	for _, account := range r.Accounts {
		if !accounts.MatchString(account) {
			return fmt.Errorf("reviewer: account %.40q: want one by its number, such as github:1234", account)
		}
		if c.accounts[account] != "" {
			return fmt.Errorf("reviewer: account %s is given twice", account)
		}
		c.accounts[account] = person
	}
	for _, key := range r.Keys {
		id := key.Fingerprint()
		switch {
		case c.persons[id] == "":
			return fmt.Errorf("reviewer %s: key %s is of nobody who may approve", person, id.Short())
		case owned[id]:
			return fmt.Errorf("reviewer %s: key %s is another's", person, id.Short())
		}
		c.persons[id], owned[id] = person, true
	}
	return nil
}

// accounts is how an account at a forge is written.
var accounts = regexp.MustCompile(`^(github|gitea|gitlab):[1-9][0-9]{0,19}$`)

// person returns whose word an approval is; its error says why it is nobody's. A
// notary's own is none, and only a notary speaks of reviews.
func (c *Checker) person(o *seal.Opened) (string, error) {
	review, notary := o.Approval.Review, c.notaries[o.Signer]
	switch {
	case review == nil && notary:
		return "", fmt.Errorf("key %s is a notary's, and it speaks of no review", o.Signer.Short())
	case review == nil:
		return c.persons[o.Signer], nil
	case !notary:
		return "", fmt.Errorf("key %s speaks of a review, and is no notary's", o.Signer.Short())
	case c.accounts[review.Account] == "":
		return "", fmt.Errorf("account %s: it is nobody's", review.Account)
	}
	return c.accounts[review.Account], nil
}
