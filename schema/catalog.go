package schema

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"github.com/veonahealth/charter/catalog"
)

// catalogue binds the files of the package catalog. Where it reports problems,
// the catalogue has what is right.
func (b *binder) catalogue(n *node, digest string) *catalog.Catalog {
	data := catalog.Data{Digest: digest, Roles: map[string][]string{}}
	for _, f := range n.fields("modules") {
		data.Modules = append(data.Modules, b.module(f))
	}
	known := map[string]bool{}
	var names []string
	for _, m := range data.Modules {
		known[m.Key.String()] = true
		names = append(names, m.Key.String())
	}
	slices.Sort(names)
	for _, f := range n.fields("modules") {
		b.unknownModules(f.Value.items("requires"), known, names)
	}
	for _, f := range n.fields("editions") {
		b.unknownModules(f.Value.items("modules"), known, names)
		data.Editions = append(data.Editions, edition(f))
	}
	for _, f := range n.fields("instruments") {
		data.Instruments = append(data.Instruments, catalog.Instrument{
			Key: id(catalog.ParseInstrumentKey, f.Name), Name: f.Value.text("name"),
			Protocol: f.Value.text("protocol"), Pos: f.Pos,
		})
	}
	n = withDefaultRoles(n)
	data.Capabilities = texts(n.items("capabilities"))
	for _, f := range n.fields("roles") {
		data.Roles[f.Name] = texts(f.Value.Items)
	}
	data.StaffRoles = texts(n.items("staff_roles"))
	c, err := catalog.New(data)
	b.mapper(err)
	return c
}

// withDefaultRoles gives a catalogue that says nothing of roles the product's
// own: what a platform sells is its own affair, who may do what rarely is.
func withDefaultRoles(n *node) *node {
	whole := &node{Kind: kindStruct, Fields: slices.Clone(n.Fields)}
	for _, f := range defaultRoles().Fields {
		if whole.get(f.Name) == nil {
			whole.add(f)
		}
	}
	return whole
}

// defaultRoles are the roles and capabilities of the default catalogue.
var defaultRoles = sync.OnceValue(func() *node {
	s, _, err := readSource(catalog.DefaultFiles(), "roles.cue")
	if err == nil && len(s.parse("catalog")) == 0 {
		n, _, err := readPlain([]*source{s})
		if err == nil {
			return n
		}
	}
	panic("the default roles are not plain data") // they are part of the binary
})

func (b *binder) unknownModules(items []*node, known map[string]bool, names []string) {
	for _, item := range items {
		if !known[item.Text] {
			b.report(Unknown, item.Pos, didYouMean(item.Text, names), "unknown module %q", item.Text)
		}
	}
}

func (b *binder) module(f field) catalog.Module {
	m := catalog.Module{
		Key: id(catalog.ParseModuleKey, f.Name), EHR: id(catalog.ParseEHRModule, f.Name),
		Name: f.Value.text("name"), Requires: moduleKeys(f.Value.items("requires")),
		Routes: texts(f.Value.items("routes")), Critical: f.Value.text("critical") == "true", Pos: f.Pos,
	}
	if key := f.Value.value("ehr_key"); key != nil {
		m.EHR = id(catalog.ParseEHRModule, key.Text)
		m.Pos = key.Pos
	}
	return m
}

func edition(f field) catalog.Edition {
	limits := f.Value.value("limits")
	return catalog.Edition{
		Key: id(catalog.ParseEditionKey, f.Name), Name: f.Value.text("name"),
		Modules: moduleKeys(f.Value.items("modules")), Pos: f.Pos,
		Limits: catalog.Limits{
			Facilities: limit(limits, "facilities"), Users: limit(limits, "users"),
			Beds: limit(limits, "beds"), StorageGB: limit(limits, "storage_gb"),
		},
	}
}

func texts(items []*node) []string {
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = item.Text
	}
	return list
}

// mapper reports each pair of modules that share an EHR key. Other faults that a
// catalogue can have are reported before it is made.
func (b *binder) mapper(err error) {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return
	}
	for _, e := range joined.Unwrap() {
		var clash *catalog.MapperError
		if errors.As(e, &clash) {
			b.report(Mapper, clash.Second.Pos, "give each module an ehr_key of its own", "%s", clash)
			b.relate(clash.First.Pos, "the first of them")
		}
	}
}

// LoadCatalog reads a catalogue on its own: the CUE files of the package catalog
// at the top of files. It returns Problems where they are wrong.
func LoadCatalog(files fs.FS) (*catalog.Catalog, error) {
	l := newLoader(files, Options{})
	c, err := l.catalogue(context.Background(), ".")
	if err != nil {
		return nil, err
	}
	if len(l.problems) > 0 {
		return nil, l.explained()
	}
	return c, nil
}
