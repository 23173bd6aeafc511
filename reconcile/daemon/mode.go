package daemon

// Mode is what the daemon does about a difference. An unknown mode prints as
// itself.
type Mode string

// The modes, each with all that the ones before it do.
const (
	Observe Mode = "observe" // report
	Propose Mode = "propose" // write a branch that adopts the live change as a declaration
	Correct Mode = "correct" // write what a signed mandate covers
)

// Modes lists all of them.
func Modes() []Mode { return []Mode{Observe, Propose, Correct} }
