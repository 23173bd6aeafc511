package livetree

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// What editors do for a save is over once nothing has been heard for settles; it
	// is not waited for longer than mostly.
	settles = 10 * time.Millisecond
	mostly  = 50 * time.Millisecond
	// recheck is after how long all is looked at again that may have been missed
	// while folders took each other's names.
	recheck = time.Second
	// mostPaths is up to how many paths are remembered; of more than that everything
	// is read.
	mostPaths = 10_000
)

// ErrTooMany says that the system watches no more folders for this user.
var ErrTooMany = errors.New("the system watches no more folders")

// Watcher hears what is written in a folder and below. Next is for one goroutine at
// a time.
type Watcher struct {
	dir  string
	fs   *fsnotify.Watcher
	done chan struct{} // closed once nothing more is heard
	ring chan struct{} // has one where something was
	late <-chan time.Time

	mu    sync.Mutex
	heard heard
}

// heard is what was heard and not yet told.
type heard struct {
	paths map[string]bool // as a Tree names them
	made  map[string]bool // names of what may be new folders
	all   bool            // more was written than could be told
	fault error
}

// New watches a folder and all below.
func New(dir string) (*Watcher, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, tooMany(err)
	}
	w := &Watcher{dir: dir, fs: notify, done: make(chan struct{}), ring: make(chan struct{}, 1)}
	w.take()
	go w.listen()
	if err := w.add(dir); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Close ends the watch.
func (w *Watcher) Close() error {
	err := w.fs.Close()
	<-w.done
	return err
}

func tooMany(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) {
		return ErrTooMany
	}
	return err
}

// listen takes what is told at once: whoever tells holds a lock meanwhile that add
// needs.
func (w *Watcher) listen() {
	defer close(w.done)
	for {
		select {
		case e, open := <-w.fs.Events:
			if !open {
				return
			}
			if name := w.path(e.Name); !ignored(name) && e.Op != fsnotify.Chmod {
				w.note(func(h *heard) {
					h.paths[name] = true
					if e.Has(fsnotify.Create) {
						h.made[e.Name] = true
					}
				})
			}
		case err, open := <-w.fs.Errors:
			if !open {
				return
			}
			w.note(func(h *heard) {
				// A folder that was moved away as it was watched is no fault.
				h.all = true
				if !errors.Is(err, fsnotify.ErrEventOverflow) && !errors.Is(err, syscall.EINVAL) {
					h.fault = err
				}
			})
		}
	}
}

func (w *Watcher) note(what func(*heard)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what(&w.heard)
	if len(w.heard.paths) > mostPaths {
		w.heard.paths, w.heard.made, w.heard.all = map[string]bool{}, map[string]bool{}, true
	}
	select {
	case w.ring <- struct{}{}:
	default: // it rings already
	}
}

// take gives what was heard, and begins anew.
func (w *Watcher) take() heard {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.heard
	w.heard = heard{paths: map[string]bool{}, made: map[string]bool{}}
	return was
}

// Next waits until something is written, and gives the paths that may have changed,
// once nothing more comes.
func (w *Watcher) Next(ctx context.Context) ([]string, error) {
	for {
		var all bool
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.late:
			all, w.late = true, nil
		case <-w.ring:
			w.settle(ctx)
		}
		h := w.take()
		h.all = h.all || all
		if h.fault != nil {
			return nil, h.fault
		}
		if err := w.follow(&h); err != nil {
			return nil, err
		}
		if len(h.paths) > 0 {
			return slices.Sorted(maps.Keys(h.paths)), nil
		}
	}
}

// settle waits until nothing more is heard.
func (w *Watcher) settle(ctx context.Context) {
	end := time.After(mostly)
	for {
		select {
		case <-ctx.Done():
			return
		case <-end:
			return
		case <-time.After(settles):
			return
		case <-w.ring:
		}
	}
}

// follow watches the folders that have come. They were watched too late for what was
// made in them before, and so are read with all that is in them.
func (w *Watcher) follow(h *heard) error {
	if h.all {
		h.made[w.dir], h.paths["."] = true, true
	}
	for name := range h.made {
		info, err := os.Lstat(name)
		if gone(err) || err == nil && !info.IsDir() {
			continue
		}
		if err != nil {
			return err
		}
		if err := w.add(name); err != nil {
			return err
		}
		// One that was moved away may yet be unwatched by the name that another has now.
		if name != w.dir {
			w.late = time.After(recheck)
		}
	}
	return nil
}

// add watches a folder and all below. Each is watched before it is listed, so that
// nothing is made in between unheard.
func (w *Watcher) add(dir string) error {
	err := w.fs.Add(dir)
	if gone(err) {
		return nil
	}
	if err != nil {
		return tooMany(err)
	}
	entries, err := os.ReadDir(dir)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		below := filepath.Join(dir, e.Name())
		if !e.IsDir() || ignored(w.path(below)) {
			continue
		}
		if err := w.add(below); err != nil {
			return err
		}
	}
	return nil
}

// path is a name as a Tree has it.
func (w *Watcher) path(name string) string {
	rel, err := filepath.Rel(w.dir, name)
	if err != nil {
		return "."
	}
	return filepath.ToSlash(rel)
}
