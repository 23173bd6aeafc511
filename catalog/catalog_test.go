package catalog_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/veonahealth/charter/catalog"
)

// small is a catalogue in which the order of the EHR's keys is not that of the
// declarations'.
func small() catalog.Data {
	return catalog.Data{
		Modules: []catalog.Module{
			{Key: moduleKey("register"), EHR: ehrModule("a1"), Name: "Register"},
			{Key: moduleKey("chart"), EHR: ehrModule("z9"), Name: "Chart", Requires: []catalog.ModuleKey{moduleKey("register")}},
			{Key: moduleKey("labs"), EHR: ehrModule("lab"), Name: "Labs"},
		},
		Editions: []catalog.Edition{
			{Key: editionKey("hospital"), Modules: []catalog.ModuleKey{moduleKey("chart"), moduleKey("register")}, Limits: catalog.NoLimits},
			{Key: editionKey("clinic"), Modules: []catalog.ModuleKey{moduleKey("register")}},
		},
		Instruments:  []catalog.Instrument{{Key: instrument("xn")}, {Key: instrument("cobas")}},
		Capabilities: []string{"registry.write", "entitlements.read", "entitlements.write", "audit.read"},
		Roles: map[string][]string{
			"super_admin": {"*"},
			"support":     {"entitlements.*", "audit.read", "entitlements.read"},
			"dreamer":     {"moon.*", "sun.read"},
		},
		StaffRoles: []string{"nurse"},
		Digest:     "sha256:0",
	}
}

func TestTheMapperLeadsBothWays(t *testing.T) {
	c, err := catalog.New(small())
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for i, m := range c.Modules() {
		keys = append(keys, m.EHR.String())
		there, ok := c.IndexOf(m.Key)
		back, ok2 := c.FromEHR(m.EHR)
		if !ok || !ok2 || there != i || back != i || c.Module(i) != m {
			t.Errorf("module %s: index %d, by key %d, from the EHR %d", m.Key, i, there, back)
		}
	}
	if want := []string{"a1", "lab", "z9"}; !slices.Equal(keys, want) {
		t.Errorf("modules stand in the order %v, want %v", keys, want)
	}
	if _, ok := c.FromEHR(ehrModule("labs")); ok {
		t.Error("a key of declarations is taken for one of the EHR")
	}
	if _, ok := c.IndexOf(moduleKey("lab")); ok {
		t.Error("a key of the EHR is taken for one of declarations")
	}
}

func TestACatalogueKnowsWhatItWasMadeOf(t *testing.T) {
	c, err := catalog.New(small())
	if err != nil {
		t.Fatal(err)
	}
	chart, _ := c.IndexOf(moduleKey("chart"))
	register, _ := c.IndexOf(moduleKey("register"))
	if got := c.Module(chart).Needs(); !slices.Equal(got, []int{register}) {
		t.Errorf("chart needs %v, want %v", got, []int{register})
	}
	if got := slices.Collect(c.Edition(editionKey("hospital")).Set().All()); !slices.Equal(got, []int{register, chart}) {
		t.Errorf("hospital has %v", got)
	}
	if c.Edition(editionKey("network")) != nil {
		t.Error("there is an edition that nobody declared")
	}
	var editions, instruments []string
	for _, e := range c.Editions() {
		editions = append(editions, e.Key.String())
	}
	for _, in := range c.Instruments() {
		instruments = append(instruments, in.Key.String())
	}
	if diff := cmp.Diff([][]string{{"clinic", "hospital"}, {"cobas", "xn"}, {"nurse"}}, [][]string{editions, instruments, c.StaffRoles()}); diff != "" {
		t.Errorf("editions, instruments, staff roles (-want +got):\n%s", diff)
	}
	if !c.HasInstrument(instrument("xn")) || c.HasInstrument(instrument("dx")) {
		t.Error("instruments are not known for what they are")
	}
	if c.Digest() != "sha256:0" {
		t.Errorf("digest is %s", c.Digest())
	}
}

func TestRolesHoldWhatTheirPatternsStandFor(t *testing.T) {
	c, err := catalog.New(small())
	if err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string][]string{
		"super_admin": {"audit.read", "entitlements.read", "entitlements.write", "registry.write"},
		"support":     {"audit.read", "entitlements.read", "entitlements.write"},
		"dreamer":     nil,
	} {
		if got, ok := c.Capabilities(role); !ok || !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", role, got, want)
		}
	}
	if _, ok := c.Capabilities("nobody"); ok {
		t.Error("there is a role that nobody declared")
	}
}

func TestEachPairOfModulesWithOneEHRKeyIsNamed(t *testing.T) {
	data := small()
	data.Modules = append(data.Modules,
		catalog.Module{Key: moduleKey("laboratory"), EHR: ehrModule("lab")},
		catalog.Module{Key: moduleKey("lab-2"), EHR: ehrModule("lab")},
	)
	_, err := catalog.New(data)
	var clash *catalog.MapperError
	if !errors.As(err, &clash) || clash.First.Key != moduleKey("labs") || clash.Second.Key != moduleKey("laboratory") {
		t.Errorf("got %v", err)
	}
	const want = "modules \"labs\" and \"laboratory\" are both \"lab\" in the EHR\nmodules \"labs\" and \"lab-2\" are both \"lab\" in the EHR"
	if err.Error() != want {
		t.Errorf("got %q", err)
	}
}

func TestModulesThatNobodyDeclaresAreNamed(t *testing.T) {
	data := small()
	data.Modules[0].Requires = []catalog.ModuleKey{moduleKey("bill")}
	data.Editions[0].Modules = []catalog.ModuleKey{moduleKey("ward")}
	_, err := catalog.New(data)
	const want = "module \"register\": unknown module \"bill\"\nedition \"hospital\": unknown module \"ward\""
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Two catalogues of the same data, in whatever order, answer alike.
func TestTheOrderOfTheDataDoesNotMatter(t *testing.T) {
	data := small()
	slices.Reverse(data.Modules)
	slices.Reverse(data.Editions)
	a, err := catalog.New(small())
	b, err2 := catalog.New(data)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for i, m := range a.Modules() {
		if b.Module(i).Key != m.Key {
			t.Errorf("module %d is %s and %s", i, m.Key, b.Module(i).Key)
		}
	}
}

func TestMakingACatalogueLeavesItsDataAlone(t *testing.T) {
	data := small()
	if _, err := catalog.New(data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(small(), data, opaque(), cmp.AllowUnexported(catalog.Module{}, catalog.Edition{})); diff != "" {
		t.Errorf("the data changed (-before +after):\n%s", diff)
	}
}

func TestTheDefaultCatalogueIsPartOfTheBinary(t *testing.T) {
	names, err := fs.Glob(catalog.DefaultFiles(), "*.cue")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, " "); got != "editions.cue instruments.cue modules.cue roles.cue" {
		t.Errorf("its files are %s", got)
	}
}
