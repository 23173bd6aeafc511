package server

import (
	"compress/gzip"
	"context"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// exchange is one request and its answer.
type exchange struct {
	*Server
	w     http.ResponseWriter
	r     *http.Request
	actor string // who asks; "" where the endpoint asks for no token
	// boundTo is the fingerprint of the only box that may use the licence token
	// which the request bears; "" for any, and for other tokens.
	boundTo string
}

func (x *exchange) ctx() context.Context { return x.r.Context() }

// run finds the endpoint, checks who asks, and does it.
func (x *exchange) run(m methods) error {
	if len(m) == 0 {
		return problemf(string(platform.NotFound), "nothing is at this path")
	}
	if err := x.count(); err != nil {
		return err
	}
	method := x.r.Method
	if method == http.MethodHead && m[method].do == nil {
		method = http.MethodGet
	}
	e, offered := m[method]
	if !offered {
		x.w.Header().Set("Allow", allow(m))
		return problemf(methodNotAllowed, "method %.20q: want %s", method, allow(m))
	}
	if err := x.authorise(e.capability); err != nil {
		return err
	}
	return e.do(x)
}

// count refuses a request beyond the rate.
func (x *exchange) count() error {
	if x.pace == nil || x.r.URL.Path == "/healthz" || strings.HasPrefix(x.r.URL.Path, "/ehr/") {
		return nil
	}
	now := x.now()
	next := x.pace.ReserveN(now, 1)
	wait := next.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	next.CancelAt(now)
	x.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return problemf(rateLimited, "more than %g requests a second", float64(x.pace.Limit()))
}

func allow(m methods) string {
	names := slices.Sorted(maps.Keys(m))
	if slices.Contains(names, http.MethodGet) {
		names = append(names, http.MethodHead)
	}
	return strings.Join(names, ", ")
}

// json answers value as JSON.
func (x *exchange) json(status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	x.send(status, "application/json", body)
	return nil
}

// send writes a whole answer.
func (x *exchange) send(status int, mediaType string, body []byte) {
	out, done := x.begin(status, mediaType, len(body))
	out.Write(body) // an error here is the client's going away
	done()
}

// begin writes the header of an answer and returns where its body goes, which is
// compressed where the client asks for it, and what ends it. length is the
// body's, or -1 where it is not known.
func (x *exchange) begin(status int, mediaType string, length int) (io.Writer, func()) {
	h := x.w.Header()
	h.Set("Content-Type", mediaType)
	h.Add("Vary", "Accept-Encoding")
	if acceptsGzip(x.r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		x.w.WriteHeader(status)
		z := x.gzips.Get().(*gzip.Writer)
		z.Reset(x.w)
		return z, func() {
			z.Close() // an error here is the client's going away
			x.gzips.Put(z)
		}
	}
	if length >= 0 {
		h.Set("Content-Length", strconv.Itoa(length))
	}
	x.w.WriteHeader(status)
	return x.w, func() {}
}

// newGzip favours speed: grants are repetitive and shrink to a tenth at any level.
func newGzip() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return z
}

// acceptsGzip reports whether an Accept-Encoding asks for gzip: by its name, and
// not with a weight of nothing.
func acceptsGzip(headers []string) bool {
	for coding := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, weight, weighted := strings.Cut(strings.ToLower(strings.TrimSpace(coding)), ";")
		if name = strings.TrimSpace(name); name != "gzip" && name != "x-gzip" {
			continue
		}
		if !weighted {
			return true
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
		return err == nil && q > 0
	}
	return false
}

// answered writes what an accepted write is answered.
func (x *exchange) answered(a platform.Answer) error {
	if a.ETag != "" {
		x.tag(a.ETag)
	}
	status := http.StatusOK
	if a.Created {
		status = http.StatusCreated
	}
	x.send(status, "application/json", a.Body)
	return nil
}

// tag sets the entity tag, its name spelled as the contract spells it: net/http
// would write Etag, which is the same to HTTP and not to who greps.
func (x *exchange) tag(etag string) { x.w.Header()["ETag"] = []string{etag} }

// tagged writes a body that bears an entity tag, or 304 to a client that has it.
func (x *exchange) tagged(etag string, body []byte) error {
	x.tag(etag)
	if tagMatches(x.r.Header.Values("If-None-Match"), etag) {
		x.w.Header().Add("Vary", "Accept-Encoding")
		x.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	x.send(http.StatusOK, "application/json", body)
	return nil
}

// page answers one page of a list.
func (x *exchange) page(read func(context.Context, platform.PageRequest) (platform.Page, error)) error {
	ask, err := pageRequest(x.r.URL.RawQuery)
	if err != nil {
		return err
	}
	page, err := read(x.ctx(), ask)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, page)
}

// pathID parses the identifier in the path. A text that is no identifier names
// nothing that there is.
func pathID[ID any](x *exchange, name string, parse func(string) (ID, error)) (ID, error) {
	id, err := parse(x.r.PathValue(name))
	if err != nil {
		return id, problemf(string(platform.NotFound), "%s", err)
	}
	return id, nil
}

func (x *exchange) tenantID() (catalog.TenantID, error) {
	return pathID(x, "id", catalog.ParseTenantID)
}
