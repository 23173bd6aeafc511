package catalog

import (
	"slices"
	"strings"
	"time"
)

// Policy is who may approve what, and what stands in the way of an apply, as a
// commit declares it. It is plain data: plan/policy judges by it, and only by
// the policy that was applied last, never by the one that a plan brings.
//
// The zero Policy is that of a fleet that declares none: nobody may approve, the
// rules and thresholds are the defaults.
type Policy struct {
	People   []Person  // by id
	Appliers []Applier // by id
	// Revoked are keys that are taken out of service, whoever they belong to: those
	// of a person who is gone and of appliers too.
	Revoked []RevokedKey
	// Roles are the capabilities of each role, as patterns (entitlements.*, *);
	// the product's own where the policy declares none.
	Roles      map[string][]string
	Rules      []Rule // by name; see Rule for what holds where none matches
	Commits    CommitRule
	Thresholds Thresholds
	Windows    []Window    // by name
	Mandate    *Mandate    // nil: the daemon only observes
	BreakGlass *BreakGlass // nil: nobody may
	Paths      []PathRule  // by path
	Recovery   *Recovery   // nil: lost keys cannot be made up for
}

// PolicyKey is a key as a policy holds it.
type PolicyKey struct {
	Text string // PEM, an armored OpenPGP key, or an SSH line
	// Names are the spellings of its fingerprint, first the one that charter shows;
	// none where nobody has read the key.
	Names []string
	Pos   Position
}

// RevokedKey is a key that is taken out of service.
type RevokedKey struct {
	// Fingerprint is how people call the key: 64 hexadecimal digits as charter
	// shows them, SHA256:… as ssh-keygen does, or 40 digits as gpg does.
	Fingerprint string
	// Since is when it was lost: the id of the last receipt that is still trusted
	// of it, or a time. What it signed by then, by the ledger's own order, stands.
	Since string
	Pos   Position
}

// Of reports whether the key is one that has these names, in any of the spellings
// that tools show.
func (k *RevokedKey) Of(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return k.Fingerprint == name || strings.EqualFold(k.Fingerprint, name) && !strings.HasPrefix(k.Fingerprint, "SHA256:")
	})
}

// SinceTime returns when the key was lost, where that is a time and no receipt.
func (k *RevokedKey) SinceTime() (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if at, err := time.Parse(layout, k.Since); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// Person is somebody who may approve.
type Person struct {
	ID    string
	Name  string
	Email string // as commits and approvals name them
	Roles []string
	// Keys sign approvals (ECDSA P-256 or Ed25519, PEM); an OpenPGP key among them
	// signs commits alone. SSH keys sign commits alone too.
	Keys, SSH []PolicyKey
	Forge     []string  // accounts at forges, such as github:1234, by their numbers
	Leaves    time.Time // when the keys end; zero for who stays
	Revoked   []RevokedKey
	Pos       Position
}

// LeftAt reports whether the person has left by a time.
func (p *Person) LeftAt(t time.Time) bool { return !p.Leaves.IsZero() && !t.Before(p.Leaves) }

// Duty is what a machine may do.
type Duty string

// The duties of an applier.
const (
	MayApply   Duty = "apply"   // carry out what people approved, and sign its receipts
	MayCorrect Duty = "correct" // carry out what a mandate allows
	MayNotary  Duty = "notary"  // say what a forge's review was
)

// Applier is a machine that carries plans out and signs receipts, and never
// approves.
type Applier struct {
	ID   string
	Keys []PolicyKey
	May  []Duty
	Pos  Position
}

// Evidence is how an approval comes to charter.
type Evidence string

// The kinds of evidence.
const (
	ByKey   Evidence = "key"   // signed by the approver's own key
	ByForge Evidence = "forge" // a review at the forge, as a notary says
)

// ChangeKind is the kind of change that a rule is about.
type ChangeKind string

// The kinds, each wider than the one after.
const (
	AnyChange        ChangeKind = "any"
	AnyRemoval       ChangeKind = "removal"          // it takes something away
	CriticalRemovals ChangeKind = "critical-removal" // it takes a critical module away
)

// Covers reports whether a rule about k is about a change of a kind.
func (k ChangeKind) Covers(kind ChangeKind) bool {
	widest := []ChangeKind{AnyChange, AnyRemoval, CriticalRemovals}
	return slices.Index(widest, k) <= slices.Index(widest, kind)
}

// Rule says how many people have to approve a change, and who. Of all rules that
// match a change the strictest of each field counts. Where none matches: one
// approval, by a key or, for rows that are granted alone, by a review; and those who
// wrote the change may give it.
type Rule struct {
	Name       string
	Capability string // "" for every one
	Change     ChangeKind
	Tenants    *Selector // nil for every one, and for what is of no tenant
	Approvals  int       // how many people, from 1
	Writers    bool      // whether those who wrote the change may be among them
	Evidence   []Evidence
	Pos        Position
}

// CommitRule is what the commits between the last applied one and a plan's bear.
type CommitRule string

// The commit rules.
const (
	CommitsNone   CommitRule = "none"   // nothing: the authority is the approvals
	CommitsPeople CommitRule = "people" // each a signature by a person's key
)

// Threshold is the most that one plan may take away.
type Threshold struct {
	Share int64 // percent of the rows that are live, counted from ShareFrom rows up
	Rows  int64 // rows
}

// Thresholds are those of each tenant and of the fleet.
type Thresholds struct{ Tenant, Fleet Threshold }

// DefaultThreshold holds where the policy does not say.
var DefaultThreshold = Threshold{Share: 25, Rows: 50}

// ShareFrom is from how many live rows on the share of a threshold counts: of
// three rows, any one is a third.
const ShareFrom = 10

// Window is a stretch of time that comes again and again.
type Window struct {
	Name     string
	Allow    bool   // false: nothing may be applied while it is open
	Cron     string // when it opens: minute, hour, day of month, month, day of week
	Timezone string // IANA name
	Duration time.Duration
	Change   ChangeKind
	Tenants  *Selector // nil for every one, and for what is of no tenant
	Pos      Position
}

// Mandate is the most that a mandate may let the daemon do with drift. The
// authority is a statement of its own that people sign; this only bounds it.
type Mandate struct {
	Kinds           []string // grant, revoke, create, change, …: a change's action
	Tenants         *Selector
	PerHour, PerDay int64
	Until           time.Time // zero: as long as the statement says
	Pos             Position
}

// BreakGlass says who may pass which brake by a signed statement for one plan.
type BreakGlass struct {
	People    []string // ids
	Approvals int      // how many of them
	Passes    []string // threshold, window, approval
	Pos       Position
}

// PathRule says which tenants the files below a path may declare. Of several the
// longest path counts; below a path that none names, any.
type PathRule struct {
	Path    string
	Tenants []Selector // one of which must match; none: no tenant may stand there
	Pos     Position
}

// Recovery are keys that are kept offline and may sign a new policy, or found
// the ledger anew, and nothing else.
type Recovery struct {
	Keys      []PolicyKey
	Threshold int
	Pos       Position
}

// Person returns the person of an id, or nil.
func (p *Policy) Person(id string) *Person {
	i := slices.IndexFunc(p.People, func(person Person) bool { return person.ID == id })
	if i < 0 {
		return nil
	}
	return &p.People[i]
}

// Holds reports whether one of the roles that a person has gives a capability.
func (p *Policy) Holds(person *Person, capability string) bool {
	return slices.ContainsFunc(person.Roles, func(role string) bool {
		return slices.ContainsFunc(p.Roles[role], func(pattern string) bool { return StandsFor(pattern, capability) })
	})
}

// StandsFor reports whether a pattern (entitlements.*, *, or a capability) stands
// for a capability.
func StandsFor(pattern, capability string) bool {
	group, all := strings.CutSuffix(pattern, "*")
	return pattern == capability || all && strings.HasPrefix(capability, group)
}

// PathRule returns the rule for a tenant's folder, or nil where none names it.
func (p *Policy) PathRule(dir string) *PathRule {
	var longest *PathRule
	for i := range p.Paths {
		r := &p.Paths[i]
		if (dir == r.Path || strings.HasPrefix(dir, r.Path+"/")) && (longest == nil || len(r.Path) > len(longest.Path)) {
			longest = r
		}
	}
	return longest
}

// Satisfiers returns the people who could give an approval that a rule asks for:
// those who hold its capability and have the evidence, but for those who have
// left by a time. The zero time leaves nobody out.
func (p *Policy) Satisfiers(r *Rule, at time.Time) []*Person {
	var people []*Person
	for i := range p.People {
		person := &p.People[i]
		gone := !at.IsZero() && person.LeftAt(at)
		if !gone && p.Holds(person, r.Capability) && person.gives(r.Evidence, (*PolicyKey).approves) {
			people = append(people, person)
		}
	}
	return people
}

// Able returns those of the Satisfiers who are left at a time: who has nothing but
// keys that are revoked by then is not.
func (p *Policy) Able(r *Rule, at time.Time) []*Person {
	return slices.DeleteFunc(p.Satisfiers(r, at), func(person *Person) bool {
		return !person.gives(r.Evidence, func(k *PolicyKey) bool {
			return k.approves() && p.Revocation(person, at, k.Names...) == nil
		})
	})
}

// Revocation returns what took a key out of service by a time, or nil: one of a
// person, or of an applier where that is nil. What names a receipt has begun: the
// receipt is of the past.
func (p *Policy) Revocation(person *Person, at time.Time, names ...string) *RevokedKey {
	lists := [][]RevokedKey{p.Revoked, nil}
	if person != nil {
		lists[1] = person.Revoked
	}
	for _, list := range lists {
		for i := range list {
			if since, dated := list[i].SinceTime(); list[i].Of(names...) && (!dated || !at.Before(since)) {
				return &list[i]
			}
		}
	}
	return nil
}

// gives reports whether the person has a key that counts, or an account, where it
// is of a kind that does.
func (p *Person) gives(evidence []Evidence, counts func(*PolicyKey) bool) bool {
	return slices.Contains(evidence, ByKey) && slices.ContainsFunc(p.Keys, func(k PolicyKey) bool { return counts(&k) }) ||
		slices.Contains(evidence, ByForge) && len(p.Forge) > 0
}

func (k *PolicyKey) approves() bool { return !k.IsOpenPGP() }

// IsOpenPGP reports whether the key is an OpenPGP one, which signs commits alone.
func (k *PolicyKey) IsOpenPGP() bool {
	return strings.HasPrefix(strings.TrimSpace(k.Text), "-----BEGIN PGP ")
}
