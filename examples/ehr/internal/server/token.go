package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// Bounds of a tokens file.
const (
	maxTokensFile = 1 << 20
	maxTokens     = 1000
	maxToken      = 4096
	maxActor      = 200
)

// Tokens knows who holds which token, without knowing the tokens: it keeps their
// digests, so that neither a log nor a dump of it gives one away.
type Tokens []holder

// holder is who holds a token.
type holder struct {
	digest       [sha256.Size]byte
	actor        string
	capabilities []string // "group.*" and "*" stand for many
}

// ReadTokens reads a tokens file: {"TOKEN": {"actor", "roles", "capabilities"}}.
// roles gives the capabilities of a role, and false for one that there is not. No
// error quotes a token.
func ReadTokens(file io.Reader, roles func(string) ([]string, bool)) (Tokens, error) {
	text, err := io.ReadAll(io.LimitReader(file, maxTokensFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxTokensFile:
		return nil, fmt.Errorf("tokens: larger than %d bytes", maxTokensFile)
	}
	var entries map[string]tokenEntry
	if err := json.Unmarshal(text, &entries, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New("tokens: not JSON of the form " +
			`{"TOKEN": {"actor": "…", "roles": […], "capabilities": […]}}, each token once`)
	}
	if len(entries) == 0 || len(entries) > maxTokens {
		return nil, fmt.Errorf("tokens: %d of them: want 1 to %d", len(entries), maxTokens)
	}
	var tokens Tokens
	for token, entry := range entries {
		h, err := entry.holder(token, roles)
		if err != nil {
			return nil, fmt.Errorf("tokens: actor %q: %w", entry.Actor, err)
		}
		tokens = append(tokens, h)
	}
	return tokens, nil
}

// tokenEntry is what a tokens file says of a token.
type tokenEntry struct {
	Actor        string   `json:"actor"`
	Roles        []string `json:"roles"`
	Capabilities []string `json:"capabilities"`
}

func (e tokenEntry) holder(token string, roles func(string) ([]string, bool)) (holder, error) {
	if !printable(token) || len(token) > maxToken {
		return holder{}, fmt.Errorf("a token of %d bytes: want 1 to %d printable ones without spaces", len(token), maxToken)
	}
	if e.Actor == "" || len(e.Actor) > maxActor {
		return holder{}, fmt.Errorf("actor of %d bytes: want 1 to %d", len(e.Actor), maxActor)
	}
	h := holder{digest: sha256.Sum256([]byte(token)), actor: e.Actor, capabilities: e.Capabilities}
	for _, role := range e.Roles {
		held, known := roles(role)
		if !known {
			return holder{}, fmt.Errorf("role %q: unknown", role)
		}
		h.capabilities = append(h.capabilities, held...)
	}
	return h, nil
}

// printable reports whether a text is not empty and of visible ASCII, as what
// stands in a header must be.
func printable(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// find returns the holder of a token. Every digest is compared, each in constant
// time, so that the time taken says nothing about the tokens.
func (t Tokens) find(token string) (*holder, bool) {
	digest := sha256.Sum256([]byte(token))
	var found *holder
	for i := range t {
		if subtle.ConstantTimeCompare(t[i].digest[:], digest[:]) == 1 {
			found = &t[i]
		}
	}
	return found, found != nil
}

func (h *holder) holds(capability string) bool {
	return slices.ContainsFunc(h.capabilities, func(held string) bool {
		group, wild := strings.CutSuffix(held, "*")
		return held == capability || wild && strings.HasPrefix(capability, group)
	})
}

// byLicence stands for a capability where the licence's own token is asked for.
const byLicence = "the licence's token"

// authoriseBox lets pass who holds the token of the licence in the path.
func (x *exchange) authoriseBox(token string) error {
	claims, err := x.platform.OpenToken(token)
	if err != nil || claims.Licence != x.r.PathValue("id") {
		return problemf(unauthenticated, "Authorization: want the token of this licence")
	}
	x.actor, x.boundTo = "licence "+claims.Licence, claims.Fingerprint
	return nil
}

// byPassword stands for the capabilities of who looks at the pages, with a browser,
// which asks for a password and not for a token.
const byPassword = "a password"

// authoriseLook lets pass who gives, as the password of any user, a token that may
// read everything which the pages show.
func (x *exchange) authoriseLook() error {
	_, token, _ := x.r.BasicAuth()
	if len(token) > maxToken {
		return problemf(unauthenticated, "Authorization: want Basic, with a token for a password")
	}
	holder, known := x.tokens.Load().find(token)
	if !known {
		x.w.Header().Set("WWW-Authenticate", `Basic realm="ehr", charset="UTF-8"`)
		return problemf(unauthenticated, "Authorization: want Basic, with a token for a password")
	}
	for _, capability := range []string{"clients.read", "entitlements.read", "license.read", "tenant_admins.manage", "audit.read"} {
		if !holder.holds(capability) {
			return missing(holder, capability)
		}
	}
	x.actor = holder.actor
	return nil
}

// missing is the no to a holder without a capability.
func missing(h *holder, capability string) error {
	p := problemf(capabilityMissing, "actor %q: does not hold %s", h.actor, capability)
	p.Capability = capability
	return p
}

// authorise lets pass who holds a token with the capability. Without one it lets
// everybody pass.
func (x *exchange) authorise(capability string) error {
	if capability == "" {
		return nil
	}
	if capability == byPassword {
		return x.authoriseLook()
	}
	said := x.r.Header.Values("Authorization")
	scheme, token, _ := strings.Cut(strings.Join(said, ","), " ")
	if len(said) != 1 || !strings.EqualFold(scheme, "Bearer") || len(token) > maxToken {
		return problemf(unauthenticated, "Authorization: want Bearer and a token")
	}
	if capability == byLicence {
		return x.authoriseBox(token)
	}
	holder, known := x.tokens.Load().find(token)
	if !known {
		return problemf(unauthenticated, "Authorization: the token is not known here")
	}
	if !holder.holds(capability) {
		return missing(holder, capability)
	}
	x.actor = holder.actor
	return nil
}

// retry returns what the Idempotency-Key of a write stands for, or nil without
// one. A key is its actor's own, for one method and path.
func (x *exchange) retry(body any) (*platform.Retry, error) {
	keys := x.r.Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return nil, nil
	}
	const maxKey = 255
	if len(keys) > 1 || !printable(keys[0]) || len(keys[0]) > maxKey {
		return nil, problemf(string(platform.Invalid), "Idempotency-Key: want one of 1 to %d printable bytes", maxKey)
	}
	// Spelled anew, so that spacing and the order of names do not tell two bodies
	// apart.
	plain, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	scope := strings.Join([]string{x.actor, x.r.Method, x.r.URL.EscapedPath(), keys[0]}, "\n")
	return &platform.Retry{ID: sha256.Sum256([]byte(scope)), Body: sha256.Sum256(plain)}, nil
}
