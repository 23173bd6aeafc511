package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/daemon"
)

const (
	pageSize = 50
	maxQuery = 200 // characters of a filter
)

// matrix is the page of tenants and the modules that their facilities are to
// hold.
type matrix struct {
	Query    string
	Standing string
	Choices  []daemon.Standing
	Modules  []catalog.Module
	Rows     []line
	Found    int // tenants that the filter lets through
	First    int // of them on this page, from 1
	Prev     string
	Next     string
}

// line is one tenant of the matrix.
type line struct {
	*daemon.Tenant
	Cells []cell
}

// cell is a module at the facilities of a tenant.
type cell struct {
	Text  string // for the eye
	Title string // in words
	Class string // of what differs, or ""
}

func (s *Server) tenants(w http.ResponseWriter, r *http.Request) {
	v := s.o.View()
	query := r.URL.Query()
	m := matrix{Query: cut(query.Get("q")), Standing: query.Get("standing"), Choices: daemon.Standings()}
	found := m.filter(v)
	m.Found = len(found)
	number, err := strconv.Atoi(query.Get("page"))
	last := max(0, (len(found)-1)/pageSize)
	if err != nil || number < 0 || number > last {
		number = 0
	}
	m.First = number*pageSize + 1
	m.turn(number, last)
	if v.Desired != nil {
		for _, module := range v.Desired.Catalog.Modules() {
			m.Modules = append(m.Modules, *module)
		}
	}
	for _, t := range found[number*pageSize : min(len(found), (number+1)*pageSize)] {
		m.Rows = append(m.Rows, line{t, cells(v, t)})
	}
	s.show(w, http.StatusOK, "tenants", frame{Title: "Tenants", Here: "tenants", View: v, Page: m})
}

// cut bounds a text that somebody typed.
func cut(text string) string {
	if len(text) > maxQuery {
		text = strings.ToValidUTF8(text[:maxQuery], "")
	}
	return strings.TrimSpace(text)
}

// filter lets through the tenants that a word and a standing choose.
func (m *matrix) filter(v *daemon.View) []*daemon.Tenant {
	word := strings.ToLower(m.Query)
	var found []*daemon.Tenant
	for _, t := range v.Tenants {
		if m.Standing != "" && string(t.Standing) != m.Standing {
			continue
		}
		if word == "" || strings.Contains(t.ID, word) || strings.Contains(strings.ToLower(t.Name), word) || strings.Contains(t.Edition, word) || strings.Contains(t.Organisation, word) {
			found = append(found, t)
		}
	}
	return found
}

func (m *matrix) turn(number, last int) {
	link := func(number int) string {
		return "/tenants?" + url.Values{"q": {m.Query}, "standing": {m.Standing}, "page": {strconv.Itoa(number)}}.Encode()
	}
	if number > 0 {
		m.Prev = link(number - 1)
	}
	if number < last {
		m.Next = link(number + 1)
	}
}

// cells says of each module at how many facilities of a tenant it is to be, and
// what differs.
func cells(v *daemon.View, t *daemon.Tenant) []cell {
	declared := declaration(v, t.ID)
	if declared == nil {
		return nil
	}
	held, sites := map[int]int{}, len(declared.Facilities)
	for i := range declared.Facilities {
		for index := range v.Desired.Catalog.Holds(declared, &declared.Facilities[i], v.At).All() {
			held[index]++
		}
	}
	differs := differences(t)
	var list []cell
	for index, module := range v.Desired.Catalog.Modules() {
		list = append(list, newCell(module, held[index], sites, differs[module.Key.String()]))
	}
	return list
}

func newCell(module *catalog.Module, held, sites int, d difference) cell {
	c := cell{Title: fmt.Sprintf("%s at %d of %d sites", module.Name, held, sites), Class: string(d.class)}
	switch {
	case held == 0:
		c.Text = "·"
	case held == sites:
		c.Text = "✓"
	default:
		c.Text = fmt.Sprintf("%d/%d", held, sites)
	}
	if d.grant > 0 {
		c.Text += fmt.Sprintf(" +%d", d.grant)
		c.Title += fmt.Sprintf(", %d to grant (%s)", d.grant, d.class)
	}
	if d.revoke > 0 {
		c.Text += fmt.Sprintf(" −%d", d.revoke)
		c.Title += fmt.Sprintf(", %d to revoke (%s)", d.revoke, d.class)
	}
	return c
}

// difference counts the rows of a module that would come and go.
type difference struct {
	grant, revoke int
	class         plan.Class
}

func differences(t *daemon.Tenant) map[string]difference {
	of := map[string]difference{}
	for i := range t.Batches {
		for _, c := range t.Batches[i].Changes {
			if c.Kind != plan.KindRow {
				continue
			}
			d := of[c.Module]
			if c.Action.Withdraws() {
				d.revoke++
			} else {
				d.grant++
			}
			d.class = c.Class
			of[c.Module] = d
		}
	}
	return of
}

// declaration is a tenant as it is declared; nil where it is not.
func declaration(v *daemon.View, id string) *catalog.Tenant {
	parsed, err := catalog.ParseTenantID(id)
	if err != nil || v.Desired == nil {
		return nil
	}
	d := v.Desired.Tenant(parsed)
	if d == nil {
		return nil
	}
	t, err := d.Tenant()
	if err != nil {
		return nil
	}
	return t
}

// site is a facility with what it is to hold, and why.
type site struct {
	*catalog.Facility
	Modules []held
}

// held is a module that a facility is to hold.
type held struct {
	Name  string
	Key   string
	Where catalog.Position
	Why   string
}

func (s *Server) tenant(w http.ResponseWriter, r *http.Request) {
	v := s.o.View()
	t := v.Tenant(r.PathValue("id"))
	declared := declaration(v, r.PathValue("id"))
	if t == nil || declared == nil {
		s.show(w, http.StatusNotFound, "missing", frame{Title: "Not declared", Here: "tenants", View: v})
		return
	}
	page := struct {
		*daemon.Tenant
		Declared *catalog.Tenant
		Sites    []site
		Rows     int
	}{Tenant: t, Declared: declared}
	for i := range declared.Facilities {
		next := sited(v, declared, &declared.Facilities[i])
		page.Rows += len(next.Modules)
		page.Sites = append(page.Sites, next)
	}
	s.show(w, http.StatusOK, "tenant", frame{Title: t.ID, Here: "tenants", View: v, Page: page})
}

func sited(v *daemon.View, t *catalog.Tenant, f *catalog.Facility) site {
	next := site{Facility: f}
	for index := range v.Desired.Catalog.Holds(t, f, v.At).All() {
		module := v.Desired.Catalog.Module(index)
		cause := v.Desired.Catalog.Cause(t, f, module.Key, v.At)
		h := held{Name: module.Name, Key: module.Key.String(), Where: cause.Pos, Why: "edition " + t.Edition.String()}
		if cause.Adjustment != nil {
			h.Why = "granted: " + cause.Adjustment.Reason
		}
		next.Modules = append(next.Modules, h)
	}
	return next
}
