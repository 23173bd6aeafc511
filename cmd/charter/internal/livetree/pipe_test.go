//go:build unix

package livetree_test

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"
)

// A pipe that takes the place of a file while that is read is not waited for.
func TestAPipeThatTakesAFilesPlace(t *testing.T) {
	f := newFolder(t, "a.cue")
	tree := f.read(t)
	stop, swapped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				swapped <- nil
				return
			default:
			}
			err := errors.Join(syscall.Mkfifo(f.path("pipe"), 0o600), os.Rename(f.path("pipe"), f.path("a.cue")),
				os.WriteFile(f.path("file"), nil, 0o600), os.Rename(f.path("file"), f.path("a.cue")))
			if err != nil {
				swapped <- err
				return
			}
		}
	}()
	done := make(chan error, 1)
	go func() {
		for range 5000 {
			if _, err := tree.Renew("a.cue"); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for ever")
	}
	close(stop)
	if err := <-swapped; err != nil {
		t.Error(err)
	}
}
