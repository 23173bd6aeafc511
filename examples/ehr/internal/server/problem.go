package server

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// The codes of what is refused here. Those of the platform stand there.
const (
	malformed         = "malformed"
	unauthenticated   = "unauthenticated"
	capabilityMissing = "capability-missing"
	methodNotAllowed  = "method-not-allowed"
	tooLarge          = "too-large"
	unknownField      = "unknown-field"
	rateLimited       = "rate-limited"
	internal          = "internal"
)

// kind is what all problems of one code have in common.
type kind struct {
	status int
	title  string
}

// kindOf returns the kind of a code. It is the only place that knows which
// status a code has.
func kindOf(code string) kind {
	kinds := map[string]kind{
		malformed:                            {http.StatusBadRequest, "The body is not JSON"},
		string(platform.BadCursor):           {http.StatusBadRequest, "The cursor is not one of this list"},
		unauthenticated:                      {http.StatusUnauthorized, "No token, or an unknown one"},
		capabilityMissing:                    {http.StatusForbidden, "The token does not hold the capability"},
		string(platform.ModuleNotEntitled):   {http.StatusForbidden, "The facility does not hold the module"},
		string(platform.TenantLocked):        {http.StatusForbidden, "The tenant's licence does not let it run"},
		string(platform.LicenceRevokedCode):  {http.StatusForbidden, "The licence is revoked"},
		string(platform.LicenceExpired):      {http.StatusForbidden, "The licence has ended"},
		string(platform.LicenceNotBegun):     {http.StatusForbidden, "The licence has not begun"},
		string(platform.LicenceNotActive):    {http.StatusForbidden, "The licence is not activated"},
		string(platform.FingerprintMismatch): {http.StatusForbidden, "The licence is bound to another box"},
		string(platform.NotFound):            {http.StatusNotFound, "There is no such thing"},
		string(platform.AuthorityInvalid):    {http.StatusForbidden, "Nobody has approved this write"},
		methodNotAllowed:                     {http.StatusMethodNotAllowed, "The resource does not offer the method"},
		string(platform.Exists):              {http.StatusConflict, "It is there already"},
		string(platform.SnapshotGone):        {http.StatusGone, "The snapshot is not known"},
		string(platform.RevisionMoved):       {http.StatusPreconditionFailed, "The revision has moved"},
		tooLarge:                             {http.StatusRequestEntityTooLarge, "The request is over a bound"},
		string(platform.TenantSuspended):     {http.StatusLocked, "The tenant is suspended"},
		string(platform.PreconditionMissing): {http.StatusPreconditionRequired, "The write needs a condition"},
		rateLimited:                          {http.StatusTooManyRequests, "Too many requests"},
		internal:                             {http.StatusInternalServerError, "The server could not do it"},
		string(platform.Unavailable):         {http.StatusServiceUnavailable, "The server is busy or stopping"},
	}
	if k, known := kinds[code]; known {
		return k
	}
	return kind{http.StatusUnprocessableEntity, "The request is well formed but wrong"}
}

// problem is an error as the client reads it (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"` // for people
	Code   string `json:"code"`   // for programs

	Revision   *int64 `json:"revision,omitzero"`   // the one in force, of revision-moved
	ETag       string `json:"etag,omitzero"`       // its entity tag
	Capability string `json:"capability,omitzero"` // the one that is missing
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }

func problemf(code, format string, args ...any) *problem {
	k := kindOf(code)
	return &problem{
		Type:   "https://veonahealth.com/charter/problems/" + code,
		Title:  k.title,
		Status: k.status,
		Detail: fmt.Sprintf(format, args...),
		Code:   code,
	}
}

// panicked is a panic that was caught.
type panicked struct{ value any }

func (p panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, debug.Stack()) }

// fail answers an error: the platform's refusals and our own as they are,
// everything else as the server's own fault, whose cause only the log is told.
func (x *exchange) fail(err error) {
	p := x.problem(err)
	switch p.Status {
	case http.StatusUnauthorized:
		if x.w.Header().Get("WWW-Authenticate") == "" {
			x.w.Header().Set("WWW-Authenticate", `Bearer realm="ehr"`)
		}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if x.w.Header().Get("Retry-After") == "" {
			x.w.Header().Set("Retry-After", "1")
		}
	}
	body, err := json.Marshal(p)
	if err != nil { // a detail that quotes what is not UTF-8
		p.Detail = ""
		body, _ = json.Marshal(p)
	}
	x.send(p.Status, "application/problem+json", body)
}

func (x *exchange) problem(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if refusal, ok := errors.AsType[*platform.Refusal](err); ok {
		p := problemf(string(refusal.Code), "%s", refusal.Detail)
		if refusal.Stamp != nil {
			p.Revision, p.ETag = &refusal.Stamp.Revision, refusal.Stamp.ETag
		}
		return p
	}
	if x.ctx().Err() != nil { // nobody waits for this answer, and nothing is wrong
		return problemf(string(platform.Unavailable), "the request was given up")
	}
	x.log.Error("request", "method", x.r.Method, "path", x.r.URL.Path, "err", err)
	return problemf(internal, "see the server's log")
}
