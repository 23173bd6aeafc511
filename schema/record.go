package schema

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// record is what is kept of a tenant's directory that was evaluated and found
// without mistakes. What a whole fleet is asked for at every start stands in
// front and costs little to read; the tenant itself is decoded when somebody
// wants it.
type record struct {
	catalog  string // the digest of the catalogue that it was held against
	imports  string // the import paths of the fleet's packages that it needs, a line each
	packages string // the digest of those packages, or ""
	tenant   catalog.Declaration
	pos      catalog.Position // the tenant's
	orgPos   catalog.Position
	envPos   catalog.Position
	notes    []note

	wrong bool // it has mistakes, so that only its ids and places are of use; never kept
}

func newRecord(t *catalog.Tenant, declaration catalog.Declaration) *record {
	return &record{tenant: declaration, pos: t.Pos, orgPos: t.OrganisationPos, envPos: t.EnvironmentPos}
}

// mistakenRecord is the record of a tenant with mistakes; nil for none.
func mistakenRecord(t *catalog.Tenant, dir string) *record {
	if t == nil {
		return nil
	}
	r := newRecord(t, catalog.Declared(t.ID, t.Organisation, t.Environment, dir, nil))
	r.wrong = true
	return r
}

// encode writes the record: each text with its length before it, each number as
// a varint, then the encoded tenant to the end.
func (r *record) encode() []byte {
	var b []byte
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	position := func(p catalog.Position) {
		text(p.File)
		b = binary.AppendUvarint(b, uint64(p.Line))
		b = binary.AppendUvarint(b, uint64(p.Col))
	}
	text(r.catalog)
	text(r.imports)
	text(r.packages)
	text(r.tenant.ID.String())
	text(r.tenant.Organisation.String())
	text(r.tenant.Environment.String())
	text(r.tenant.Dir)
	position(r.pos)
	position(r.orgPos)
	position(r.envPos)
	b = binary.AppendUvarint(b, uint64(len(r.notes)))
	for _, n := range r.notes {
		text(string(n.code))
		position(n.pos)
		text(n.message)
		if n.code == Ending {
			b = binary.AppendVarint(b, n.until.Unix())
			b = binary.AppendVarint(b, int64(n.until.Nanosecond()))
		}
	}
	return append(b, r.tenant.Encoded()...)
}

var errRecord = errors.New("not a record")

// decodeRecord reads what encode wrote. A kept record has passed a checksum, so
// a fault means that it was written by something else, and it is evaluated anew.
func decodeRecord(b []byte) (*record, error) {
	d := recordDecoder{rest: b}
	r := &record{catalog: d.text(), imports: d.text(), packages: d.text()}
	tenant, organisation, environment, dir := d.text(), d.text(), d.text(), d.text()
	r.pos, r.orgPos, r.envPos = d.position(), d.position(), d.position()
	for n := d.uint(); n > 0 && d.err == nil; n-- {
		n := note{code: Code(d.text()), pos: d.position(), message: d.text()}
		if n.code == Ending {
			n.until = time.Unix(d.int(), d.int()).UTC()
		}
		r.notes = append(r.notes, n)
	}
	if d.err != nil {
		return nil, d.err
	}
	id, err := catalog.ParseTenantID(tenant)
	org, err2 := catalog.ParseOrganisationID(organisation)
	env, err3 := catalog.ParseEnvironment(environment)
	r.tenant = catalog.Declared(id, org, env, dir, d.rest)
	return r, errors.Join(err, err2, err3)
}

type recordDecoder struct {
	rest []byte
	err  error
}

func (d *recordDecoder) uint() uint64 {
	value, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.rest, d.err = nil, errRecord
		return 0
	}
	d.rest = d.rest[n:]
	return value
}

func (d *recordDecoder) int() int64 {
	value, n := binary.Varint(d.rest)
	if n <= 0 {
		d.rest, d.err = nil, errRecord
		return 0
	}
	d.rest = d.rest[n:]
	return value
}

func (d *recordDecoder) text() string {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.rest, d.err = nil, errRecord
		return ""
	}
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}

func (d *recordDecoder) position() catalog.Position {
	return catalog.Position{File: d.text(), Line: int(d.uint()), Col: int(d.uint())}
}
