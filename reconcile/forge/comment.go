package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Posted says where a comment is, and what became of it.
type Posted struct {
	URL     string // for people; "" where the forge does not say
	Created bool   // false where the one of an earlier run was replaced
}

// dialect is how a forge's API differs from another's.
type dialect struct {
	comments string // path of the comments of the pull request
	query    string // of the first page
	me       string // path of whoever the token is of
	one      func(id int64) string
	replace  string // the method that changes a comment
	most     int    // characters of a comment
	sign     func(http.Header, string)
	// robot recognises the author that a job's own token writes as.
	robot func(*author) bool
}

// wireComment is a comment as the forges write it: GitHub and Gitea have a user
// where GitLab has an author.
type wireComment struct {
	ID      int64   `json:"id"`
	Body    string  `json:"body"`
	HTMLURL string  `json:"html_url"`
	User    *author `json:"user"`
	Author  *author `json:"author"`
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

func github(project string, change int) dialect {
	d := hub(project, change)
	d.query = "?per_page=100"
	d.most = 65_536
	d.sign = func(h http.Header, token string) {
		h.Set("Authorization", "Bearer "+token)
		h.Set("Accept", "application/vnd.github+json")
		h.Set("X-GitHub-Api-Version", "2022-11-28")
	}
	d.robot = func(a *author) bool { return a.Type == "Bot" }
	return d
}

func gitea(project string, change int) dialect {
	d := hub(project, change)
	d.most = 1_000_000
	d.sign = func(h http.Header, token string) {
		h.Set("Authorization", "token "+token)
		h.Set("Accept", "application/json")
	}
	d.robot = func(a *author) bool { return a.Login == "gitea-actions" || a.Login == "forgejo-actions" }
	return d
}

// hub is what GitHub and Gitea have in common: a pull request's comments are those
// of the issue of its number.
func hub(project string, change int) dialect {
	issues := "/repos/" + project + "/issues/"
	return dialect{
		comments: issues + strconv.Itoa(change) + "/comments", me: "/user", replace: http.MethodPatch,
		one: func(id int64) string { return issues + "comments/" + strconv.FormatInt(id, 10) },
	}
}

func gitlab(project string, change int) dialect {
	notes := "/projects/" + url.PathEscape(project) + "/merge_requests/" + strconv.Itoa(change) + "/notes"
	return dialect{
		comments: notes, query: "?per_page=100&sort=asc", me: "/user", replace: http.MethodPut, most: 1_000_000,
		one: func(id int64) string { return notes + "/" + strconv.FormatInt(id, 10) },
		sign: func(h http.Header, token string) {
			h.Set("PRIVATE-TOKEN", token)
			h.Set("Accept", "application/json")
		},
		robot: func(*author) bool { return false }, // the token of a GitLab job may not comment
	}
}

// tries is how often comments are read to find out where one goes: the one that was
// found may be deleted before it is replaced, and one that was made may be there
// although the answer was lost.
const tries = 3

// Comment writes a comment, in the place of the one with the same first line that
// this token wrote before. The first line has to be an HTML comment.
func (c *Client) Comment(ctx context.Context, body string) (Posted, error) {
	marker, _, _ := strings.Cut(body, "\n")
	switch {
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
		if err == nil || try == tries || ctx.Err() != nil || !c.worthAnother(err) {
			return posted, err
		}
	}
}

// worthAnother reports whether the comments may be others than they were taken to
// be.
func (c *Client) worthAnother(err error) bool {
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
		_, err := c.call(ctx, http.MethodPost, c.at(c.dialect.comments), content, http.StatusCreated, &w)
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
