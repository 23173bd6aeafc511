package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Change is a pull request with what its reviewers decided last.
type Change struct {
	Head    string // the commit that it is at, 40 or 64 hexadecimal digits
	Target  string // the branch that it is to be merged into
	Author  string // the account that opened it, such as github:1234; "" where the forge does not say
	Open    bool   // neither merged nor closed
	Reviews []Review
}

// Review is the last decision of an account about a change. One that only comments
// decides nothing, and is none.
type Review struct {
	Account string    // by the forge's own number, such as github:1234
	ID      string    // letters, digits and dashes
	At      time.Time // when it was given, by the forge's clock
	// Fault says in words why it does not approve the change as it is now; "" where
	// it does.
	Fault string
}

// Found is a comment that is there.
type Found struct {
	Body    string
	Changed time.Time // when its text became what it is, by the forge's clock
	URL     string    // for people; "" where the forge does not say
}

// ReadComment returns the comment that Comment would replace, by its first line; nil
// where there is none. Anybody with the right may have edited it.
func (c *Client) ReadComment(ctx context.Context, marker string) (*Found, error) {
	if c.change == 0 {
		return nil, ErrNoChange
	}
	ours, err := c.ours(ctx)
	if err != nil {
		return nil, err
	}
	w, err := c.find(ctx, marker, ours)
	if err != nil || w == nil {
		return nil, err
	}
	return &Found{Body: w.Body, Changed: w.UpdatedAt, URL: w.HTMLURL}, nil
}

// HeadRef is the reference by which a forge keeps the commit that a pull request is at.
func (k Kind) HeadRef(change int) string {
	if k == GitLab {
		return fmt.Sprintf("refs/merge-requests/%d/head", change)
	}
	return fmt.Sprintf("refs/pull/%d/head", change)
}

// wireChange is a pull request as the forges write it, for its reviews.
type wireChange struct {
	wirePull
	Number int     `json:"number"`
	IID    int     `json:"iid"`
	User   *author `json:"user"`
	Author *author `json:"author"`
}

// Reviews reads the pull request that the run is of, and what each of its reviewers
// decided last.
func (c *Client) Reviews(ctx context.Context) (*Change, error) {
	if c.change == 0 {
		return nil, ErrNoChange
	}
	var w wireChange
	if _, err := c.call(ctx, http.MethodGet, c.at(c.dialect.changed), nil, http.StatusOK, &w); err != nil {
		return nil, err
	}
	change := &Change{Head: w.Head.SHA + w.SHA, Target: w.Base.Ref + w.Target, Open: w.State == "open" || w.State == "opened"}
	switch {
	case w.Number+w.IID != c.change:
		return nil, fmt.Errorf("pull request %d: the forge answers with another one", c.change)
	case change.Head == "" || !hashes.MatchString(change.Head):
		return nil, fmt.Errorf("pull request %d: the forge names a commit that is none", c.change)
	case change.Target == "" || !branches.MatchString(change.Target):
		return nil, fmt.Errorf("pull request %d: the forge names a target branch that is none", c.change)
	}
	by := w.User
	if by == nil {
		by = w.Author
	}
	change.Author = c.account(by)
	var err error
	if c.kind == GitLab {
		change.Reviews, err = c.approvals(ctx, change.Head)
	} else {
		change.Reviews, err = c.decisions(ctx, change.Head)
	}
	slices.SortFunc(change.Reviews, func(a, b Review) int { return cmp.Compare(a.Account, b.Account) })
	return change, err
}

// account names an account by its number; "" for one that is gone.
func (c *Client) account(a *author) string {
	if a == nil || a.ID <= 0 {
		return ""
	}
	return string(c.kind) + ":" + strconv.FormatInt(a.ID, 10)
}

// wireReview is a review as GitHub and Gitea write it. Whether Gitea takes it for an
// official one is not asked: who may approve is said by the policy.
type wireReview struct {
	ID        int64     `json:"id"`
	User      *author   `json:"user"` // nil for a team that was asked, and for who is gone
	State     string    `json:"state"`
	Commit    string    `json:"commit_id"`
	Submitted time.Time `json:"submitted_at"`
	Stale     bool      `json:"stale"`
	Dismissed bool      `json:"dismissed"`
}

// decides reports whether a review says yes or no. A state that is not known does: it
// takes the place of a yes before it.
func (w *wireReview) decides() bool {
	return !slices.Contains([]string{"COMMENTED", "COMMENT", "PENDING", "REQUEST_REVIEW"}, strings.ToUpper(w.State))
}

// fault says why a review does not approve a commit; "".
func (w *wireReview) fault(head string) string {
	switch state := strings.ToUpper(w.State); {
	case state == "DISMISSED" || w.Dismissed:
		return "it was dismissed"
	case state == "CHANGES_REQUESTED" || state == "REQUEST_CHANGES":
		return "it asks for changes"
	case state != "APPROVED":
		return "it does not approve"
	case w.Commit != head || w.Stale:
		return fmt.Sprintf("it was given for commit %.12s, and the change is at %.12s", shownCommit(w.Commit), head)
	case w.Submitted.IsZero():
		return "the forge does not say when it was given"
	}
	return ""
}

func shownCommit(text string) string {
	if text == "" || !hashes.MatchString(text) {
		return "(none)"
	}
	return text
}

// decisions are the last ones of each account, of GitHub and Gitea.
func (c *Client) decisions(ctx context.Context, head string) ([]Review, error) {
	last := map[string]wireReview{}
	err := pages(ctx, c, c.dialect.changed+"/reviews", func(page []wireReview) {
		for _, w := range page {
			account := c.account(w.User)
			before, decided := last[account]
			later := !decided || cmp.Or(w.Submitted.Compare(before.Submitted), cmp.Compare(w.ID, before.ID)) > 0
			if account != "" && w.ID > 0 && w.decides() && later {
				last[account] = w
			}
		}
	})
	var list []Review
	for account, w := range last {
		list = append(list, Review{Account: account, ID: strconv.FormatInt(w.ID, 10), At: w.Submitted, Fault: w.fault(head)})
	}
	return list, err
}

// pages reads a list to its end. Gitea does not name the next page of every list, so
// that its pages are counted until there is an empty one.
func pages[T any](ctx context.Context, c *Client, path string, take func([]T)) error {
	address := c.at(path + c.dialect.page)
	for n := 1; n <= maxPages; n++ {
		if c.kind == Gitea {
			address = c.at(path + c.dialect.page + "&page=" + strconv.Itoa(n))
		}
		var page []T
		next, err := c.call(ctx, http.MethodGet, address, nil, http.StatusOK, &page)
		if err != nil {
			return err
		}
		take(page)
		if len(page) == 0 || next == "" && c.kind != Gitea {
			return nil
		}
		address = next
	}
	return fmt.Errorf("pull request %d: more than %d pages of %s", c.change, maxPages, path[strings.LastIndex(path, "/")+1:])
}

// wireApprovals are those who approve a merge request now: GitLab says neither for
// which commit nor, in older versions, when.
type wireApprovals struct {
	By []struct {
		User *author   `json:"user"`
		At   time.Time `json:"approved_at"`
	} `json:"approved_by"`
}

// wireVersion is what a push made of a merge request.
type wireVersion struct {
	ID      int64     `json:"id"`
	Head    string    `json:"head_commit_sha"`
	Created time.Time `json:"created_at"`
}

// approvals are those of GitLab. An approval is of whatever the merge request was
// when it was given: one that came after the last push is of its head.
func (c *Client) approvals(ctx context.Context, head string) ([]Review, error) {
	var given wireApprovals
	if _, err := c.call(ctx, http.MethodGet, c.at(c.dialect.changed+"/approvals"), nil, http.StatusOK, &given); err != nil {
		return nil, err
	}
	// The versions are read last: a push meanwhile outdates what was read before it.
	var pushed wireVersion
	if err := pages(ctx, c, c.dialect.changed+"/versions", func(page []wireVersion) {
		for _, v := range page {
			if v.ID > pushed.ID {
				pushed = v
			}
		}
	}); err != nil {
		return nil, err
	}
	if len(given.By) > maxPages*100 {
		return nil, errors.New("the forge names too many approvals")
	}
	var list []Review
	seen := map[string]bool{}
	for _, a := range given.By {
		account := c.account(a.User)
		if account == "" || seen[account] {
			continue
		}
		seen[account] = true
		r := Review{Account: account, ID: fmt.Sprintf("%d-%d", a.User.ID, a.At.Unix()), At: a.At}
		switch {
		case a.At.IsZero():
			r.ID, r.Fault = strconv.FormatInt(a.User.ID, 10), "this GitLab does not say when it was given"
		case pushed.Created.IsZero() || pushed.Head != head:
			r.Fault = "the forge does not say when the change was pushed last"
		case !a.At.After(pushed.Created):
			r.Fault = fmt.Sprintf("it was given before the change was pushed last, at %.12s", head)
		}
		list = append(list, r)
	}
	return list, nil
}
