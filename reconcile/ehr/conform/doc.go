// Package conform holds the EHR contract as what can be checked: an OpenAPI 3.1
// document, and a suite of checks that ask any server over HTTP and know nothing of
// it but its URL and tokens.
//
//	passed, err := conform.Run(ctx, conform.Target{URL: url, Tokens: tokens}, func(r conform.Result) {
//		fmt.Println(r.Name, r.Skipped, r.Faults)
//	})
//
// Each check is named after the row or the sentence of the contract that it holds.
// One that needs a feature which the server does not offer, or a token that was not
// given, is skipped, and says so.
//
// The checks write. They make organisations, tenants, editions and licences of their
// own, with names that no earlier run used, and touch nothing else; but nothing of
// it can be taken away again, and while they run nobody else should write: run them
// against a platform that is there to be tested.
package conform
