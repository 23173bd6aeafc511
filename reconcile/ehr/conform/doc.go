// Package conform holds the EHR contract as what can be checked: an OpenAPI 3.1
// document, and a suite of checks that ask any server over HTTP.
package conform
