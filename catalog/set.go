package catalog

import (
	"iter"
	"math/bits"
	"slices"
)

const wordBits = 64

// ModuleSet is a set of modules of one catalogue, as bits over their indices.
// Sets of two catalogues do not mix.
type ModuleSet []uint64

// NewSet returns an empty set of this catalogue's modules.
func (c *Catalog) NewSet() ModuleSet {
	return make(ModuleSet, (len(c.modules)+wordBits-1)/wordBits)
}

// Add puts the module of an index into the set.
func (s ModuleSet) Add(index int) { s[index/wordBits] |= 1 << (index % wordBits) }

// Remove takes the module of an index out of the set.
func (s ModuleSet) Remove(index int) { s[index/wordBits] &^= 1 << (index % wordBits) }

// Has reports whether the module of an index is in the set.
func (s ModuleSet) Has(index int) bool { return s[index/wordBits]&(1<<(index%wordBits)) != 0 }

// Clone returns a copy that can be changed.
func (s ModuleSet) Clone() ModuleSet { return slices.Clone(s) }

// Equal reports whether two sets of one catalogue have the same modules.
func (s ModuleSet) Equal(other ModuleSet) bool { return slices.Equal(s, other) }

// All yields the indices in the set, in ascending order.
func (s ModuleSet) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(i*wordBits + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}
