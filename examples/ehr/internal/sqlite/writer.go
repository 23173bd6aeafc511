package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"zombiezen.com/go/sqlite"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

const (
	// queued is how many writes may wait. More are refused at once, so that a
	// client learns it and not its time-out.
	queued = 1024
	// grouped is how many writes one transaction carries at most, so that the
	// first of them does not wait long for the last.
	grouped = 128
)

// writer owns the connection that writes.
type writer struct {
	conn *sqlite.Conn
	jobs chan *job
	done chan struct{} // closed when run has returned

	mu     sync.RWMutex // held for reading by whoever sends to jobs
	closed bool
}

// job is one write on its way.
type job struct {
	ctx    context.Context
	write  func(platform.Tx) error
	result chan error // gets one value
	err    error      // what write came to, until the commit confirms it
}

func newWriter(conn *sqlite.Conn) *writer {
	w := &writer{conn: conn, jobs: make(chan *job, queued), done: make(chan struct{})}
	go w.run()
	return w
}

// do carries out one write. It waits for the result even when ctx ends: write may
// be running, and what it came to may not be guessed.
func (w *writer) do(ctx context.Context, write func(platform.Tx) error) error {
	j := &job{ctx: ctx, write: write, result: make(chan error, 1)}
	if err := w.send(j); err != nil {
		return err
	}
	return <-j.result
}

func (w *writer) send(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return &platform.Refusal{Code: platform.Unavailable, Detail: "the platform is stopping"}
	}
	select {
	case w.jobs <- j:
		return nil
	default:
		return &platform.Refusal{Code: platform.Unavailable, Detail: "too many writes are waiting"}
	}
}

// close ends the writer after the writes that wait.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	close(w.jobs)
	w.mu.Unlock()
	<-w.done
	return w.conn.Close()
}

func (w *writer) run() {
	defer close(w.done)
	for first := range w.jobs {
		w.answer(w.gather(first))
	}
}

// answer carries out a group and tells each write what it came to.
func (w *writer) answer(group []*job) {
	err := w.commit(group)
	for _, j := range group {
		if err != nil {
			j.err = err // also a refusal was judged by what is now undone
		}
		j.result <- j.err
	}
}

// gather takes the writes that wait, without waiting for more.
func (w *writer) gather(first *job) []*job {
	group := []*job{first}
	for len(group) < grouped {
		select {
		case j, open := <-w.jobs:
			if !open {
				return group
			}
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

// commit carries out a group in one transaction. Its error is that of the whole
// group: none of its writes happened.
func (w *writer) commit(group []*job) error {
	tx := tx{view{w.conn}}
	if err := tx.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, j := range group {
		j.err = tx.attempt(j)
		if w.conn.AutocommitEnabled() {
			// A full disk or the like makes SQLite roll back everything, also
			// what the group did before. To go on would be to write outside of
			// any transaction.
			return fmt.Errorf("transaction lost: %w", j.err)
		}
	}
	if err := tx.exec("COMMIT"); err != nil {
		return errors.Join(err, tx.end())
	}
	return nil
}

// attempt carries out one write so that it leaves nothing behind if it comes to
// an error.
func (t tx) attempt(j *job) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	if err := t.exec("SAVEPOINT attempt"); err != nil {
		return err
	}
	if err := j.protected(t); err != nil {
		if t.conn.AutocommitEnabled() {
			return err
		}
		return errors.Join(err, t.exec("ROLLBACK TO attempt"), t.exec("RELEASE attempt"))
	}
	return t.exec("RELEASE attempt")
}

// protected turns a panic of one write into its error: it must not end the
// writer for all others.
func (j *job) protected(t tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return j.write(t)
}
