package main

// Run lets the tests, which see the program only from outside, start it without a
// process of its own, so that the race detector watches it.
var Run = run
