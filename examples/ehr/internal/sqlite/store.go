package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// Memory is the path of a database that is gone when it is closed.
const Memory = ":memory:"

// readers is how many states can be read at once. One who waits for a free
// connection waits for the end of a query, or for that of a long list.
const readers = 16

// Store is the platform's Store in a SQLite file. Its methods may be called
// concurrently.
type Store struct {
	readers *sqlitex.Pool
	writer  *writer
}

// Open opens the database at path, or makes it.
func Open(ctx context.Context, path string) (s *Store, err error) {
	if path == Memory {
		s, err = openMemory(ctx)
	} else {
		s, err = openFile(ctx, path, "FULL")
	}
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return s, nil
}

// openMemory opens a database that has no name: its file is taken from its folder
// as soon as every connection holds it, so that nothing of it stays behind, also
// where the process is killed.
func openMemory(ctx context.Context) (_ *Store, err error) {
	temp, err := os.MkdirTemp("", "ehr-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	s, err := openFile(ctx, filepath.Join(temp, "ehr.db"), "OFF")
	if err != nil {
		return nil, err
	}
	if err := s.touch(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// touch reads with every connection, which makes each open its files.
func (s *Store) touch(ctx context.Context) error {
	for range readers {
		conn, err := s.readers.Take(ctx)
		if err != nil {
			return err
		}
		defer s.readers.Put(conn)
		if _, err := (view{conn}).Head(); err != nil {
			return err
		}
	}
	return nil
}

// openFile opens the database in a file. synchronous is SQLite's word for what it
// waits for at each commit.
func openFile(ctx context.Context, path, synchronous string) (*Store, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	conn, err := connect(path, "PRAGMA synchronous = "+synchronous, "PRAGMA cache_size = -8192")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	pool, err := sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags:    sqlite.OpenReadWrite | sqlite.OpenWAL,
		PoolSize: readers,
		PrepareConn: func(conn *sqlite.Conn) error {
			return sqlitex.ExecuteTransient(conn, "PRAGMA query_only = ON", nil)
		},
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &Store{readers: pool, writer: newWriter(conn)}, nil
}

// create makes the file, readable by its owner alone, before SQLite would make it
// readable by others.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func connect(path string, pragmas ...string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenWAL)
	if err != nil {
		return nil, err
	}
	for _, pragma := range pragmas {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// View implements platform.Store.
func (s *Store) View(ctx context.Context, read func(platform.View) error) (err error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return err
	}
	defer s.readers.Put(conn)
	v := view{conn}
	if err := v.exec("BEGIN"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.end()) }()
	return read(v)
}

// Grant implements platform.Store. One statement is a transaction by itself.
func (s *Store) Grant(ctx context.Context, id catalog.TenantID) (*platform.Grant, error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.readers.Put(conn)
	return view{conn}.Grant(id)
}

// Update implements platform.Store.
func (s *Store) Update(ctx context.Context, write func(platform.Tx) error) error {
	return s.writer.do(ctx, write)
}

// Close ends the store after the writes that wait. Later ones are refused.
func (s *Store) Close() error { return errors.Join(s.writer.close(), s.readers.Close()) }
