package catalog

import (
	"slices"
	"strings"
)

// Rows are nearly all that goes over the wire: sixty of them, or six hundred, for
// each tenant. So they are spelled by hand, as identifiers need no escapes, and
// read by hand where they are spelled so; any other spelling is left to a decoder.

const (
	rowOpen  = `{"facility":"`
	rowNext  = `","module":"`
	rowClose = `"}`
)

// AppendJSON appends the row as JSON.
func (r Row) AppendJSON(out []byte) []byte {
	out = append(append(out, rowOpen...), r.Facility.text...)
	out = append(append(out, rowNext...), r.Module.text...)
	return append(out, rowClose...)
}

// AppendJSON appends the rows as a JSON array.
func (r Rows) AppendJSON(out []byte) []byte {
	const perRow = 48 // bytes, about
	out = append(slices.Grow(out, perRow*len(r)+2), '[')
	for i, row := range r {
		if i > 0 {
			out = append(out, ',')
		}
		out = row.AppendJSON(out)
	}
	return append(out, ']')
}

// ParseRows reads a JSON array of rows that is spelled as AppendJSON spells it, and
// reports whether it is. The rows come in the order of the text, which they are
// parts of, and one may stand twice.
func ParseRows(text string) (rows []Row, plain bool) {
	rest, plain := strings.CutPrefix(text, "[")
	if !plain {
		return nil, false
	}
	rows = make([]Row, 0, strings.Count(text, rowOpen))
	for rest != "]" {
		var row Row
		if row.Facility, rest, plain = cutID[facilityKind](rest, rowOpen); !plain {
			return nil, false
		}
		if row.Module, rest, plain = cutID[ehrModuleKind](rest, rowNext); !plain {
			return nil, false
		}
		if rest, plain = strings.CutPrefix(rest, rowClose); !plain {
			return nil, false
		}
		rows = append(rows, row)
		if next, more := strings.CutPrefix(rest, ","); more && next != "]" {
			rest = next
		} else if rest != "]" {
			return nil, false
		}
	}
	return rows, true
}

// cutID cuts an identifier from between what opens it and the next quotation mark,
// which is left.
func cutID[K kind](text, open string) (id ID[K], rest string, ok bool) {
	text, ok = strings.CutPrefix(text, open)
	end := strings.IndexByte(text, '"')
	if !ok || end < 0 || !validID(text[:end]) {
		return id, text, false
	}
	return ID[K]{text[:end]}, text[end:], true
}
