// Package livetree keeps the files of a fleet in memory as they are in a folder, and
// hears what is written there.
//
// A Tree is a file system of what declarations may stand in. Its folders bear
// hashes of what is below them (schema.Hashed), as those of a git tree do, so that
// a load of it evaluates what has changed and nothing else. It is what it was until
// Renew reads a path again: what is evaluated is what was hashed, whoever writes
// meanwhile.
//
// A Watcher says which paths may have changed. It takes what editors do for a save
// (a file beside it, a rename over it, a lock that comes and goes) as one:
//
//	w, err := livetree.New(dir)
//	tree, err := livetree.Read(root)
//	for {
//		paths, err := w.Next(ctx)
//		changed, err := tree.Renew(paths...)
//	}
package livetree
