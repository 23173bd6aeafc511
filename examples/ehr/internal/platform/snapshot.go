package platform

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// snapshotHash is how many hex digits of an entry's hash a snapshot bears: enough
// that a fork of the trail does not have them by accident.
const snapshotHash = 16

// snapshot names the state at head.
func (p *Platform) snapshot(head Head) string {
	hash := head.Hash
	if head.Seq == 0 {
		hash = p.genesis()
	}
	return fmt.Sprintf("%d-%s", head.Seq, hash[:snapshotHash])
}

// genesis stands for the hash of the entry before the first, so that an unused
// platform's snapshot is not another's.
func (p *Platform) genesis() string {
	sum := sha256.Sum256([]byte("platform " + p.instance))
	return hex.EncodeToString(sum[:])
}

// seqOf returns the seq of a snapshot, or a Refusal with SnapshotGone for a text
// that this platform never gave: another's, one of a future that was lost with a
// restored backup, or none at all.
func (p *Platform) seqOf(v View, snapshot string) (int64, error) {
	gone := refuse(SnapshotGone, "snapshot %.80q: not one of this platform; read everything", snapshot)
	number, _, _ := strings.Cut(snapshot, "-")
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, gone
	}
	hash, err := v.HashAt(seq)
	if err != nil {
		return 0, err
	}
	if (seq != 0 && hash == "") || p.snapshot(Head{Seq: seq, Hash: hash}) != snapshot {
		return 0, gone
	}
	return seq, nil
}
