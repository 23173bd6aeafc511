package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
)

// workflow is the output of a job that reads commands from it, as GitHub's and
// Gitea's do: from any line of either stream that begins with two colons, or has an
// old mark anywhere. What is declared by whoever opened a pull request stands in
// many lines of ours, so that commands are switched off but for our own.
type workflow struct {
	out   io.Writer
	token string // which switches commands on again, and which nobody can guess
}

func newWorkflow(out io.Writer) *workflow { return &workflow{out, rand.Text()} }

// stop switches commands off.
func (w *workflow) stop() error { return w.print("::stop-commands::%s\n") }

// resume switches them on again.
func (w *workflow) resume() error { return w.print("::%s::\n") }

func (w *workflow) print(format string) error {
	_, err := fmt.Fprintf(w.out, format, w.token)
	return err
}

// say lets commands through that write makes, at once, so that nothing comes between
// them.
func (w *workflow) say(write func(io.Writer) error) error {
	var b bytes.Buffer
	within := &workflow{&b, w.token}
	for _, step := range []func() error{within.resume, func() error { return write(&b) }, within.stop} {
		if err := step(); err != nil {
			return err
		}
	}
	_, err := w.out.Write(b.Bytes())
	return err
}
