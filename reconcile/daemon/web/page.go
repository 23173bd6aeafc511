package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/daemon"
)

//go:embed pages
var pageFiles embed.FS

// pages are the templates, one a page, each with the frame around it.
type pages struct{ of map[string]*template.Template }

func newPages() (*pages, error) {
	p := &pages{of: map[string]*template.Template{}}
	for _, name := range []string{"overview", "tenants", "tenant", "calendar", "ledger", "holds", "missing"} {
		t, err := template.New("frame.html").Funcs(words).ParseFS(pageFiles, "pages/frame.html", "pages/"+name+".html")
		if err != nil {
			return nil, err
		}
		p.of[name] = t
	}
	return p, nil
}

// words are what the templates say things by.
var words = template.FuncMap{
	"day":   day,
	"time":  clock,
	"named": func(c plan.Change) string { return daemon.Named(&c) },
	"short": func(hash string) string { return hash[:min(12, len(hash))] },
	"plural": func(n int, one, many string) string {
		if n == 1 {
			return fmt.Sprintf("%d %s", n, one)
		}
		return fmt.Sprintf("%d %s", n, many)
	},
}

func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return catalog.FormatTime(t.Truncate(time.Second))
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// frame is what every page says.
type frame struct {
	Title string
	Here  string // which of the links in the head is the page's own
	View  *daemon.View
	Page  any
}

// show writes a page, whole or not at all.
func (s *Server) show(w http.ResponseWriter, status int, name string, f frame) {
	var page bytes.Buffer
	if err := s.pages.of[name].Execute(&page, f); err != nil {
		s.o.Log.Error("page", "name", name, "error", err)
		http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := page.WriteTo(w); err != nil {
		s.o.Log.Debug("page not sent", "error", err)
	}
}

// tile is a figure at a glance.
type tile struct {
	Standing daemon.Standing
	Count    int
}

// mostOpen is how many tenants the first page lists.
const mostOpen = 50

func (s *Server) overview(w http.ResponseWriter, _ *http.Request) {
	v := s.o.View()
	var page struct {
		Tiles []tile
		Open  []*daemon.Tenant // that people want to know of, up to a bound
		More  int
	}
	count := v.Count()
	for _, standing := range daemon.Standings() {
		page.Tiles = append([]tile{{standing, count[standing]}}, page.Tiles...)
	}
	for _, standing := range daemon.Standings() {
		for _, t := range v.Tenants {
			switch {
			case t.Standing != standing || standing == daemon.InStep:
			case len(page.Open) == mostOpen:
				page.More++
			default:
				page.Open = append(page.Open, t)
			}
		}
	}
	s.show(w, http.StatusOK, "overview", frame{Title: "Fleet", Here: "fleet", View: v, Page: page})
}

func (s *Server) calendar(w http.ResponseWriter, _ *http.Request) {
	v := s.o.View()
	const most = 500
	entries := v.Scheduled()
	page := struct {
		Entries []plan.Entry
		More    int
	}{entries[:min(most, len(entries))], max(0, len(entries)-most)}
	s.show(w, http.StatusOK, "calendar", frame{Title: "Calendar", Here: "calendar", View: v, Page: page})
}

func (s *Server) ledger(w http.ResponseWriter, _ *http.Request) {
	s.show(w, http.StatusOK, "ledger", frame{Title: "Ledger", Here: "ledger", View: s.o.View()})
}

func (s *Server) holds(w http.ResponseWriter, _ *http.Request) {
	v := s.o.View()
	var page struct {
		Holds []catalog.Hold
		Now   time.Time
	}
	page.Now = s.o.Now()
	if v.Desired != nil {
		page.Holds = v.Desired.Holds
	}
	s.show(w, http.StatusOK, "holds", frame{Title: "Holds", Here: "holds", View: v, Page: page})
}
