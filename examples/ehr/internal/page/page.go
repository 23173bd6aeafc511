// Package page shows people what the platform holds: tenants, facilities, rows,
// licences, administrators, mails and the audit trail. It only reads, runs no
// script, and tells no secret: a licence is shown without its token.
package page

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// Root is where the pages stand.
const Root = "/ui/"

//go:embed *.html style.css
var files embed.FS

// policy lets a page load its style and nothing else, from nowhere else.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the pages below Root.
type Handler struct {
	platform  *platform.Platform
	catalogue *catalog.Catalog
	templates *template.Template
	style     []byte
	mux       *http.ServeMux
}

// New returns the pages of a platform.
func New(p *platform.Platform, c *catalog.Catalog) (*Handler, error) {
	templates, err := template.ParseFS(files, "*.html")
	if err != nil {
		return nil, err
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, err
	}
	h := &Handler{platform: p, catalogue: c, templates: templates, style: style, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET "+Root+"style.css", h.css)
	h.mux.HandleFunc("GET "+Root+"{$}", h.page("tenants", h.tenants))
	h.mux.HandleFunc("GET "+Root+"tenants/{id}", h.page("tenant", h.tenant))
	h.mux.HandleFunc("GET "+Root+"mails", h.page("mails", h.mails))
	h.mux.HandleFunc("GET "+Root+"audit", h.page("audit", h.audit))
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) css(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(h.style) // an error here is the client's going away
}

// view is what every page is made of.
type view struct {
	Title    string
	Instance string
	Body     any
}

// page renders what read finds with a template. It is put together in memory, so
// that an error is not the second half of a page.
func (h *Handler) page(name string, read func(*http.Request) (title string, body any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		title, body, err := read(r)
		status := http.StatusOK
		if refusal, ok := errors.AsType[*platform.Refusal](err); ok {
			name, title, body, status = "refused", "There is nothing here", refusal.Detail, http.StatusNotFound
		} else if err != nil {
			http.Error(w, "the platform does not answer", http.StatusServiceUnavailable)
			return
		}
		var out bytes.Buffer
		if err := h.templates.ExecuteTemplate(&out, name+".html", view{title, h.platform.Instance(), body}); err != nil {
			http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		w.Write(out.Bytes()) // an error here is the client's going away
	}
}

// perPage is how many things a page lists.
const perPage = 100

func (h *Handler) tenants(r *http.Request) (string, any, error) {
	page, err := h.platform.Tenants(r.Context(), platform.PageRequest{Limit: perPage, Cursor: r.URL.Query().Get("cursor")})
	if err != nil {
		return "", nil, err
	}
	tenants, err := decode[platform.Tenant](page.Items)
	return "Tenants", struct {
		Total    int64
		Snapshot string
		Next     *string
		Tenants  []platform.Tenant
	}{page.Total, page.Snapshot, page.NextCursor, tenants}, err
}

func (h *Handler) mails(r *http.Request) (string, any, error) {
	mails, err := h.platform.Mails(r.Context(), perPage)
	return "Mails", mails, err
}

func (h *Handler) audit(r *http.Request) (string, any, error) {
	total, err := h.entries(r.Context(), 0, 1)
	if err != nil {
		return "", nil, err
	}
	since := max(0, total.Total-perPage)
	if asked, err := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64); err == nil {
		since = max(0, asked)
	}
	page, err := h.entries(r.Context(), since, perPage)
	if err != nil {
		return "", nil, err
	}
	entries, err := decode[platform.Entry](page.Items)
	return "Audit", struct {
		Total   int64
		Since   int64
		Before  int64 // since of the page before; below 0 for none
		Entries []platform.Entry
	}{total.Total, since, before(since), entries}, err
}

// before is the since of the page before another.
func before(since int64) int64 {
	if since == 0 {
		return -1
	}
	return max(0, since-perPage)
}

func (h *Handler) entries(ctx context.Context, since int64, limit int) (platform.Page, error) {
	return h.platform.Audit(ctx, since, platform.PageRequest{Limit: limit})
}
