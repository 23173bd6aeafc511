package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/veonahealth/charter/catalog"
)

// Digest is a SHA-256, written as "sha256:" and 64 hexadecimal digits.
type Digest [sha256.Size]byte

const digestPrefix = "sha256:"

// DigestOf returns the digest of bytes.
func DigestOf(data []byte) Digest { return sha256.Sum256(data) }

// ParseDigest reads what String wrote.
func ParseDigest(text string) (Digest, error) {
	digits, ok := strings.CutPrefix(text, digestPrefix)
	sum, err := hex.DecodeString(digits)
	if !ok || err != nil || len(sum) != sha256.Size || digits != strings.ToLower(digits) {
		return Digest{}, fmt.Errorf("digest %.80q: want sha256: and 64 hexadecimal digits", text)
	}
	return Digest(sum), nil
}

// String returns the digest as it is written everywhere.
func (d Digest) String() string { return digestPrefix + hex.EncodeToString(d[:]) }

// Hex returns the digits alone.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// MarshalText returns String.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText parses text.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDigest(string(text))
	return err
}

// Lines are the lines of a batch that its digest is taken over, without their
// line ends.
type Lines []string

// Digest returns the SHA-256 over the lines, each ended by one newline.
func (l Lines) Digest() Digest {
	h := sha256.New()
	for _, line := range l {
		h.Write([]byte(line))
		h.Write([]byte{'\n'})
	}
	return Digest(h.Sum(nil))
}

// EntitlementLines returns the lines of a change of a tenant's rows: on a base
// line, which is "base REVISION ETAG" or "at TIME", first what is revoked, then
// what is granted.
func EntitlementLines(environment catalog.Environment, tenant catalog.TenantID, base string, revoked, granted catalog.Rows) Lines {
	lines := make(Lines, 0, 5+len(revoked)+len(granted))
	lines = append(lines,
		"charter batch v1",
		"environment "+environment.String(),
		"tenant "+tenant.String(),
		"subject "+string(Entitlements),
		base,
	)
	for _, row := range revoked {
		lines = append(lines, "- "+row.Facility.String()+" "+row.Module.String())
	}
	for _, row := range granted {
		lines = append(lines, "+ "+row.Facility.String()+" "+row.Module.String())
	}
	return lines
}

// Tree is the Merkle tree (RFC 6962) over the digests of a plan's batches and
// scheduled entries, in the plan's order.
type Tree struct {
	leaves int64
	hashes hashes
}

// hashes keeps the tree's inner nodes in the order in which tlog stores them.
type hashes []tlog.Hash

// ReadHashes implements tlog.HashReader.
func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(h)) {
			return nil, fmt.Errorf("no node %d in a tree of %d", index, len(h))
		}
		list[i] = h[index]
	}
	return list, nil
}

// NewTree returns the tree over leaves.
func NewTree(leaves []Digest) (*Tree, error) {
	t := &Tree{}
	for _, leaf := range leaves {
		nodes, err := tlog.StoredHashes(t.leaves, leaf[:], t.hashes)
		if err != nil {
			return nil, err
		}
		t.hashes = append(t.hashes, nodes...)
		t.leaves++
	}
	return t, nil
}

// Root returns the tree's hash. That of no leaves is the SHA-256 of nothing.
func (t *Tree) Root() (Digest, error) {
	if t.leaves == 0 {
		return sha256.Sum256(nil), nil
	}
	root, err := tlog.TreeHash(t.leaves, t.hashes)
	return Digest(root), err
}

// Prove returns the audit path that shows that the leaf of an index is in the
// tree.
func (t *Tree) Prove(index int64) ([]Digest, error) {
	proof, err := tlog.ProveRecord(t.leaves, index, t.hashes)
	if err != nil {
		return nil, err
	}
	path := make([]Digest, len(proof))
	for i, node := range proof {
		path[i] = Digest(node)
	}
	return path, nil
}

// CheckProof reports as an error that a leaf is not at an index of a tree of
// count leaves and a root.
func CheckProof(proof []Digest, count int64, root Digest, index int64, leaf Digest) error {
	path := make(tlog.RecordProof, len(proof))
	for i, node := range proof {
		path[i] = tlog.Hash(node)
	}
	return tlog.CheckRecord(path, count, tlog.Hash(root), index, tlog.RecordHash(leaf[:]))
}
