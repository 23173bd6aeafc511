package catalog

// Stamp is the version of a tenant's grant in the EHR. Two reads that bear the
// same stamp have seen the same rows, and a write that is conditional on it
// fails when anybody wrote in between.
type Stamp struct {
	Revision int64  `json:"revision"` // counts the writes; 0 is a tenant that was never provisioned
	ETag     string `json:"etag"`     // the HTTP entity tag, with its quotes
}

// Grant is a tenant's grant as the EHR answers it.
type Grant struct {
	Tenant TenantID
	Stamp  Stamp
	Rows   Rows
	// Batch is the digest of the batch that the newest write carried as its
	// authority, or "" where it carried none. charter knows its own writes by it.
	Batch string
}
