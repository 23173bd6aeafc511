package view

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// widest is how wide a column of a table may be; what is longer sticks out, and
// does not push everything else aside.
const widest = 48

// table aligns rows of cells in columns.
type table struct {
	rows [][]string
	// under are lines that follow a row, by its index.
	under map[int][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// note puts a line below the last row.
func (t *table) note(line string) {
	if t.under == nil {
		t.under = map[int][]string{}
	}
	last := len(t.rows) - 1
	t.under[last] = append(t.under[last], line)
}

// write writes the table, each line through paint, which is given the index of
// its row.
func (t *table) write(w io.Writer, paint func(row int, line string) string) error {
	widths := t.widths()
	var b strings.Builder
	for i, row := range t.rows {
		b.Reset()
		for j, cell := range row {
			b.WriteString(cell)
			if j < len(row)-1 && (widths[j] > 0 || cell != "") { // a column that nothing stands in takes no room
				b.WriteString(strings.Repeat(" ", max(2, widths[j]-room(cell)+2)))
			}
		}
		line := paint(i, strings.TrimRight(b.String(), " ")) + "\n"
		for _, under := range t.under[i] {
			line += under + "\n"
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	return nil
}

// widths are those of the columns. The last cell of a row is not padded, and so
// pushes nothing aside.
func (t *table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for j, cell := range row[:max(len(row)-1, 0)] {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			if n := room(cell); n <= widest {
				widths[j] = max(widths[j], n)
			}
		}
	}
	return widths
}

// plain leaves lines as they are.
func plain(_ int, line string) string { return line }

// room is how many places a text takes on a terminal: letters of East Asia and
// pictures take two, marks above and below others none.
func room(text string) int {
	places := 0
	for _, r := range text {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
			places += 2
		default:
			places++
		}
	}
	return places
}
