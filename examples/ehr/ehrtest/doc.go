// Package ehrtest runs the reference EHR for the tests and benchmarks of other
// packages: as the process that it is, on a loopback port of its own, with the
// calls that set a scene up, and with a proxy that makes it misbehave.
//
// A package that uses it hands its TestMain over, so that the binary, which is
// built once and only when a test asks for it, is taken away at the end:
//
//	func TestMain(m *testing.M) { os.Exit(ehrtest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		e := ehrtest.Start(t)
//		e.Onboard(t, "kisumu", "hospital", "jootrh")
//		proxy := ehrtest.NewProxy(t, e.URL)
//		proxy.Add(ehrtest.Rule{Method: "PUT", Times: 1, Fault: ehrtest.DropAnswer})
//		// … ask proxy.URL with ehrtest.Token …
//	}
//
// It asserts nothing: a call that the EHR does not answer as expected is a fault
// of the scene and ends the test.
//
// A row is written as its facility, a space and its module in the EHR's own
// words: "jootrh lab".
package ehrtest
