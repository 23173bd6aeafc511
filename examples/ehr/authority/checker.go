package authority

import (
	"errors"
	"fmt"
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
	People   []seal.PublicKey // who may approve
	Appliers []seal.PublicKey // machines that may carry out a mandate; none of them approves
	Need     Need
	// Environment is the only one whose approvals count; the zero Environment takes
	// those of any. An EHR should name its own: two platforms that begin alike have
	// grants of the same tag, and what was meant for the one would fit the other.
	Environment catalog.Environment
}

// Checker checks authorities. Many goroutines may use it.
type Checker struct {
	people      *seal.Verifier
	appliers    *seal.Verifier
	need        Need
	environment catalog.Environment
}

// errTwoSides says that a key is given for a person and for a machine.
var errTwoSides = errors.New("it is a person's and an applier's: machines do not approve")

// New returns a Checker. A key must not be a person's and an applier's.
func New(t Trust) (*Checker, error) {
	for _, key := range t.People {
		same := func(other seal.PublicKey) bool { return other.Fingerprint() == key.Fingerprint() }
		if slices.ContainsFunc(t.Appliers, same) {
			return nil, fmt.Errorf("key %s: %w", key.Fingerprint().Short(), errTwoSides)
		}
	}
	return &Checker{seal.NewVerifier(t.People...), seal.NewVerifier(t.Appliers...), t.Need, t.Environment}, nil
}
