package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"
)

// Subject is what a batch writes.
type Subject string

// The subjects, in the order in which they are carried out.
const (
	Edition      Subject = "edition"
	Organisation Subject = "organisation"
	Tenant       Subject = "tenant"
	Licence      Subject = "licence"
	Provision    Subject = "provision"
	Facility     Subject = "facility"
	Entitlements Subject = "entitlements" // a tenant's rows
	Connect      Subject = "connect"
	Admin        Subject = "admin"
)

var subjects = []Subject{Edition, Organisation, Tenant, Licence, Provision, Facility, Entitlements, Connect, Admin}

// Order is the subject's place among those that are carried out; -1 for one that
// is not known.
func (s Subject) Order() int { return slices.Index(subjects, s) }

// OfTenant reports whether the subject belongs to one tenant, whose steps wait
// for each other.
func (s Subject) OfTenant() bool { return s.Order() >= Tenant.Order() }

// Owner says what a batch of the subject is of.
func (s Subject) Owner() Subject {
	if s.OfTenant() {
		return Tenant
	}
	return s
}

// Capability is what a person needs to approve a batch of the subject.
func (s Subject) Capability(r *Request) string {
	switch s {
	case Edition:
		return "registry.write"
	case Organisation, Tenant:
		return "clients.write"
	case Licence:
		if strings.HasSuffix(r.Path, "/revoke") {
			return "license.revoke"
		}
		return "license.issue"
	case Provision, Facility:
		return "onboarding.run"
	case Admin:
		return "tenant_admins.manage"
	}
	return "entitlements.write"
}

// Request is what a batch of another subject than entitlements sends, but for the
// authority that goes with it.
type Request struct {
	Body   json.RawMessage `json:"body"`
	Method string          `json:"method"`
	Path   string          `json:"path"`
}

// newRequest makes a request of a body whose fields stand in the order of their
// names.
func newRequest(method, path string, body any) *Request {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // bodies are structs of texts and numbers
	}
	return &Request{Body: text, Method: method, Path: path}
}

// routes are the requests that each subject is written by: {} stands for what the
// batch is of, * for one more segment.
var routes = map[Subject][]string{
	Edition:      {"POST /registry/editions", "PUT /registry/editions/{}"},
	Organisation: {"POST /clients", "PUT /clients/{}"},
	Tenant:       {"POST /tenants", "PUT /tenants/{}"},
	Licence:      {"POST /licenses", "POST /licenses/*/revoke"},
	Provision:    {"POST /tenants/{}/provision"},
	Facility:     {"PUT /tenants/{}/facilities/*"},
	Connect:      {"PUT /tenants/{}/connect-entitlements"},
	Admin:        {"POST /tenants/{}/tenant-admins", "DELETE /tenants/{}/tenant-admins/*"},
}

// named is the field of a body that says what is created, where the path does not.
var named = map[string]string{
	"POST /registry/editions": "key", "POST /clients": "id", "POST /tenants": "id", "POST /licenses": "tenant",
}

// fits reports whether the request is one that writes the subject of what the
// batch is of, and nothing else: people approve by subject and tenant.
func (r *Request) fits(subject Subject, of string) bool {
	route := r.Method + " " + r.Path
	if !slices.ContainsFunc(routes[subject], func(pattern string) bool { return matches(pattern, of, route) }) {
		return false
	}
	field, is := named[route]
	if !is {
		return true
	}
	var body map[string]json.RawMessage
	var name string
	return json.Unmarshal(r.Body, &body) == nil && json.Unmarshal(body[field], &name) == nil && name == of
}

func matches(pattern, of, route string) bool {
	segments := strings.Split(route, "/")
	wants := strings.Split(pattern, "/")
	return len(segments) == len(wants) && !slices.ContainsFunc(segments, unsafeSegment) &&
		slices.EqualFunc(wants, segments, func(want, segment string) bool {
			return want == segment || want == "{}" && segment == of || want == "*" && segment != ""
		})
}

// unsafeSegment reports whether a server might read more into a part of a path
// than one name.
func unsafeSegment(s string) bool {
	return s == "." || s == ".." || strings.ContainsAny(s, "?#\\;") || strings.Contains(strings.ToLower(s), "%2f") ||
		strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c >= 0x7f })
}

// line returns the line of a batch's digest that names the request.
func (r *Request) line() string { return "request " + r.Method + " " + r.Path }

// content returns the line that names what is sent.
func (r *Request) content() (string, error) {
	sum, err := canonicalDigest(r.Body)
	return "= " + hex.EncodeToString(sum[:]), err
}

// canonicalDigest is the SHA-256 of the RFC 8785 form of a JSON text.
func canonicalDigest(text []byte) (Digest, error) {
	canonical, err := jcs.Transform(text)
	if err != nil {
		return Digest{}, fmt.Errorf("canonical form: %w", err)
	}
	return sha256.Sum256(canonical), nil
}

// ContentOf is the base of something without a revision: the digest of the
// RFC 8785 form of its JSON.
func ContentOf(value any) (*Base, error) {
	text, ok := value.([]byte)
	if !ok {
		var err error
		if text, err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	sum, err := canonicalDigest(text)
	if err != nil {
		return nil, err
	}
	return OnContent(sum), nil
}

// lines are the lines of a batch that sends a request.
func (r *Request) lines(environment, tenant string, subject Subject, base *Base) (Lines, error) {
	content, err := r.content()
	if err != nil {
		return nil, err
	}
	return Lines{
		"charter batch v1", "environment " + environment, "tenant " + tenant, "subject " + string(subject),
		r.line(), base.Line(), content,
	}, nil
}
