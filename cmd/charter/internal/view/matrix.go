package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/veonahealth/charter/plan"
)

// htmlMatrix sets tenants against modules: at how many of a tenant's facilities a
// module comes and goes.
type htmlMatrix struct {
	Modules []string
	Pages   []matrixPage
}

// matrixPage is as many tenants as are laid out at once.
type matrixPage struct {
	Title string
	Open  bool
	Rows  []matrixRow
}

type matrixRow struct {
	Tenant string
	Cells  []matrixCell
}

type matrixCell struct{ Class, Text string }

// manyTenantRows is how many tenants stand on one page of a matrix.
const manyTenantRows = 200

// moves count the facilities that lose and gain a module.
type moves struct{ gone, come int }

func (r *report) matrix() htmlMatrix {
	count := map[[2]string]moves{}
	var names []string
	row := func(l *line) bool { return l.kind == plan.KindRow }
	groups := byOwner(r.changes, row)
	for _, group := range groups {
		for _, l := range group.lines {
			at := [2]string{l.owner, l.what}
			n := count[at]
			if l.withdraws() {
				n.gone++
			} else {
				n.come++
			}
			count[at] = n
			names = append(names, l.what)
		}
	}
	slices.SortFunc(groups, func(a, b owned) int { return strings.Compare(a.owner, b.owner) })
	modules := distinct(names)
	m := htmlMatrix{}
	for _, name := range modules {
		m.Modules = append(m.Modules, Clean(name))
	}
	for i, group := range groups {
		if i%manyTenantRows == 0 {
			m.Pages = append(m.Pages, matrixPage{Open: i == 0})
		}
		line := matrixRow{Tenant: Clean(group.owner)}
		for _, name := range modules {
			line.Cells = append(line.Cells, count[[2]string{group.owner, name}].cell())
		}
		page := &m.Pages[len(m.Pages)-1]
		page.Rows = append(page.Rows, line)
	}
	for i := range m.Pages {
		rows := m.Pages[i].Rows
		m.Pages[i].Title = fmt.Sprintf("%s: %s to %s", Counted(len(rows), "tenant", "tenants"), rows[0].Tenant, rows[len(rows)-1].Tenant)
	}
	return m
}

// cell shows what moves: the class says the gravest of it, the text all of it.
func (n moves) cell() matrixCell {
	var parts []string
	class := ""
	if n.come > 0 {
		parts, class = append(parts, fmt.Sprintf("+%d", n.come)), "come"
	}
	if n.gone > 0 {
		parts, class = append([]string{fmt.Sprintf("−%d", n.gone)}, parts...), "gone"
	}
	return matrixCell{class, strings.Join(parts, " ")}
}
