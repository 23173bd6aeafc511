package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"
)

// applicationID marks a file as the reference EHR's, so that another program's
// database is refused and not migrated. It is "cEHR".
const applicationID = 0x63454852

// migrations brings a file from each version to the next. What stands here was
// run on somebody's file: add to the end, never edit.
func migrations() []string {
	return []string{`
CREATE TABLE settings (
	name TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
	kind TEXT NOT NULL,
	key TEXT NOT NULL,
	seq INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (kind, key, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE grants (
	tenant TEXT NOT NULL UNIQUE,
	seq INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	etag TEXT NOT NULL,
	modules TEXT NOT NULL,
	rows TEXT NOT NULL,
	authority TEXT,
	updated_at TEXT NOT NULL,
	updated_by TEXT NOT NULL
) STRICT;

CREATE INDEX grants_by_seq ON grants (seq, tenant);

CREATE TABLE audit (
	seq INTEGER PRIMARY KEY,
	hash TEXT NOT NULL,
	body TEXT NOT NULL
) STRICT;

-- rowid grows with time, so the oldest answers are the first rows
CREATE TABLE answers (
	rowid INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE,
	digest BLOB NOT NULL,
	at INTEGER NOT NULL,
	created INTEGER NOT NULL,
	etag TEXT NOT NULL,
	body TEXT NOT NULL
) STRICT;
`, `
CREATE TABLE mails (
	seq INTEGER PRIMARY KEY,
	sent INTEGER NOT NULL,
	body TEXT NOT NULL
) STRICT;

CREATE INDEX unsent_mails ON mails (seq) WHERE NOT sent;
`, `
CREATE TABLE uses (
	tenant TEXT NOT NULL,
	facility TEXT NOT NULL,
	module TEXT NOT NULL,
	day INTEGER NOT NULL,
	requests INTEGER NOT NULL,
	PRIMARY KEY (tenant, facility, module, day)
) STRICT, WITHOUT ROWID;

CREATE INDEX uses_by_day ON uses (day);
`}
}

// migrate brings the file to the newest version. A file of a version that is
// not known yet is refused: an older program must not write to it.
func migrate(ctx context.Context, conn *sqlite.Conn) error {
	schema := sqlitemigration.Schema{AppID: applicationID, Migrations: migrations()}
	version, err := sqlitex.ResultInt64(conn.Prep("PRAGMA user_version"))
	if err != nil {
		return err
	}
	if version > int64(len(schema.Migrations)) {
		return fmt.Errorf("database of version %d: newer than this program", version)
	}
	return sqlitemigration.Migrate(ctx, conn, schema)
}
