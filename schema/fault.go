package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"

	"github.com/veonahealth/charter/catalog"
)

// What CUE says of an import that is neither the fleet's nor its own, and of a
// value that none of the alternatives of a disjunction fits: the errors of each
// of them follow. An import is used no more where what used it is lost.
const (
	noBuiltin     = "builtin package %q undefined"
	noAlternative = "%d errors in empty disjunction:"
	noValue       = "incomplete value %v"
	otherKind     = "conflicting values %s and %s (mismatched types %s and %s)"
	undefined     = "reference %q not found"
	unusedImport  = "imported and not used: %s"
)

// maxMessage is how many bytes of what CUE says are shown: it quotes values, and
// they may be of any size.
const maxMessage = 500

func cut(message string) string {
	if len(message) > maxMessage {
		return strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	return message
}

// internal finds what only readers of the schema or of CUE's own source know.
var internal = regexp.MustCompile(`#[A-Z]|_\|_|\{`)

// plainly says in our words what CUE says in those of its evaluator and of the
// schema.
func plainly(format string, args []any) string {
	message := fmt.Sprintf(format, args...)
	switch {
	case format == noValue && !internal.MatchString(message):
		return fmt.Sprintf("no value is given, only %v", args...)
	case !internal.MatchString(message):
		return message
	case format == noValue:
		return "no value is given"
	case format == otherKind:
		return fmt.Sprintf("%v and %v do not go together", args[2:]...)
	}
	return "it is not what may stand here"
}

// cueFault is one thing that CUE finds wrong.
type cueFault struct {
	code      Code
	format    string   // of its first message
	path      []string // as CUE names it, then as a reader of the declaration does
	messages  []string
	positions []token.Pos
}

// cueFaults returns what CUE finds wrong. What is wrong with each alternative of
// a disjunction is one fault.
func cueFaults(err error) []cueFault {
	var faults []cueFault
	alternatives := false // of the last fault are still to come
	for _, e := range errors.Errors(err) {
		format, args := e.Msg()
		message, positions := plainly(format, args), errors.Positions(e)
		if last := len(faults) - 1; alternatives && slices.Equal(faults[last].path, e.Path()) {
			if !slices.Contains(faults[last].messages, message) {
				faults[last].messages = append(faults[last].messages, message)
			}
			faults[last].positions = append(faults[last].positions, positions...)
			continue
		}
		f := cueFault{format: format, path: e.Path(), positions: positions}
		if alternatives = format == noAlternative; !alternatives {
			f.messages = []string{message}
		}
		faults = append(faults, f)
	}
	return faults
}

// faults returns what CUE finds wrong with the unit, of one code.
func (u *unit) faults(code Code, err error) []cueFault {
	faults := cueFaults(err)
	for i := range faults {
		faults[i].code, faults[i].path = code, u.declared(faults[i].path)
		if faults[i].format == noBuiltin {
			faults[i].code = Forbidden
		}
	}
	return faults
}

// cueProblems turns CUE's faults into problems that point at the declaration.
func (u *unit) cueProblems(faults []cueFault) Problems {
	var problems Problems
	for _, f := range faults {
		if u.repeats(f) {
			continue
		}
		places := u.places(f.positions, u.label(f.path))
		p := problemf(f.code, places[0], "%s", cut(strings.Join(f.messages, "; ")))
		if f.format == undefined {
			p.Hint = "where it is a text, put it in quotes"
		}
		if len(f.path) > 0 {
			p.Message = cut(strings.Join(f.path, ".")) + ": " + p.Message
		}
		for _, place := range places[1:] {
			p.Related = append(p.Related, Related{place, "and here"})
		}
		problems = append(problems, p)
	}
	return problems
}

// beside returns faults, and those of CUE's problems that stand elsewhere: at one
// place, what we say ourselves is said better.
func beside(faults, problems Problems) Problems {
	said := map[catalog.Position]bool{}
	for _, p := range faults {
		said[p.Pos] = true
	}
	all := slices.Clone(faults)
	for _, p := range problems {
		if !said[p.Pos] {
			all = append(all, p)
		}
	}
	return all
}

// declared is the path of an error as a reader of the declaration knows it: CUE
// names the schema's definition where the declaration has a field.
func (u *unit) declared(path []string) []string {
	path = slices.Clone(path)
	for field, definition := range u.kind.Fields {
		if len(path) > 0 && path[0] == definition {
			path[0] = field
		}
	}
	return path
}
