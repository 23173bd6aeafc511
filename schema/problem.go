package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/veonahealth/charter/catalog"
)

// Code names a kind of mistake or warning, for people to look up (`charter
// explain`) and for programs to match.
type Code string

// The mistakes that declarations can hold. A commit that has none of them loads
// on any day: none depends on the clock.
const (
	Syntax       Code = "CH0101" // CUE cannot read it
	Shape        Code = "CH0102" // not allowed, missing, of the wrong kind, out of bounds
	Unknown      Code = "CH0103" // names what is declared nowhere
	Duplicate    Code = "CH0104" // an id given twice, or not its directory's name
	Dependency   Code = "CH0105" // a module in force without one it requires
	OverLimit    Code = "CH0106" // more than the edition allows
	Contradicted Code = "CH0107" // granted and revoked at one level
	Incomplete   Code = "CH0108" // on-prem without licence, instruments without connect
	EmptySpan    Code = "CH0109" // until is not after from
	Gone         Code = "CH0110" // declared before, and gone without a tombstone
	Forbidden    Code = "CH0111" // a file, link or import that may not be there
	Mapper       Code = "CH0112" // two modules with one EHR key, or live rows whose key no module bears
	OutOfPath    Code = "CH0113" // a path declares what the policy does not let it
	OverBudget   Code = "CH0115" // too large, too slow, too much memory

	// A rule of the policy that its own people could not satisfy.
	Unsatisfiable Code = "CH0114"
)

// The warnings. They never fail a command.
const (
	EditedSchema Code = "CW0102" // the fleet's copy of the schema is not charter's
	Redundant    Code = "CW0103" // a grant or revocation that changes nothing
	Ending       Code = "CW0109" // a grant or licence that has ended or soon will
	HoldEnded    Code = "CW0120" // a hold that holds no longer
	Leaving      Code = "CW0114" // a rule that those who are left could not satisfy
	Unrevoked    Code = "CW0121" // a revoked key that is nobody's, or that still counts
)

// Problem is one mistake, or one warning, in the declarations.
type Problem struct {
	Code    Code             `json:"code"`
	Pos     catalog.Position `json:"pos"`
	Message string           `json:"message"`
	// Related are other places that belong to it, such as the first of two
	// declarations of one id.
	Related []Related `json:"related,omitempty"`
	Hint    string    `json:"hint,omitempty"`   // what to do about it, or ""
	Source  string    `json:"source,omitempty"` // the line that Pos names, without its line end
}

// Related is a second place of a problem.
type Related struct {
	Pos  catalog.Position `json:"pos"`
	Note string           `json:"note"`
}

// Problems is a list of mistakes that can travel as an error, because a load
// that found any gives nothing else.
type Problems []Problem

// Error returns the first problem and how many follow.
func (p Problems) Error() string {
	if len(p) == 0 {
		return "no problems"
	}
	first := fmt.Sprintf("%s: %s [%s]", p[0].Pos, p[0].Message, p[0].Code)
	if len(p) > 1 {
		return fmt.Sprintf("%s, and %d more", first, len(p)-1)
	}
	return first
}

// sorted orders problems by place, then by code and message, and drops those
// that stand twice: a mistake in a shared file shows in every tenant that uses
// it, and is one mistake.
func (p Problems) sorted() Problems {
	slices.SortFunc(p, func(a, b Problem) int {
		return cmp.Or(
			strings.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col),
			strings.Compare(string(a.Code), string(b.Code)),
			strings.Compare(a.Message, b.Message),
		)
	})
	return slices.CompactFunc(p, func(a, b Problem) bool {
		return a.Pos == b.Pos && a.Code == b.Code && a.Message == b.Message
	})
}

func problemf(code Code, pos catalog.Position, format string, args ...any) Problem {
	return Problem{Code: code, Pos: pos, Message: fmt.Sprintf(format, args...)}
}

// didYouMean is the hint that names what was probably meant, or "".
func didYouMean(name string, known []string) string {
	if nearest := catalog.Nearest(name, slices.Values(known)); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	const few = 8
	if len(known) > 0 && len(known) <= few {
		return "known: " + strings.Join(known, ", ")
	}
	return ""
}
