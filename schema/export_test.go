package schema

import "time"

// Within returns the sandbox with another budget of time, as ten seconds are long
// to wait for.
func (s *Sandbox) Within(patience time.Duration) *Sandbox {
	s.patience = patience
	return s
}

// Refill puts back one of the places that Close takes, so that it can be called
// again.
func (s *Sandbox) Refill() { s.idle <- nil }

// Processes returns the ids of the processes that wait for work. It must not be
// called while a load is under way.
func (s *Sandbox) Processes() []int {
	var ids []int
	for range cap(s.idle) {
		c := <-s.idle
		if c != nil {
			ids = append(ids, c.cmd.Process.Pid)
		}
		s.idle <- c
	}
	return ids
}
