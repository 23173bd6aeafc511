package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Posted says where a comment is, and what became of it.
type Posted struct {
	URL     string // for people; "" where the forge does not say
	Created bool   // false where the one of an earlier run was replaced
}

// wireComment is a comment as the forges write it: GitHub and Gitea have a user
// where GitLab has an author.
type wireComment struct {
	ID        int64     `json:"id"`
	Body      string    `json:"body"`
	HTMLURL   string    `json:"html_url"`
	UpdatedAt time.Time `json:"updated_at"`
	User      *author   `json:"user"`
	Author    *author   `json:"author"`
}

type author struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"` // "Bot" for GitHub's applications
}

func (w *wireComment) by() *author {
	if w.User != nil {
		return w.User
	}
	return w.Author
}

// tries is how often comments are read to find out where one goes: the one that was
// found may be deleted before it is replaced, and one that was made may be there
// although the answer was lost.
const tries = 3

// ErrNoChange says that a run is of no pull request, so that there is nothing to
// comment.
var ErrNoChange = errors.New("the pipeline is of no pull request")

// Comment writes a comment, in the place of the one with the same first line that
// this token wrote before. The first line has to be an HTML comment.
func (c *Client) Comment(ctx context.Context, body string) (Posted, error) {
	marker, _, _ := strings.Cut(body, "\n")
	switch {
	case c.change == 0:
		return Posted{}, ErrNoChange
	case !strings.HasPrefix(marker, "<!-- ") || !strings.HasSuffix(marker, " -->"):
		return Posted{}, errors.New("comment without a marker in its first line")
	case len([]rune(body)) > c.dialect.most:
		return Posted{}, fmt.Errorf("comment of more than %d characters", c.dialect.most)
	}
	ours, err := c.ours(ctx)
	if err != nil {
		return Posted{}, err
	}
	for try := 1; ; try++ {
		posted, err := c.put(ctx, marker, body, ours)
		if err == nil || try == tries || ctx.Err() != nil || !worthAnother(err) {
			return posted, err
		}
	}
}

// worthAnother reports whether what is there may be another than it was taken to
// be.
func worthAnother(err error) bool {
	var said *StatusError
	var gone *goneError
	return errors.As(err, &gone) || !errors.As(err, &said) || said.Status >= 500
}

// goneError says that a comment was deleted while it was replaced.
type goneError struct{ error }

// Unwrap returns the forge's refusal.
func (e *goneError) Unwrap() error { return e.error }

func (c *Client) put(ctx context.Context, marker, body string, ours func(*author) bool) (Posted, error) {
	old, err := c.find(ctx, marker, ours)
	if err != nil {
		return Posted{}, err
	}
	content := map[string]string{"body": body}
	var w wireComment
	if old == nil {
		_, err := c.call(singly(ctx), http.MethodPost, c.at(c.dialect.comments), content, http.StatusCreated, &w)
		return Posted{URL: w.HTMLURL, Created: true}, err
	}
	if old.Body == body {
		return Posted{URL: old.HTMLURL}, nil
	}
	_, err = c.call(ctx, c.dialect.replace, c.at(c.dialect.one(old.ID)), content, http.StatusOK, &w)
	if hasStatus(err, http.StatusNotFound, http.StatusGone) {
		err = &goneError{err}
	}
	return Posted{URL: w.HTMLURL}, err
}

// find returns the first of our comments that begins with a marker; nil for none.
func (c *Client) find(ctx context.Context, marker string, ours func(*author) bool) (*wireComment, error) {
	address := c.at(c.dialect.comments + c.dialect.query)
	for range maxPages {
		var page []wireComment
		next, err := c.call(ctx, http.MethodGet, address, nil, http.StatusOK, &page)
		if err != nil {
			return nil, err
		}
		for i := range page {
			first, _, _ := strings.Cut(page[i].Body, "\n")
			if by := page[i].by(); by != nil && strings.TrimRight(first, "\r") == marker && ours(by) {
				return &page[i], nil
			}
		}
		if next == "" {
			return nil, nil
		}
		address = next
	}
	return nil, fmt.Errorf("comments of pull request %d: more than %d pages", c.change, maxPages)
}

// ours tells which authors are whoever the token is of.
func (c *Client) ours(ctx context.Context) (func(*author) bool, error) {
	var me author
	_, err := c.call(ctx, http.MethodGet, c.at(c.dialect.me), nil, http.StatusOK, &me)
	switch {
	case hasStatus(err, http.StatusForbidden, http.StatusNotFound):
		return c.dialect.robot, nil // a job's token may not ask
	case err != nil:
		return nil, err
	case me.ID == 0:
		return nil, errors.New("the forge does not say whose the token is")
	}
	return func(a *author) bool { return a.ID == me.ID }, nil
}

func (c *Client) at(path string) string { return strings.TrimRight(c.base.String(), "/") + path }
