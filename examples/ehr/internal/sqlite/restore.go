package sqlite

import (
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Restore makes the database at path what it was when the copy was taken. Every
// write since is gone, and the audit trail goes on from the copy's end. The copy
// is only read. It is done in one transaction: whoever reads the database sees it
// as it was or as it is restored, also after a process that was killed.
func Restore(path, from string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("restore %s from %s: %w", path, from, err)
		}
	}()
	source, err := sqlite.OpenConn(from, sqlite.OpenReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := checkCopy(source); err != nil {
		return err
	}
	if err := create(path); err != nil {
		return err
	}
	target, err := connect(path, "PRAGMA synchronous = FULL")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	backup, err := sqlite.NewBackup(target, "", source, "")
	if err != nil {
		return err
	}
	_, err = backup.Step(-1)
	return errors.Join(err, backup.Close())
}

// checkCopy refuses a file that is no database of a reference EHR.
func checkCopy(conn *sqlite.Conn) error {
	id, err := sqlitex.ResultInt64(conn.Prep("PRAGMA application_id"))
	switch {
	case err != nil:
		return err
	case id != applicationID:
		return errors.New("it is not a database of this program")
	}
	return nil
}
