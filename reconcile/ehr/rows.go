package ehr

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
)

// wireRows are rows in any order and any spelling.
type wireRows []catalog.Row

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (r *wireRows) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	text, err := d.ReadValue() // it is JSON, without a key that stands twice
	if err != nil {
		return err
	}
	rows, plain := catalog.ParseRows(string(text))
	if !plain {
		rows, err = anyRows(text)
	}
	*r = rows
	return err
}

func anyRows(text jsontext.Value) ([]catalog.Row, error) {
	var wire []wireRow
	if err := json.Unmarshal(text, &wire); err != nil {
		return nil, err
	}
	rows := make([]catalog.Row, len(wire))
	for i, w := range wire {
		var err error
		if rows[i], err = w.parse(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

type wireRow struct {
	Facility string `json:"facility"`
	Module   string `json:"module"`
}

func (w wireRow) parse() (catalog.Row, error) {
	facility, err := catalog.ParseFacilityID(w.Facility)
	if err != nil {
		return catalog.Row{}, err
	}
	module, err := catalog.ParseEHRModule(w.Module)
	return catalog.Row{Facility: facility, Module: module}, err
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
	body = append(rows.AppendJSON(body), '}')
	return body, body[start : len(body)-1], nil
}
