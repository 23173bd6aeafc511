package catalog

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Position is a place in a declaration's source. The zero Position is nowhere.
type Position struct {
	File string `json:"file"` // relative to the fleet's root, with slashes
	Line int    `json:"line"` // from 1
	Col  int    `json:"col"`  // in bytes, from 1
}

// IsZero reports whether p is nowhere.
func (p Position) IsZero() bool { return p.File == "" }

// String returns file:line:col, leaving out the numbers that are not known.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Module is one thing that a facility may hold.
type Module struct {
	Key      ModuleKey
	EHR      EHRModule   // the same module in the EHR's words
	Name     string      // for people
	Requires []ModuleKey // modules that a facility must hold too, sorted
	Routes   []string    // path prefixes of the clinical app that it gates
	Critical bool        // patients may come to harm where it is taken away
	Pos      Position

	needs []int // Requires, as indices of the catalogue that the module is in
}

// Needs returns the indices of the modules that a facility must hold too. The
// caller must not change it.
func (m *Module) Needs() []int { return m.needs }

// Unlimited is the value of a limit that does not bind.
const Unlimited int64 = -1

// Limits are the most that a tenant may have of four things; Unlimited where
// there is no most.
type Limits struct {
	Facilities int64
	Users      int64
	Beds       int64
	StorageGB  int64
}

// NoLimits binds nothing.
var NoLimits = Limits{Unlimited, Unlimited, Unlimited, Unlimited}

// Edition is a set of modules and limits that is sold under one name.
type Edition struct {
	Key     EditionKey
	Name    string
	Modules []ModuleKey // sorted
	Limits  Limits
	Pos     Position

	set ModuleSet // Modules, as indices of the catalogue that the edition is in
}

// Set returns the edition's modules as a set of the catalogue it belongs to. The
// caller must not change it.
func (e *Edition) Set() ModuleSet { return e.set }

// ConnectModule is the module without which instruments are of no use.
var ConnectModule = ModuleKey{"connect"}

// Instrument is a device that a tenant may connect.
type Instrument struct {
	Key      InstrumentKey
	Name     string
	Protocol string
	Pos      Position
}

// Catalog is what can be sold, and the mapper between charter's words for
// modules and the EHR's. It does not change once it is made.
//
// A module has an index in its catalogue: its place among all modules in the
// order of their EHR keys. Sets of modules are bit sets over these indices, so
// walking a set gives rows in the order in which they are written.
type Catalog struct {
	modules     []Module
	byKey       map[ModuleKey]int
	byEHR       map[EHRModule]int
	editions    map[EditionKey]*Edition
	instruments map[InstrumentKey]Instrument
	roles       map[string][]string
	staffRoles  []string
	digest      string
}

// MapperError says that two modules have one key in the EHR, so that a live row
// would not tell which of them it is.
type MapperError struct{ First, Second Module }

func (e *MapperError) Error() string {
	return fmt.Sprintf("modules %q and %q are both %q in the EHR", e.First.Key, e.Second.Key, e.First.EHR)
}

// Data is everything that a catalogue is made of.
type Data struct {
	Modules     []Module
	Editions    []Edition
	Instruments []Instrument
	// Capabilities are the capabilities there are; Roles what each role of the
	// platform's operators holds, where "group.*" and "*" stand for many.
	Capabilities []string
	Roles        map[string][]string
	StaffRoles   []string // the clinical roles that an account made at provisioning may have
	Digest       string   // identifies the files it was read from, as a plan's "catalog"
}

// New makes a catalogue. It returns a MapperError for each pair of modules that
// share an EHR key, and an error for a module that another one or an edition
// names and nobody declares.
func New(data Data) (*Catalog, error) {
	c := &Catalog{
		modules:     slices.Clone(data.Modules),
		byKey:       make(map[ModuleKey]int, len(data.Modules)),
		byEHR:       make(map[EHRModule]int, len(data.Modules)),
		editions:    make(map[EditionKey]*Edition, len(data.Editions)),
		instruments: make(map[InstrumentKey]Instrument, len(data.Instruments)),
		roles:       make(map[string][]string, len(data.Roles)),
		staffRoles:  data.StaffRoles,
		digest:      data.Digest,
	}
	slices.SortStableFunc(c.modules, func(a, b Module) int { return a.EHR.Compare(b.EHR) })
	var errs []error
	for i, m := range c.modules {
		if first, twice := c.byEHR[m.EHR]; twice {
			errs = append(errs, &MapperError{First: c.modules[first], Second: m})
			continue
		}
		c.byEHR[m.EHR], c.byKey[m.Key] = i, i
	}
	for i := range c.modules {
		m := &c.modules[i]
		m.needs = nil
		for _, key := range m.Requires {
			index, known := c.byKey[key]
			if !known {
				errs = append(errs, fmt.Errorf("module %q: unknown module %q", m.Key, key))
				continue
			}
			m.needs = append(m.needs, index)
		}
	}
	for _, e := range data.Editions {
		e.set = c.NewSet()
		for _, key := range e.Modules {
			i, known := c.byKey[key]
			if !known {
				errs = append(errs, fmt.Errorf("edition %q: unknown module %q", e.Key, key))
				continue
			}
			e.set.Add(i)
		}
		c.editions[e.Key] = &e
	}
	for _, in := range data.Instruments {
		c.instruments[in.Key] = in
	}
	for role, held := range data.Roles {
		c.roles[role] = expand(held, data.Capabilities)
	}
	return c, errors.Join(errs...)
}

// Digest identifies the files that the catalogue was read from.
func (c *Catalog) Digest() string { return c.digest }

// Modules yields each module with its index, in the order of the EHR's keys.
func (c *Catalog) Modules() iter.Seq2[int, *Module] {
	return func(yield func(int, *Module) bool) {
		for i := range c.modules {
			if !yield(i, &c.modules[i]) {
				return
			}
		}
	}
}

// Module returns the module with an index that this catalogue gave.
func (c *Catalog) Module(index int) *Module { return &c.modules[index] }

// IndexOf returns the index of a module by its key in declarations.
func (c *Catalog) IndexOf(key ModuleKey) (int, bool) {
	i, ok := c.byKey[key]
	return i, ok
}

// FromEHR is the mapper in the direction of reading: the index of the module
// that the EHR calls key. It is false for a module that is not ours to judge.
func (c *Catalog) FromEHR(key EHRModule) (int, bool) {
	i, ok := c.byEHR[key]
	return i, ok
}

// Edition returns the edition of a key, or nil.
func (c *Catalog) Edition(key EditionKey) *Edition { return c.editions[key] }

// Editions returns all editions, sorted by key.
func (c *Catalog) Editions() []*Edition {
	editions := make([]*Edition, 0, len(c.editions))
	for _, e := range c.editions {
		editions = append(editions, e)
	}
	slices.SortFunc(editions, func(a, b *Edition) int { return a.Key.Compare(b.Key) })
	return editions
}

// Instruments returns all instruments, sorted by key.
func (c *Catalog) Instruments() []Instrument {
	instruments := make([]Instrument, 0, len(c.instruments))
	for _, in := range c.instruments {
		instruments = append(instruments, in)
	}
	slices.SortFunc(instruments, func(a, b Instrument) int { return a.Key.Compare(b.Key) })
	return instruments
}

// HasInstrument reports whether the catalogue has an instrument of this key.
func (c *Catalog) HasInstrument(key InstrumentKey) bool {
	_, ok := c.instruments[key]
	return ok
}

// expand returns the capabilities that the patterns stand for, sorted.
func expand(patterns, capabilities []string) []string {
	var held []string
	for _, pattern := range patterns {
		group, wild := strings.CutSuffix(pattern, "*")
		for _, capability := range capabilities {
			if capability == pattern || wild && strings.HasPrefix(capability, group) {
				held = append(held, capability)
			}
		}
	}
	slices.Sort(held)
	return slices.Compact(held)
}

// Capabilities returns what an operator's role holds, sorted; false for a role
// that there is not.
func (c *Catalog) Capabilities(role string) ([]string, bool) {
	held, ok := c.roles[role]
	return held, ok
}

// StaffRoles returns the clinical roles that provisioned staff may have.
func (c *Catalog) StaffRoles() []string { return c.staffRoles }
