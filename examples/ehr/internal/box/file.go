package box

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
)

// load reads the box's file, and reports whether there is one.
func (b *Box) load() (bool, error) {
	text, err := os.ReadFile(b.State)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(text, &b.state); err != nil {
		return false, fmt.Errorf("state %s: %w", b.State, err)
	}
	return true, nil
}

// keep makes next what the box knows, once it is on the disk: what was reported as
// enforced must be so after a power cut too.
func (b *Box) keep(next state) error {
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := replace(b.State, text); err != nil {
		return fmt.Errorf("keep state %s: %w", b.State, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state = next
	return nil
}

// replace writes a file so that it is there whole or as it was.
func replace(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".ehr-box-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return f.Close()
}
