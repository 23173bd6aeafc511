package schema

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A context of CUE keeps all that it ever built. It is given up in time, and the
// evaluations after that give the same.
func TestAnEngineGivesUpItsContextInTime(t *testing.T) {
	var e engine
	contexts := map[any]bool{}
	for i := range 2*contextUses + 2 {
		id := fmt.Sprintf("t-%d", i)
		text := fmt.Sprintf("package fleet\n_id: %q\ntenant: {id: _id, name: \"N\", organisation: \"o\", edition: \"e\", facilities: main: name: \"M\"}\n", id)
		u := &unit{kind: tenantUnit, dir: "tenants/" + id, files: []*source{{path: "t.cue", data: []byte(text)}}}
		n, problems, err := e.evaluate(u, DefaultModule)
		if err != nil || len(problems) > 0 {
			t.Fatalf("time %d: %v, %v", i, problems, err)
		}
		if got := n.value("tenant").text("id"); got != id {
			t.Fatalf("time %d: got %s", i, got)
		}
		contexts[e.ctx] = true
	}
	if len(contexts) != 2 {
		t.Errorf("there were %d contexts", len(contexts))
	}
}

// An evaluating process ends when nobody waits for it any more, in the middle of
// an evaluation too: the one that started it may have been killed.
func TestAProcessEndsWithTheOneThatStartedIt(t *testing.T) {
	never := "package fleet\n_h: [" + strings.Repeat("1,", 100) + "]\n" +
		"_all: [for a in _h for b in _h for c in _h for d in _h for e in _h if a+b+c+d+e < 0 {a}]\ntenant: name: \"\\(len(_all))\"\n"
	u := &unit{kind: tenantUnit, dir: "tenants/a", files: []*source{{path: "tenants/a/t.cue", data: []byte(never)}}}
	for name, requests := range map[string]int{"at once": 0, "while it evaluates": 1} {
		cmd := exec.Command(os.Args[0], "evaluate")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for range requests {
			if err := writeFrame(in, newRequest(u, DefaultModule)); err != nil {
				t.Fatal(err)
			}
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // with an error or without: it ends
		if !cmd.ProcessState.Exited() {
			t.Errorf("%s: %s", name, cmd.ProcessState)
		}
	}
}
