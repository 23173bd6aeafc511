// Package outbox keeps the mails of the reference EHR in a file, a JSON object a
// line, where a test or a person reads them. Nothing is sent to anybody.
//
// Lines are only ever added. A line that was cut off when a process was killed is
// taken away when the file is opened again: its mail was not acknowledged, and is
// sent anew.
package outbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxLine is the longest mail that is looked for at the end of a file.
const maxLine = 64 << 10

// File is an outbox in a file. Its methods must not be called concurrently.
type File struct {
	file *os.File
	last string // the id of the last mail in it; "" where it has none
}

// Open opens the file at path, or makes it, readable by its owner alone.
func Open(path string) (*File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f := &File{file: file}
	if err := f.resume(); err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox %s: %w", path, err), file.Close())
	}
	return f, nil
}

// resume cuts off a last line that was not finished, reads the id of the one
// before, and stands at the end.
func (f *File) resume() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	start := max(0, info.Size()-maxLine)
	tail := make([]byte, info.Size()-start)
	if _, err := f.file.ReadAt(tail, start); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	whole := tail[:bytes.LastIndexByte(tail, '\n')+1]
	if len(whole) == 0 && start > 0 {
		return fmt.Errorf("its last line is longer than %d bytes: not an outbox", maxLine)
	}
	if !beginsMail(tail[len(whole):]) {
		return errors.New("it ends in what is no mail: not an outbox")
	}
	if f.last, err = lastID(whole); err != nil {
		return err
	}
	end := start + int64(len(whole))
	if err := f.file.Truncate(end); err != nil {
		return err
	}
	_, err = f.file.Seek(end, io.SeekStart)
	return err
}

// beginsMail reports whether a line that was not finished is one of ours. Nothing
// else is cut off.
func beginsMail(line []byte) bool {
	const begin = `{"id":"`
	n := min(len(line), len(begin))
	return string(line[:n]) == begin[:n]
}

// lastID returns the id of the last of some lines.
func lastID(lines []byte) (string, error) {
	if len(lines) == 0 {
		return "", nil
	}
	line := lines[:len(lines)-1]
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	var mail struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(line, &mail); err != nil || mail.ID == "" {
		return "", errors.New("its last line is no mail: not an outbox")
	}
	return mail.ID, nil
}

// Send adds a mail, unless it is the last one already, and waits for the disk.
func (f *File) Send(mail jsontext.Value, id string) error {
	if id == f.last {
		return nil
	}
	// One write, so that a reader sees the line or does not.
	if _, err := f.file.Write(append(bytes.Clone(mail), '\n')); err != nil {
		return errors.Join(err, f.resume())
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	f.last = id
	return nil
}

// Close ends the outbox.
func (f *File) Close() error { return f.file.Close() }
