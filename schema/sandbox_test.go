package schema_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/veonahealth/charter/schema"
)

// newSandbox returns a sandbox of processes of this test binary.
func newSandbox(t testing.TB, size int) *schema.Sandbox {
	t.Helper()
	s := schema.NewSandbox(size, os.Args[0], evaluateArg)
	t.Cleanup(s.Close)
	return s
}

const (
	greedy = "tenants/greedy/t.cue"
	modest = "tenants/modest/t.cue"
)

// beside is a fleet with a tenant of any text beside one that needs CUE and is
// right.
func beside(t testing.TB, text string) fstest.MapFS {
	t.Helper()
	return fleet(t, map[string]string{
		greedy: text,
		modest: "package fleet\n_id: \"modest\"\ntenant: {id: _id, name: \"N\", organisation: \"lakeside\", edition: \"clinic\", facilities: main: name: \"M\"}\n",
	})
}

// around puts an expression where a tenant's name is.
func around(expr, more string) string {
	return "package fleet\nimport \"strings\"\n_s: strings.Repeat(\"x\", 1)\n" + more +
		"\ntenant: {id: \"greedy\", organisation: \"lakeside\", edition: \"clinic\", facilities: main: name: \"M\", name: " + expr + "}\n"
}

const (
	tooMuch    = "evaluating it takes more than 512 MiB of memory"
	tooDeep    = "it nests too deeply to be evaluated"
	tooMuchOut = "it takes more than 67108864 bytes to pass on"
)

// loops is CUE that takes longer than anybody waits: each level goes over a
// hundred elements for each of those of the level above.
func loops() string {
	return around(`"\(len(_all))"`, "_hundred: [for i in [0,1,2,3,4,5,6,7,8,9] for j in [0,1,2,3,4,5,6,7,8,9] {i}]\n"+
		"_all: [for a in _hundred for b in _hundred for c in _hundred for d in _hundred for e in _hundred if a+b+c+d+e < 0 {a}]\n")
}

// doubles is a tenant whose file has texts of which each is twice as long as the
// one before.
func doubles(times int) string {
	var b strings.Builder
	b.WriteString("_0: \"x\"\n")
	for i := range times {
		fmt.Fprintf(&b, "_%d: \"\\(_%d)\\(_%d)\"\n", i+1, i, i)
	}
	return around(`"N"`, b.String())
}

// wide is a value that is small as CUE and large when it is written out.
func wide() string {
	return "package fleet\nimport (\"list\", \"strings\")\n_many: list.Range(0, 8000, 1)\n_long: strings.Repeat(\"x\", 10000)\n" +
		"tenant: {id: \"greedy\", name: \"N\", organisation: \"lakeside\", edition: \"clinic\"}\n" +
		"tenant: facilities: {for i in _many {\"f-\\(i)\": name: _long}}\n"
}

// What asks for more than its budget is refused by the name of its tenant; other
// tenants are not touched, and the sandbox goes on working.
func TestWhatAsksForTooMuchIsRefusedByName(t *testing.T) {
	sandbox := newSandbox(t, 1).Within(time.Minute)
	for name, c := range map[string]struct{ text, want string }{
		"a text that grows without end": {doubles(40), tooMuch},
		"one allocation beyond bounds":  {around(`strings.Repeat(strings.Repeat("x", 1000000), 1000000)`, ""), tooMuch},
		"names nested without end":      {"package fleet\ntenant: " + strings.Repeat("a: ", 300_000) + "1\n", tooDeep},
		"a value too large to pass on":  {wide(), tooMuchOut},
	} {
		problems := load(t, beside(t, c.text), schema.Options{Sandbox: sandbox}).problems
		if len(problems) != 1 || problems[0].Code != schema.OverBudget || problems[0].Pos.File != greedy ||
			problems[0].Pos.Line != 1 || !strings.HasPrefix(problems[0].Message, c.want) {
			t.Errorf("%s: got %s", name, lines(problems))
		}
		if r := load(t, beside(t, around(`"N"`, "")), schema.Options{Sandbox: sandbox}); r.fleet == nil {
			t.Errorf("after %s: %s", name, lines(r.problems))
		}
	}
}

func TestWhatTakesTooLongIsRefusedByName(t *testing.T) {
	sandbox := newSandbox(t, 1).Within(3 * time.Second) // what the others take even on a busy machine
	problems := load(t, beside(t, loops()), schema.Options{Sandbox: sandbox}).problems
	expect(t, problems, greedy+":1:1: evaluating it takes longer than 3 s [CH0115]")
	if r := load(t, beside(t, around(`"N"`, "")), schema.Options{Sandbox: sandbox.Within(time.Minute)}); r.fleet == nil {
		t.Errorf("afterwards: %s", lines(r.problems))
	}
}

// A number is judged by what it is, however it is spelled and however large.
func TestNumbersBeyondBoundsAreRefused(t *testing.T) {
	sandbox := newSandbox(t, 1)
	for _, number := range []string{
		"1e9", "1e400", "1e999999999", "-1e999999999", "1e-999999999", "999999999999999999999999999999", "1.0", "0.5", "0b11", "0x0a", "1_0", "1e9999999999999999999",
		strings.Repeat("9", 60_000), strings.Repeat("9", 900_000), "div(1, 0)", "1/0", "1<<1000", "-1", "9223372036854775808", "1000000000001", "1_000_000_000_001",
	} {
		text := strings.Replace(around(`"N"`, ""), `name: "M"`, `{name: "M", beds: `+number+`}`, 1)
		plain := "package fleet\n" + text[strings.Index(text, "tenant:"):]
		for way, text := range map[string]string{"by CUE": text, "alone": plain} {
			r := load(t, beside(t, text), schema.Options{Sandbox: sandbox})
			whole := number == "0b11" || number == "0x0a" || number == "1_0"
			if whole != (r.fleet != nil) {
				t.Errorf("%.40s: %s: %.300s", number, way, lines(r.problems))
			}
			for _, p := range r.problems {
				if p.Pos.File != greedy {
					t.Errorf("%.40s: %s: it is said of %s", number, way, p.Pos)
				}
			}
		}
	}
}

// Loads side by side share a sandbox and what is kept.
func TestLoadsMayRunSideBySide(t *testing.T) {
	sandbox, kept, files := newSandbox(t, 2), &memory{}, several(t)
	want := load(t, files, schema.Options{}).fleet
	var loads sync.WaitGroup
	for i := range 6 {
		loads.Go(func() {
			o := schema.Options{Sandbox: sandbox, Cache: kept, Parallelism: 1 + i%3}
			got, err := schema.Load(t.Context(), newHashed(files), o)
			if err != nil {
				t.Error(err)
				return
			}
			if len(got.Tenants) != len(want.Tenants) {
				t.Errorf("%d tenants", len(got.Tenants))
			}
		})
	}
	loads.Wait()
}

// What is large and within its budget is within it as often as it is asked: what
// one evaluation leaves behind does not count against the next.
func TestWhatIsWithinItsBudgetStaysSo(t *testing.T) {
	sandbox := newSandbox(t, 1)
	large := doubles(26) // 128 MiB, all together
	for i := range 6 {
		if r := load(t, beside(t, large), schema.Options{Sandbox: sandbox}); r.fleet == nil {
			t.Fatalf("time %d: %s", i, lines(r.problems))
		}
	}
}

// Text that nests is refused where it stands, by whichever process reads it.
func TestDeepNestingIsRefused(t *testing.T) {
	sandbox := newSandbox(t, 1)
	for _, open := range []string{"{", "[", "(", "-", `"\(`, "{a:", "[{", "!", "[for x in "} {
		for _, size := range []int{60_000, 900_000} {
			text := "package fleet\ntenant: " + strings.Repeat(open, size/len(open)) + "\n"
			problems := load(t, beside(t, text), schema.Options{Sandbox: sandbox}).problems
			if len(problems) == 0 || problems[0].Pos.File != greedy || problems[0].Code != schema.Syntax && problems[0].Code != schema.OverBudget {
				t.Errorf("%q %d times: %s", open, size/len(open), lines(problems[:min(len(problems), 3)]))
			}
		}
	}
}

func TestACancelledLoadDoesNotWaitForItsEvaluation(t *testing.T) {
	sandbox := newSandbox(t, 1).Within(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if f, err := schema.Load(ctx, beside(t, loops()), schema.Options{Sandbox: sandbox, Parallelism: 4}); f != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, %v", f, err)
	}
	if r := load(t, beside(t, around(`"N"`, "")), schema.Options{Sandbox: sandbox}); r.fleet == nil {
		t.Errorf("afterwards: %s", lines(r.problems))
	}
}

// A process that another hand ends says nothing about the tenant that it was to
// evaluate.
func TestAProcessMayBeEndedFromOutside(t *testing.T) {
	sandbox := newSandbox(t, 1)
	files := beside(t, around(`"N"`, ""))
	load(t, files, schema.Options{Sandbox: sandbox})
	for range 3 {
		processes := sandbox.Processes()
		if len(processes) != 1 {
			t.Fatalf("%d processes", len(processes))
		}
		if err := syscall.Kill(processes[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if r := load(t, files, schema.Options{Sandbox: sandbox}); r.fleet == nil {
			t.Errorf("got %s", lines(r.problems))
		}
	}
}

func TestAProgramThatIsNoEvaluatorGivesNoFleet(t *testing.T) {
	missing := schema.NewSandbox(1, "/nowhere/to/be/found")
	defer missing.Close()
	f, err := schema.Load(t.Context(), beside(t, around(`"N"`, "")), schema.Options{Sandbox: missing})
	if f != nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, %v", f, err)
	}
	mute := schema.NewSandbox(1, os.Args[0], "-test.run=^$")
	defer mute.Close()
	problems := load(t, beside(t, around(`"N"`, "")), schema.Options{Sandbox: mute}).problems
	if len(problems) == 0 || problems[0].Code != schema.OverBudget {
		t.Errorf("got %s", lines(problems))
	}
}

// started returns a sandbox whose processes run, and their ids.
func started(t *testing.T, size int) (*schema.Sandbox, []int) {
	t.Helper()
	sandbox := newSandbox(t, size)
	load(t, beside(t, around(`"N"`, "")), schema.Options{Sandbox: sandbox})
	processes := sandbox.Processes()
	if len(processes) == 0 {
		t.Fatal("there never was a process")
	}
	return sandbox, processes
}

func gone(t *testing.T, processes []int) {
	t.Helper()
	for _, id := range processes {
		if err := syscall.Kill(id, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d: %v", id, err)
		}
	}
}

func TestNoProcessIsLeftBehind(t *testing.T) {
	t.Run("by Close", func(t *testing.T) {
		sandbox, processes := started(t, 2)
		sandbox.Close()
		gone(t, processes)
		for range 2 {
			sandbox.Refill()
		}
	})
	t.Run("over its budget", func(t *testing.T) {
		sandbox, processes := started(t, 1)
		load(t, beside(t, loops()), schema.Options{Sandbox: sandbox.Within(100 * time.Millisecond), Parallelism: 1})
		gone(t, processes)
	})
	t.Run("by a load that is cancelled", func(t *testing.T) {
		sandbox, processes := started(t, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := schema.Load(ctx, beside(t, loops()), schema.Options{Sandbox: sandbox}); err == nil {
			t.Fatal("it is evaluated")
		}
		gone(t, processes)
	})
}

// What the environment says does not change what a commit means.
func TestTheEnvironmentDoesNotReachTheSandbox(t *testing.T) {
	t.Setenv("CUE_DEBUG", "opendef=1,sortfields=1")
	t.Setenv("CUE_EXPERIMENT", "evalv3=0")
	text := strings.Replace(around(`"N"`, ""), "name: \"M\"", "nmae: \"M\"", 1)
	sandbox, processes := started(t, 1)
	if environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", processes[0])); err == nil && len(environ) > 0 {
		t.Errorf("its environment is %q", environ)
	}
	for name, o := range map[string]schema.Options{"in the sandbox": {Sandbox: sandbox}, "in place": {}} {
		problems := load(t, beside(t, text), o).problems
		if len(problems) == 0 || problems[0].Code != schema.Shape {
			t.Errorf("%s: got %s", name, lines(problems))
		}
	}
}
