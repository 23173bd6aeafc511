package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile/source"
)

// indexFormat changes whenever the index does.
const indexFormat = 6

// index is what is known of the receipts up to a commit, all of it verified. It
// is kept in a cache, so that none of them is read again to answer which one a
// question is of. Columns of one table have one entry for each of its lines.
type index struct {
	Format      int
	Environment string
	Root        ID
	Tip         string // the newest commit; "" before the first

	// The receipts, by their number: IDs, the plans' digests and the commits of
	// the declarations (zero where there is none), and the time by which those
	// were judged, in seconds and what is left of one.
	IDs, Plans, Declared []byte
	Seconds              []int64
	Nanoseconds          []int32
	Acts                 []Act

	Commits         []byte      // of the branch: an intent's, its outcome's, the next intent's
	Dates           []int64     // that those commits bear, in seconds
	Outcome         plan.Digest // of the newest receipt's outcome
	Open            bool        // the newest receipt has none
	Policy, Catalog Pin         // in force after the newest outcome

	// The batches that have an outcome, receipt by receipt.
	Digests []byte
	Numbers []int32 // of their receipts
	States  []byte  // an index into known
	Tenants []int32 // an index into Names
	Names   []string

	Applied applied
	Seen    *AuditEntry // the platform's newest that a receipt saw

	// The newest line of a digest by its first bytes, and the line before that one of
	// the same, or -1; made when first asked for.
	newest  map[uint64]int32
	before  []int32
	tenants map[string][]int32 // receipts by tenant, made when first asked for
	names   map[string]int32
}

func newIndex(environment string, root ID) *index {
	return &index{Format: indexFormat, Environment: environment, Root: root, Applied: newApplied()}
}

const hashLen = 20

// count is the number of receipts.
func (x *index) count() int { return len(x.Acts) }

func (x *index) id(n int) ID { return ID(x.IDs[n*sha256.Size : (n+1)*sha256.Size]) }

// at is the time by which a receipt's declarations were judged.
func (x *index) at(n int) time.Time { return time.Unix(x.Seconds[n], int64(x.Nanoseconds[n])).UTC() }

// commit is the nth commit of the branch, "" past its end.
func (x *index) commit(n int) string { return commitAt(x.Commits, n) }

// commitAt reads a column of commits, "" past its end and for none.
func commitAt(column []byte, n int) string {
	if (n+1)*hashLen > len(column) {
		return ""
	}
	raw := [hashLen]byte(column[n*hashLen:])
	if raw == [hashLen]byte{} {
		return ""
	}
	return hex.EncodeToString(raw[:])
}

// withCommit adds to a column of commits; "" is none.
func withCommit(column []byte, commit string) []byte {
	raw := make([]byte, hashLen)
	if len(commit) == 2*hashLen {
		_, _ = hex.Decode(raw, []byte(commit)) // an intent's is checked to be one
	}
	return append(column, raw...)
}

// find returns the number of a receipt.
func (x *index) find(id ID) (int, bool) { return lastAt(x.IDs, id) }

// lastAt returns the place of the last of some digests that is one; they are
// looked through from the end, as the newest are asked for most.
func lastAt(column []byte, digest [sha256.Size]byte) (int, bool) {
	for n := len(column)/sha256.Size - 1; n >= 0; n-- {
		if bytes.Equal(column[n*sha256.Size:(n+1)*sha256.Size], digest[:]) {
			return n, true
		}
	}
	return 0, false
}

func stateNumber(s State) int { return slices.Index(known(), s) }

// begin notes a receipt's intent.
func (x *index) begin(id ID, i *Intent, commit *source.CommitData) {
	x.IDs = append(x.IDs, id[:]...)
	var of plan.Digest
	if i.Plan != nil {
		of = *i.Plan
	}
	x.Plans = append(x.Plans, of[:]...)
	x.Acts, x.Declared = append(x.Acts, i.Act), withCommit(x.Declared, i.Commit)
	x.Seconds, x.Nanoseconds = append(x.Seconds, i.At.Unix()), append(x.Nanoseconds, int32(i.At.Nanosecond()))
	if i.Number == 0 {
		x.Policy, x.Catalog = i.Policy, i.Catalog
	}
	if i.Audit != nil {
		x.Seen = i.Audit
	}
	x.Open = true
	x.step(commit)
}

// finish notes the outcome of the newest receipt.
func (x *index) finish(i *Intent, o *Outcome, digest plan.Digest, commit *source.CommitData) {
	number := x.count() - 1
	for n, result := range o.Batches {
		x.Digests = append(x.Digests, result.Digest[:]...)
		x.Numbers = append(x.Numbers, int32(number))
		x.States = append(x.States, byte(stateNumber(result.State)))
		x.Tenants = append(x.Tenants, x.name(i.Batches[n].Tenant))
	}
	x.newest, x.tenants = nil, nil
	x.Applied.take(number, i, o)
	x.Outcome, x.Policy, x.Catalog = digest, o.Policy, o.Catalog
	if o.Audit != nil {
		x.Seen = o.Audit
	}
	x.Open = false
	x.step(commit)
}

func (x *index) step(commit *source.CommitData) {
	x.Commits, x.Dates = withCommit(x.Commits, commit.Hash), append(x.Dates, commit.When.Unix())
	x.Tip = commit.Hash
}

// name returns the place of a tenant's name.
func (x *index) name(tenant string) int32 {
	if x.names == nil {
		x.names = make(map[string]int32, len(x.Names))
		for n, name := range x.Names {
			x.names[name] = int32(n)
		}
	}
	n, ok := x.names[tenant]
	if !ok {
		n = int32(len(x.Names))
		x.names[tenant], x.Names = n, append(x.Names, tenant)
	}
	return n
}

// inState returns the receipts in which a batch came to a state, oldest first.
func (x *index) inState(batch plan.Digest, want State) []int {
	if x.newest == nil {
		x.byDigest()
	}
	var receipts []int
	line, found := x.newest[binary.LittleEndian.Uint64(batch[:])]
	for ; found && line >= 0; line = x.before[line] {
		if known()[x.States[line]] == want && bytes.Equal(x.digest(line), batch[:]) {
			receipts = append(receipts, int(x.Numbers[line]))
		}
	}
	slices.Reverse(receipts)
	return receipts
}

func (x *index) digest(line int32) []byte {
	return x.Digests[int(line)*sha256.Size : int(line+1)*sha256.Size]
}

// byDigest makes what inState looks up in.
func (x *index) byDigest() {
	x.newest, x.before = make(map[uint64]int32, len(x.Numbers)), make([]int32, len(x.Numbers))
	for n := range x.Numbers {
		line := int32(n)
		first := binary.LittleEndian.Uint64(x.digest(line))
		x.before[line] = -1
		if older, found := x.newest[first]; found {
			x.before[line] = older
		}
		x.newest[first] = line
	}
}

// ofTenant returns the receipts that had a batch of a tenant, oldest first.
func (x *index) ofTenant(tenant string) []int {
	if x.tenants == nil {
		x.tenants = map[string][]int32{}
		for line, number := range x.Numbers {
			name := x.Names[x.Tenants[line]]
			if list := x.tenants[name]; len(list) == 0 || list[len(list)-1] != number {
				x.tenants[name] = append(list, number)
			}
		}
	}
	var receipts []int
	for _, number := range x.tenants[tenant] {
		receipts = append(receipts, int(number))
	}
	return receipts
}
