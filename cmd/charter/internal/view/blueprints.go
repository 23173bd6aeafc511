package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// limitNames are the limits of an edition, in the order in which they are shown.
var limitNames = []string{"facilities", "users", "beds", "storage_gb"}

func limitsOf(e *catalog.Edition) []int64 {
	return []int64{e.Limits.Facilities, e.Limits.Users, e.Limits.Beds, e.Limits.StorageGB}
}

func limitText(n int64) string {
	if n == catalog.Unlimited {
		return "unlimited"
	}
	return strconv.FormatInt(n, 10)
}

// blueprintRows are a line a module and a line a limit, with a column an
// edition. Modules that no edition has stand too, as they can be granted.
func blueprintRows(c *catalog.Catalog, editions []*catalog.Edition, mark string) [][]string {
	var rows [][]string
	for index, m := range c.Modules() {
		row := []string{m.Key.String(), Clean(m.Name)}
		for _, e := range editions {
			cell := ""
			if e.Set().Has(index) {
				cell = mark
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	for i, name := range limitNames {
		row := []string{name, ""}
		for _, e := range editions {
			row = append(row, limitText(limitsOf(e)[i]))
		}
		rows = append(rows, row)
	}
	return rows
}

// Blueprints writes editions side by side.
func Blueprints(w io.Writer, c *catalog.Catalog, editions []*catalog.Edition) error {
	var t table
	head := []string{"MODULE", "NAME"}
	for _, e := range editions {
		head = append(head, e.Key.String())
	}
	t.add(head...)
	for _, row := range blueprintRows(c, editions, "x") {
		t.add(row...)
	}
	return t.write(w, plain)
}

// BlueprintsMarkdown writes editions side by side as a Markdown table.
func BlueprintsMarkdown(w io.Writer, c *catalog.Catalog, editions []*catalog.Edition) error {
	var b strings.Builder
	head := []string{"Module", "Name"}
	for _, e := range editions {
		head = append(head, Escape(e.Name))
	}
	rows := blueprintRows(c, editions, "x")
	for i := range rows {
		for j := range rows[i] {
			rows[i][j] = Escape(rows[i][j])
		}
	}
	markdownTable(&b, fmt.Sprintf("Editions (%d)", len(editions)), head, rows)
	_, err := io.WriteString(w, b.String())
	return err
}

// Blueprint writes one edition in full.
func Blueprint(w io.Writer, c *catalog.Catalog, e *catalog.Edition) error {
	var t table
	t.add("edition", e.Key.String(), Clean(e.Name))
	for i, name := range limitNames {
		t.add("limit", name, limitText(limitsOf(e)[i]))
	}
	for index := range e.Set().All() {
		m := c.Module(index)
		t.add("module", m.Key.String(), Clean(m.Name), Clean(strings.Join(m.Routes, " ")), needs(m), critical(m))
	}
	return t.write(w, plain)
}

func needs(m *catalog.Module) string {
	if len(m.Requires) == 0 {
		return ""
	}
	names := make([]string, len(m.Requires))
	for i, key := range m.Requires {
		names[i] = key.String()
	}
	return "requires " + strings.Join(names, ", ")
}

func critical(m *catalog.Module) string {
	if m.Critical {
		return "critical"
	}
	return ""
}

type blueprintJSON struct {
	Key     string              `json:"key"`
	Limits  map[string]*int64   `json:"limits"` // null is unlimited
	Modules []blueprintModuleJS `json:"modules"`
	Name    string              `json:"name"`
}

type blueprintModuleJS struct {
	Critical bool                `json:"critical"`
	EHRKey   catalog.EHRModule   `json:"ehr_key"`
	Key      catalog.ModuleKey   `json:"key"`
	Name     string              `json:"name"`
	Requires []catalog.ModuleKey `json:"requires"`
	Routes   []string            `json:"routes"`
}

// BlueprintsJSON writes editions for programs.
func BlueprintsJSON(w io.Writer, c *catalog.Catalog, editions []*catalog.Edition) error {
	list := []blueprintJSON{}
	for _, e := range editions {
		b := blueprintJSON{Key: e.Key.String(), Name: e.Name, Limits: map[string]*int64{}, Modules: []blueprintModuleJS{}}
		for i, name := range limitNames {
			b.Limits[name] = nil
			if n := limitsOf(e)[i]; n != catalog.Unlimited {
				b.Limits[name] = &n
			}
		}
		for index := range e.Set().All() {
			m := c.Module(index)
			b.Modules = append(b.Modules, blueprintModuleJS{m.Critical, m.EHR, m.Key, m.Name, append([]catalog.ModuleKey{}, m.Requires...), append([]string{}, m.Routes...)})
		}
		list = append(list, b)
	}
	return JSON(w, list)
}
