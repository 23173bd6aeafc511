// Package server brings the EHR contract, version 1, to the platform: it reads
// requests, asks the platform, and writes answers. What is judged here is only
// what HTTP brings: who asks (Tokens), whether the body is the JSON that the
// contract names, which entity tag or page is meant.
//
// A request passes in this order, and the first no wins:
//
//	path        404 not-found, 405 method-not-allowed with Allow
//	token       401 unauthenticated, 403 capability-missing
//	body        413 too-large, 400 malformed, 422 unknown-field, 422 invalid
//	platform    404, 409, 412, 422, 423, 428, in one transaction with the write,
//	            and 403 authority-invalid where people must have approved it
//
// Everything but the bulk stream is put together in memory before its first byte
// is sent, so that an answer is whole or is an error. The bulk stream says by its
// last line that it is whole; where it breaks, the connection does.
package server
