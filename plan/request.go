package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"
)

// Subject is what a batch writes.
type Subject string

// The subjects, in the order in which they are carried out.
const (
	Policy       Subject = "policy"  // who may approve what, with environments.cue: writes nothing to the platform
	Catalog      Subject = "catalog" // what modules and editions there are: the same
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

var subjects = []Subject{Policy, Catalog, Edition, Organisation, Tenant, Licence, Provision, Facility, Entitlements, Connect, Admin}

// Order is the subject's place among those that are carried out; -1 for one that
// is not known.
func (s Subject) Order() int { return slices.Index(subjects, s) }

// OfTenant reports whether the subject belongs to one tenant, whose steps wait
// for each other.
func (s Subject) OfTenant() bool { return s.Order() >= Tenant.Order() }

// OfFleet reports whether the subject is the fleet's own: it is approved like any
// other, and writes nothing to the platform.
func (s Subject) OfFleet() bool { return s == Policy || s == Catalog }

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
	case Policy:
		return "policy.write"
	case Catalog, Edition:
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

// route is a request that writes a subject.
type route struct {
	// pattern is its method and path: {} stands for what the batch is of, * for one
	// more name.
	pattern string
	// names is the field of the body that says what is written: what the batch is of,
	// or else the path's last name; "" where the path alone says it.
	names string
	// creates says that it may stand on nothing.
	creates bool
	// shown refuses a batch whose body has anything in it that is no part of the
	// request, or whose changes are not what the request does.
	shown func(*Batch) error
}

var routes = map[Subject][]route{
	Edition: {
		{"POST /registry/editions", "key", true, showingOne(editionCreated)},
		{"PUT /registry/editions/{}", "key", false, showing(showEdition)},
	},
	Organisation: {
		{"POST /clients", "id", true, showingOne(organisationCreated)},
		{"PUT /clients/{}", "id", false, showing(showOrganisation)},
	},
	Tenant: {
		{"POST /tenants", "id", true, showingOne(tenantCreated)},
		{"PUT /tenants/{}", "id", false, showing(showTenant)},
	},
	Licence: {
		{"POST /licenses", "tenant", true, showingOne(licenceIssued)},
		{"POST /licenses/*/revoke", "", false, showing(showLicenceRevoked)},
	},
	Provision: {{"POST /tenants/{}/provision", "", false, showing(showProvision)}},
	Facility:  {{"PUT /tenants/{}/facilities/*", "id", false, showing(showFacility)}},
	Connect:   {{"PUT /tenants/{}/connect-entitlements", "", false, showing(showConnect)}},
	Admin: {
		{"POST /tenants/{}/tenant-admins", "", true, showingOne(adminInvited)},
		{"DELETE /tenants/{}/tenant-admins/*", "", false, showing(showAdminWithdrawn)},
	},
}

// checkRequest refuses a request that is none that writes the subject of what the
// batch is of, and nothing else: people approve by subject and tenant. The body of
// a plan of a later minor version may hold more than is known here.
func (b *Batch) checkRequest(known bool) error {
	at := slices.IndexFunc(routes[b.Subject], func(route route) bool { return route.matches(b.Request, b.Tenant) })
	if at < 0 {
		return errors.New("the request is none that writes it")
	}
	route := &routes[b.Subject][at]
	switch {
	case b.Base == nil && !route.creates:
		return errors.New("it stands on nothing, and creates nothing")
	case !route.named(b.Request, b.Tenant):
		return errors.New("the body is of something else")
	case known:
		return route.shown(b)
	}
	return nil
}

func (route *route) matches(r *Request, of string) bool {
	method, path, _ := strings.Cut(route.pattern, " ")
	wants, names := strings.Split(path, "/"), strings.Split(r.Path, "/")
	return method == r.Method && len(wants) == len(names) && slices.EqualFunc(wants, names, func(want, name string) bool {
		return want == name || want == "{}" && name == of || want == "*" && safeName(name)
	})
}

// safeName reports whether a part of a path is one name in its one spelling, in
// which no server reads more than that.
func safeName(s string) bool {
	name, err := url.PathUnescape(s)
	return err == nil && url.PathEscape(name) == s &&
		!strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }) &&
		!slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return part == "" || part == "." || part == ".." })
}

// named reports whether a body names what is written.
func (route *route) named(r *Request, of string) bool {
	if route.names == "" {
		return true
	}
	if strings.HasSuffix(route.pattern, "*") {
		of = r.Path[strings.LastIndexByte(r.Path, '/')+1:]
	}
	var body map[string]json.RawMessage
	var name string
	return json.Unmarshal(r.Body, &body) == nil && json.Unmarshal(body[route.names], &name) == nil && name == of
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
