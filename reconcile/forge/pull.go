package forge

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Proposal is a pull request that is to be there.
type Proposal struct {
	Branch string // that is to be merged
	Target string // the branch that it is to be merged into
	Commit string // that the branch is at
	Title  string // cut to 255 characters
	Text   string // cut to what the forge takes
}

// Opened says where a pull request is.
type Opened struct {
	URL string // for people; "" where the forge does not say
	New bool   // false where it was there already
}

const longestTitle = 255 // characters; that of Gitea and GitLab

// wirePull is a pull request as the forges write it: GitHub and Gitea have a head
// and a base where GitLab has branches and projects.
type wirePull struct {
	HTMLURL string `json:"html_url"`
	WebURL  string `json:"web_url"`
	State   string `json:"state"`
	Head    struct {
		Ref  string `json:"ref"`
		SHA  string `json:"sha"`
		Repo *repo  `json:"repo"` // nil where it was deleted
	} `json:"head"`
	Base struct {
		Ref  string `json:"ref"`
		Repo *repo  `json:"repo"`
	} `json:"base"`
	Source        string `json:"source_branch"`
	Target        string `json:"target_branch"`
	SHA           string `json:"sha"`
	SourceProject int64  `json:"source_project_id"`
	TargetProject int64  `json:"target_project_id"`
}

func (w *wirePull) url() string { return w.HTMLURL + w.WebURL }

// is reports whether a pull request proposes the same. One that was closed does
// where the branch is still at its commit: people have decided about that. One of
// another repository never does, whatever its branch is called.
func (w *wirePull) is(p *Proposal) bool {
	if w.Head.Ref+w.Source != p.Branch || w.Base.Ref+w.Target != p.Target {
		return false
	}
	own := w.SourceProject == w.TargetProject
	if w.Base.Repo != nil {
		own = w.Head.Repo != nil && strings.EqualFold(w.Head.Repo.FullName, w.Base.Repo.FullName)
	}
	open := w.State == "open" || w.State == "opened"
	return own && (open || w.Head.SHA+w.SHA == p.Commit)
}

// OpenPullRequest opens a pull request, unless the branch has one. One that people
// have closed is not opened again until the branch moves.
func (c *Client) OpenPullRequest(ctx context.Context, p Proposal) (Opened, error) {
	if p.Branch == "" || p.Target == "" || p.Commit == "" || !branches.MatchString(p.Branch) || !branches.MatchString(p.Target) || !hashes.MatchString(p.Commit) {
		return Opened{}, errors.New("pull request of no branch, or into none")
	}
	p.Title, p.Text = shortened(p.Title, longestTitle), shortened(p.Text, c.dialect.most)
	for try := 1; ; try++ {
		opened, err := c.open(ctx, &p)
		if err == nil || try == tries || ctx.Err() != nil || !worthAnother(err) {
			return opened, err
		}
	}
}

func (c *Client) open(ctx context.Context, p *Proposal) (Opened, error) {
	there, err := c.proposed(ctx, p)
	if err != nil {
		return Opened{}, err
	}
	if there != nil {
		return Opened{URL: there.url()}, nil
	}
	var made wirePull
	_, err = c.call(singly(ctx), http.MethodPost, c.at(c.dialect.pulls), c.dialect.proposal(*p), http.StatusCreated, &made)
	if !hasStatus(err, c.dialect.taken...) {
		return Opened{URL: made.url(), New: err == nil}, err
	}
	// Somebody was faster, or what was sent is wrong: what is there tells.
	if there, again := c.proposed(ctx, p); again == nil && there != nil {
		return Opened{URL: there.url()}, nil
	}
	return Opened{}, err
}

// proposed finds the pull request that proposes the same; nil for none. Where a
// forge has more of them than are read it is the forge that refuses a second one.
func (c *Client) proposed(ctx context.Context, p *Proposal) (*wirePull, error) {
	address := c.at(c.dialect.pulls + "?" + c.dialect.from(p.Branch, p.Target).Encode())
	for range maxPages {
		var page []wirePull
		next, err := c.call(ctx, http.MethodGet, address, nil, http.StatusOK, &page)
		if err != nil {
			return nil, err
		}
		if at := slices.IndexFunc(page, func(w wirePull) bool { return w.is(p) }); at >= 0 {
			return &page[at], nil
		}
		if next == "" {
			break
		}
		address = next
	}
	return nil, nil
}
