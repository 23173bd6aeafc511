package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

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
	temp    string // the directory of a Memory database; "" for a file
}

// Open opens the database at path, or makes it.
func Open(ctx context.Context, path string) (*Store, error) {
	store, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return store, nil
}

func open(ctx context.Context, path string) (_ *Store, err error) {
	s := &Store{}
	synchronous := "FULL"
	if path == Memory {
		if s.temp, err = os.MkdirTemp("", "ehr-"); err != nil {
			return nil, err
		}
		path, synchronous = filepath.Join(s.temp, "ehr.db"), "OFF"
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.removeTemp())
		}
	}()
	if err := create(path); err != nil {
		return nil, err
	}
	conn, err := connect(path, "PRAGMA synchronous = "+synchronous, "PRAGMA cache_size = -65536")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.readers, err = sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags:    sqlite.OpenReadWrite | sqlite.OpenWAL,
		PoolSize: readers,
		PrepareConn: func(conn *sqlite.Conn) error {
			return sqlitex.ExecuteTransient(conn, "PRAGMA query_only = ON", nil)
		},
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.writer = newWriter(conn)
	return s, nil
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

// Update implements platform.Store.
func (s *Store) Update(ctx context.Context, write func(platform.Tx) error) error {
	return s.writer.do(ctx, write)
}

// Close ends the store after the writes that wait. Later ones are refused.
func (s *Store) Close() error {
	return errors.Join(s.writer.close(), s.readers.Close(), s.removeTemp())
}

func (s *Store) removeTemp() error {
	if s.temp == "" {
		return nil
	}
	return os.RemoveAll(s.temp)
}
