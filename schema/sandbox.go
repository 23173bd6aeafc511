package schema

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
)

// Budgets of one evaluation by CUE, which nothing can interrupt from within.
const (
	maxEvaluation = 10 * time.Second
	maxMemory     = 512 << 20 // bytes of Go memory in use
	maxLeft       = 64 << 20  // bytes of it that one evaluation may leave to the next
	maxStack      = 128 << 20 // bytes; a deeper recursion ends the process
	maxFrame      = 64 << 20  // bytes of one message between the two processes
	watchEvery    = 5 * time.Millisecond
)

// evaluator gives the value of a unit that is more than plain data.
type evaluator interface {
	evaluate(ctx context.Context, u *unit, module string) (*node, Problems, error)
}

// inPlace evaluates in this process, with no budget.
type inPlace struct{ engines chan *engine }

func newInPlace(parallelism int) *inPlace {
	p := &inPlace{engines: make(chan *engine, parallelism)}
	for range parallelism {
		p.engines <- &engine{}
	}
	return p
}

func (p *inPlace) evaluate(_ context.Context, u *unit, module string) (*node, Problems, error) {
	e := <-p.engines
	defer func() { p.engines <- e }()
	return e.evaluate(newRequest(u, module).unit(), module) // CUE writes to what it reads, and files are shared
}

// Sandbox evaluates units in processes of their own, each of which runs Serve.
// A process that takes longer than ten seconds over one unit, or more memory
// than 512 MiB, is ended, and the unit is refused by name (CH0115): CUE can
// express what never ends, and cannot be interrupted.
//
// A Sandbox may be used by many goroutines; each call has a process to itself.
type Sandbox struct {
	argv     []string
	patience time.Duration // how long one evaluation may take
	idle     chan *child
}

// NewSandbox returns a sandbox of at most size processes, each started by argv
// when it is first needed.
func NewSandbox(size int, argv ...string) *Sandbox {
	s := &Sandbox{argv: argv, patience: maxEvaluation, idle: make(chan *child, size)}
	for range size {
		s.idle <- nil
	}
	return s
}

// Close ends the processes. It must not be called while a load is under way.
func (s *Sandbox) Close() {
	for range cap(s.idle) {
		if c := <-s.idle; c != nil {
			c.end()
		}
	}
}

// request is a unit on its way to the process that evaluates it.
type request struct {
	Module      string
	Kind        unitKind
	Dir         string
	Files       []wireFile
	Shared      []wireFile
	Constrained bool
	Packages    map[string][]wireFile
}

type wireFile struct {
	Path string
	Data []byte
}

// response is its value, or what is wrong with it.
type response struct {
	Node     *node
	Problems Problems
	Over     string // what it took too much of, or ""
	Error    string // a fault of ours
}

func (s *Sandbox) evaluate(ctx context.Context, u *unit, module string) (*node, Problems, error) {
	var c *child
	select {
	case c = <-s.idle:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	defer func() { s.idle <- c }()
	answer, err := s.ask(ctx, &c, newRequest(u, module))
	if errors.Is(err, errEnded) { // by another hand, perhaps, which says nothing of the unit
		answer, err = s.ask(ctx, &c, newRequest(u, module))
	}
	var over *budgetError
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case errors.As(err, &over), errors.Is(err, errEnded):
		return nil, Problems{u.budgetProblem("%v", err)}, nil
	case err != nil:
		return nil, nil, err
	case answer.Error != "":
		return nil, nil, errors.New(answer.Error)
	}
	return answer.Node, answer.Problems, nil
}

// ask puts a request to the process at c, which it starts where there is none,
// and ends where it gave no answer.
func (s *Sandbox) ask(ctx context.Context, c **child, r *request) (*response, error) {
	if *c == nil {
		started, err := start(s.argv)
		if err != nil {
			return nil, fmt.Errorf("start the evaluating process: %w", err)
		}
		*c = started
	}
	answer, err := (*c).ask(ctx, r, s.patience)
	if err == nil && answer.Over != "" {
		err = &budgetError{answer.Over}
	}
	if err != nil {
		(*c).end()
		err = (*c).lastWords(err)
		*c = nil
	}
	return answer, err
}

// budgetError says what an evaluation took too much of.
type budgetError struct{ over string }

func (e *budgetError) Error() string { return e.over }

// errEnded says that the process ended and gave no answer.
var errEnded = errors.New("the process that evaluated it ended")

func newRequest(u *unit, module string) *request {
	wire := func(sources []*source) []wireFile {
		files := make([]wireFile, len(sources))
		for i, s := range sources {
			files[i] = wireFile{s.path, s.data}
		}
		return files
	}
	r := &request{Module: module, Kind: u.kind, Dir: u.dir, Files: wire(u.files), Shared: wire(u.shared), Constrained: u.constrained}
	if len(u.packages) > 0 {
		r.Packages = map[string][]wireFile{}
		for path, files := range u.packages {
			r.Packages[path] = wire(files)
		}
	}
	return r
}

func (r *request) unit() *unit {
	sources := func(files []wireFile) []*source {
		list := make([]*source, len(files))
		for i, f := range files {
			list[i] = &source{path: f.Path, data: f.Data}
		}
		return list
	}
	u := &unit{
		kind: r.Kind, dir: r.Dir, files: sources(r.Files), shared: sources(r.Shared),
		constrained: r.Constrained, packages: map[string][]*source{},
	}
	for path, files := range r.Packages {
		u.packages[path] = sources(files)
	}
	return u
}

// child is one evaluating process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.Reader
	stderr bytes.Buffer
}

func start(argv []string) (*child, error) {
	c := &child{cmd: exec.Command(argv[0], argv[1:]...)}
	c.cmd.Env = []string{} // what the environment says must not change what a commit means
	c.cmd.Stderr = &headWriter{&c.stderr}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.out, err = c.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return c, c.cmd.Start()
}

// headWriter keeps the first 4 KiB of what a dying process says.
type headWriter struct{ buf *bytes.Buffer }

func (w *headWriter) Write(p []byte) (int, error) {
	const most = 4 << 10
	w.buf.Write(p[:min(len(p), max(0, most-w.buf.Len()))])
	return len(p), nil
}

// ask sends a request and waits for its answer, or until the time is over.
func (c *child) ask(ctx context.Context, r *request, patience time.Duration) (*response, error) {
	type result struct {
		answer *response
		err    error
	}
	done := make(chan result, 1)
	go func() {
		answer := &response{}
		err := writeFrame(c.in, r)
		if err == nil {
			err = readFrame(c.out, answer)
		}
		done <- result{answer, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-timer.C:
		return nil, &budgetError{fmt.Sprintf("evaluating it takes longer than %g s", patience.Seconds())}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// end kills the process and takes its last words.
func (c *child) end() {
	_ = c.cmd.Process.Kill() // it may have ended by itself
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// tooMuchMemory is what is said of a unit that takes too much of it.
const tooMuchMemory = "evaluating it takes more than 512 MiB of memory"

// lastWords explains why a process that has ended gave no answer.
func (c *child) lastWords(err error) error {
	said := c.stderr.String()
	first, _, _ := strings.Cut(said, "\n")
	var over *budgetError
	switch {
	case errors.As(err, &over), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case strings.Contains(said, "out of memory"), strings.Contains(said, "cannot allocate memory"):
		return &budgetError{tooMuchMemory}
	case strings.Contains(said, "stack overflow"):
		return &budgetError{"it nests too deeply to be evaluated"}
	case first != "":
		return fmt.Errorf("%w: %s", errEnded, cut(first))
	}
	return fmt.Errorf("%w: %w", errEnded, err)
}

// Serve is the main loop of an evaluating process: it answers requests until in
// ends. It changes the limits of the process it runs in. When it returns, the
// process must end, as an evaluation may still be running.
func Serve(in io.Reader, out io.Writer) error {
	debug.SetMaxStack(maxStack)
	debug.SetMemoryLimit(maxMemory) // what nobody needs any more is no use of memory
	requests := make(chan *request)
	ended := make(chan error, 1)
	go func() {
		for {
			r := &request{}
			if err := readFrame(in, r); err != nil {
				ended <- err
				return
			}
			requests <- r
		}
	}()
	e := &engine{}
	for {
		select {
		case err := <-ended:
			return err
		case r := <-requests:
			answer := watch(ended, func() *response { return e.serve(r) })
			if answer == nil {
				return nil
			}
			err := writeFrame(out, answer)
			var over *budgetError
			if errors.As(err, &over) {
				answer = &response{Over: over.over}
				err = writeFrame(out, answer)
			}
			if err != nil || answer.Over != "" {
				return err
			}
			e.forget()
		}
	}
}

// forget gives up what the last evaluation left behind, where that is so much
// that it would count against the next.
func (e *engine) forget() {
	if memoryInUse() > maxLeft {
		*e = engine{}
		runtime.GC()
	}
}

// memoryInUse returns how many bytes of memory hold values and stacks.
func memoryInUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() + sample[1].Value.Uint64()
}

// serve answers one request.
func (e *engine) serve(r *request) *response {
	n, problems, err := e.evaluate(r.unit(), r.Module)
	answer := &response{Node: n, Problems: problems}
	if err != nil {
		answer.Error = err.Error()
	}
	return answer
}

// watch runs an evaluation and gives its answer, one that says that the memory
// is over, or nil when nobody waits for an answer any more.
func watch(ended <-chan error, evaluate func() *response) *response {
	done := make(chan *response, 1)
	go func() { done <- evaluate() }()
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case answer := <-done:
			return answer
		case <-ended:
			return nil
		case <-ticker.C:
			if memoryInUse() > maxMemory {
				return &response{Over: tooMuchMemory}
			}
		}
	}
}

// writeFrame writes a message: its length in four bytes, then its JSON. One that
// is too large is not written, and gives a budgetError.
func writeFrame(w io.Writer, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(body) > maxFrame {
		return &budgetError{fmt.Sprintf("it takes more than %d bytes to pass on", maxFrame)}
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

func readFrame(r io.Reader, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return fmt.Errorf("a message of %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, message)
}
