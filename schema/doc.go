// Package schema turns the CUE files of a fleet repository into declarations, or
// into the list of all mistakes in them, each with its place. It is the only
// package of charter that knows CUE.
//
// What may stand in the files, and what each message means, is told to those who
// write them in README.md.
//
//	fleet, err := schema.Load(ctx, files, schema.Options{Sandbox: sandbox, Cache: kept, Identity: version})
//
// gives a Fleet, or Problems, or another error where the files could not be
// read. It takes no clock: what loads today loads on any day. What time brings are
// Fleet.Warnings.
//
// # The words
//
// The definitions are in v1/schema.cue, which every fleet holds a copy of. A unit
// is what is evaluated together: the files of a tenant's directory, of the
// catalogue, of the policy, of a folder. A shared file stands above tenants and
// gives them hidden fields and definitions. A node is the concrete value of a
// unit, with the places where it was written; a binder makes declarations of it;
// rules hold those against the catalogue.
//
// # Two ways to one value
//
// Most files are plain data: names, texts, numbers, lists and structs. For those a
// reader takes CUE's syntax tree as it is, and a shape, which is a definition
// compiled to a Go loop, judges it: that is a hundred times faster than CUE, and
// gives messages in our own words. All else is put to CUE itself. The tests hold
// the two together: a shape accepts what CUE accepts, with the same value, and
// nothing else.
//
// One mistake does not hide another. A shape takes what is wrong out of a value and
// remembers its name; CUE is asked again with what was wrong replaced, until it
// finds nothing new; and the rules conclude nothing from what is not there.
//
// CUE can express what never ends, and cannot be interrupted; so it runs in
// processes of a Sandbox, which are ended when they take longer than ten seconds
// or more than 512 MiB over one unit (CH0115).
//
// # What is kept
//
// A Cache keeps a tenant's evaluation under everything that could change it: the
// hash or content of its directory, what is shared with it, the module's path, the
// program. The catalogue is not part of that: what is kept is held against
// today's. A directory whose hash is known is not even listed.
//
// # Between two commits
//
// Load judges one commit. Vanished compares two, for what is gone without a
// tombstone (CH0110), and Unborne says which of the platform's rows a catalogue
// would leave without a name (CH0112).
//
// # When it says something strange
//
//   - A mistake is reported in one run with all others, unless it could only
//     repeat one: under a catalogue that is wrong, tenants are held against names
//     alone, and where a file could not be read, nothing is said of what it might
//     have declared.
//   - "the process that evaluated it ended": twice, without a word of Go's runtime.
//     The system took its memory, or charter's own binary was replaced.
//   - The cache may be deleted at any time. If that changes a result, it is a
//     mistake of ours.
package schema
