package ehr

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// Rows are nearly all that goes over the wire: sixty of them, or six hundred, for
// each tenant. So they are written by hand, as identifiers need no escapes, and
// read by hand where the platform spells them as we do; any other spelling is left
// to the decoder.

const (
	rowOpen  = `{"facility":"`
	rowNext  = `,"module":"`
	rowClose = `}`
)

type wireRow struct {
	Facility string `json:"facility"`
	Module   string `json:"module"`
}

type wireRows []wireRow

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (r *wireRows) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	text, err := d.ReadValue() // it is JSON, without a key that stands twice
	if err != nil {
		return err
	}
	if rows, plain := plainRows(string(text)); plain {
		*r = rows
		return nil
	}
	return json.Unmarshal(text, (*[]wireRow)(r))
}

// plainRows reads a JSON text of rows that is spelled as appendRows spells them,
// and reports whether it is. The rows are parts of the text.
func plainRows(text string) (rows []wireRow, plain bool) {
	rest, plain := strings.CutPrefix(text, "[")
	if !plain || strings.Contains(text, `\`) {
		return nil, false
	}
	rows = make([]wireRow, 0, strings.Count(text, rowOpen))
	for rest != "]" {
		var row wireRow
		if row.Facility, rest, plain = quoted(rest, rowOpen); !plain {
			return nil, false
		}
		if row.Module, rest, plain = quoted(rest, rowNext); !plain {
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

// quoted cuts a text from between what opens it and the next quotation mark.
func quoted(text, open string) (inner, rest string, ok bool) {
	if rest, ok = strings.CutPrefix(text, open); !ok {
		return "", text, false
	}
	return strings.Cut(rest, `"`)
}

func appendRows(text []byte, rows catalog.Rows) []byte {
	text = append(text, '[')
	for i, row := range rows {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(text, rowOpen...), row.Facility.String()...)
		text = append(append(append(text, '"'), rowNext...), row.Module.String()...)
		text = append(append(text, '"'), rowClose...)
	}
	return append(text, ']')
}

// grantBody is the body of a write of rows, and the part of it that they are.
func grantBody(authority *Authority, rows catalog.Rows) (body, written []byte, err error) {
	by, err := json.Marshal(authority)
	if err != nil {
		return nil, nil, err
	}
	const perRow = 64 // bytes, about
	body = make([]byte, 0, len(by)+perRow*len(rows)+perRow)
	body = append(append(body, `{"authority":`...), by...)
	body = append(body, `,"rows":`...)
	start := len(body)
	body = append(appendRows(body, rows), '}')
	return body, body[start : len(body)-1], nil
}
