package forge

import (
	"context"
	"errors"
	"maps"
	"net/http"
)

// State is what a status says of a commit.
type State string

// The states. GitLab knows one word for the last two.
const (
	Success State = "success"
	Failure State = "failure" // the commit is to be changed, or waits for people
	Error   State = "error"   // it could not be judged
)

// Status is what is said beside a commit under a name. A later one takes the place
// of an earlier one with the same name.
type Status struct {
	Commit string // 40 or 64 hex digits
	Name   string
	State  State
	Text   string // cut to what the forge takes
	URL    string // where there is more to read; "" for nowhere
}

// SetStatus sets the status of a commit. One that is sent twice is one: it is tried
// again where the answer was lost. A commit that the forge does not have is a
// StatusError.
func (c *Client) SetStatus(ctx context.Context, s Status) error {
	if s.Commit == "" || !hashes.MatchString(s.Commit) || s.Name == "" {
		return errors.New("status of no commit, or without a name")
	}
	s.Text = shortened(s.Text, c.dialect.words)
	content := c.dialect.status(s)
	maps.DeleteFunc(content, func(_, value string) bool { return value == "" })
	var made struct{}
	_, err := c.call(ctx, http.MethodPost, c.at(c.dialect.statuses(s.Commit)), content, http.StatusCreated, &made)
	return err
}

// shortened cuts a text to a number of characters.
func shortened(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
