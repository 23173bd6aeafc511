package view

import (
	"fmt"
	"io"

	"github.com/veonahealth/charter/reconcile/ehr/conform"
)

// Check is what one check of a server came to.
type Check struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`   // holds, broken or skipped
	Skipped string   `json:"skipped"` // why it was not made, or ""
	Faults  []string `json:"faults"`
}

// Conformance is what all checks came to, and how many to what.
type Conformance struct {
	Checks  []Check `json:"checks"`
	Held    int     `json:"held"`
	Broken  int     `json:"broken"`
	Skipped int     `json:"skipped"`
}

// Add takes a result in.
func (c *Conformance) Add(r conform.Result) *Check {
	check := Check{Name: r.Name, State: "holds", Skipped: r.Skipped, Faults: append([]string{}, r.Faults...)}
	switch {
	case len(r.Faults) > 0:
		check.State = "broken"
		c.Broken++
	case r.Skipped != "":
		check.State = "skipped"
		c.Skipped++
	default:
		c.Held++
	}
	c.Checks = append(c.Checks, check)
	return &c.Checks[len(c.Checks)-1]
}

// CheckText writes a check for people: a line, and one for each fault.
func CheckText(w io.Writer, s Style, c *Check) error {
	color := map[string]string{"holds": green, "broken": red, "skipped": yellow}[c.State]
	line := fmt.Sprintf("%-7s  %s", c.State, Clean(c.Name))
	if c.Skipped != "" {
		line += " (" + Clean(c.Skipped) + ")"
	}
	if _, err := fmt.Fprintln(w, s.paint(color, line)); err != nil {
		return err
	}
	for _, fault := range c.Faults {
		if _, err := fmt.Fprintln(w, "         "+Clean(fault)); err != nil {
			return err
		}
	}
	return nil
}
