package catalog

import "strings"

// Stamp is the version of a tenant's grant in the EHR. Two reads that bear the
// same stamp have seen the same rows, and a write that is conditional on it
// fails when anybody wrote in between.
type Stamp struct {
	ETag     string `json:"etag"`     // the HTTP entity tag, with its quotes
	Revision int64  `json:"revision"` // counts the writes; 0 is a tenant that was never provisioned
}

// Valid reports whether the stamp is a revision and one strong entity tag of
// visible ASCII: such a stamp can be written into a line or a header and read
// back as the same.
func (s Stamp) Valid() bool {
	tag, quoted := strings.CutPrefix(s.ETag, `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	if s.Revision < 0 || !quoted || !closed || len(tag) > maxTag {
		return false
	}
	for i := range len(tag) {
		if c := tag[i]; c <= ' ' || c == '"' || c >= 0x7f {
			return false
		}
	}
	return true
}

// maxTag is the longest entity tag that is taken, in bytes.
const maxTag = 200

// Grant is a tenant's grant as the EHR answers it.
type Grant struct {
	Tenant TenantID
	Stamp  Stamp
	Rows   Rows
	// Batch is the digest of the batch that the newest write carried as its
	// authority, or "" where it carried none. charter knows its own writes by it.
	Batch string
	// By is the actor of the newest write, in the platform's words, or "".
	By string
	// Receipt is the id of the receipt that the newest write carried, or "".
	Receipt string
}
