package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Kind is a forge's API.
type Kind string

// The kinds. Forgejo speaks Gitea's API.
const (
	GitHub Kind = "github"
	Gitea  Kind = "gitea"
	GitLab Kind = "gitlab"
)

// Run is what a job's variables say of the pipeline that it is of. Where none of the
// forges is recognised all of it is empty.
type Run struct {
	Kind    Kind
	API     string // the API's URL
	Project string // OWNER/NAME; for GitLab the project's number
	Change  int    // the number of the pull request; 0 for none
	Head    string // the commit that the pull request brings, or that was pushed; "" where it is not said
	Target  string // the branch that it is to be merged into; "" for none
	Base    string // the commit before: the target's when the pull request was last pushed to, or what a push replaced; "" for none
	Fork    bool   // whether the commits come from a repository of other people
	Summary string // the file that the job's summary is written to; "" for none
}

// Annotates reports whether the forge reads mistakes from a job's output.
func (r *Run) Annotates() bool { return r.Kind == GitHub || r.Kind == Gitea }

// Detect recognises the forge that a job runs on. read gives the content of a file, up
// to a size that it bounds: GitHub and Gitea describe in one what has happened.
func Detect(variable func(string) (string, bool), read func(string) ([]byte, error)) (Run, error) {
	get := func(name string) string {
		value, _ := variable(name)
		return value
	}
	switch {
	case get("GITLAB_CI") == "true":
		return detectGitLab(get)
	case get("GITEA_ACTIONS") == "true", get("FORGEJO_ACTIONS") == "true":
		return detectActions(Gitea, get, read)
	case get("GITHUB_ACTIONS") == "true":
		return detectActions(GitHub, get, read)
	}
	return Run{}, nil
}

// event is what GitHub and Gitea say of what has happened.
type event struct {
	Before      string `json:"before"` // of a push
	PullRequest *struct {
		Number int `json:"number"`
		Head   struct {
			SHA  string `json:"sha"`
			Repo *repo  `json:"repo"` // nil where it was deleted
		} `json:"head"`
		Base struct {
			SHA  string `json:"sha"`
			Ref  string `json:"ref"`
			Repo *repo  `json:"repo"`
		} `json:"base"`
	} `json:"pull_request"`
}

type repo struct {
	FullName string `json:"full_name"`
}

func detectActions(kind Kind, get func(string) string, read func(string) ([]byte, error)) (Run, error) {
	run := Run{Kind: kind, API: get("GITHUB_API_URL"), Project: get("GITHUB_REPOSITORY"), Head: get("GITHUB_SHA"), Summary: get("GITHUB_STEP_SUMMARY")}
	path := get("GITHUB_EVENT_PATH")
	if path == "" {
		return run, run.check()
	}
	data, err := read(path)
	if err != nil {
		return run, fmt.Errorf("event of the pipeline: %w", err)
	}
	var e event
	if json.Unmarshal(data, &e) != nil {
		return run, errors.New("event of the pipeline: it cannot be read")
	}
	run.Base = commit(e.Before)
	if pr := e.PullRequest; pr != nil {
		run.Change, run.Head, run.Base, run.Target = pr.Number, pr.Head.SHA, pr.Base.SHA, pr.Base.Ref
		run.Fork = pr.Head.Repo == nil || pr.Base.Repo == nil || pr.Head.Repo.FullName != pr.Base.Repo.FullName
	}
	return run, run.check()
}

func detectGitLab(get func(string) string) (Run, error) {
	run := Run{Kind: GitLab, API: get("CI_API_V4_URL"), Project: get("CI_PROJECT_ID"), Head: get("CI_COMMIT_SHA"), Base: commit(get("CI_COMMIT_BEFORE_SHA"))}
	number := get("CI_MERGE_REQUEST_IID")
	if number == "" {
		return run, run.check()
	}
	var err error
	if run.Change, err = strconv.Atoi(number); err != nil || run.Change <= 0 {
		return run, fmt.Errorf("CI_MERGE_REQUEST_IID %.40q: want a number", number)
	}
	if source := get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"); source != "" { // else the pipeline is not of a merge result
		run.Head = source
	}
	run.Project, run.Target, run.Base = get("CI_MERGE_REQUEST_PROJECT_ID"), get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"), get("CI_MERGE_REQUEST_DIFF_BASE_SHA")
	run.Fork = get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID") != run.Project
	return run, run.check()
}

// commit reads the commit that something was before, where there was one.
func commit(text string) string {
	if strings.Trim(text, "0") == "" {
		return ""
	}
	return text
}

var (
	hashes   = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})?$`)
	projects = regexp.MustCompile(`^([0-9]+|[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+)$`)
	branches = regexp.MustCompile(`^([^\s[:cntrl:]~^:?*\[\\-][^\s[:cntrl:]~^:?*\[\\]*)?$`)
)

// names reports whether a project's name is one that a forge of the kind gives:
// GitLab numbers them, and has groups in groups.
func (k Kind) names(project string) bool {
	if !projects.MatchString(project) || strings.Contains(project, "..") {
		return false
	}
	return k == GitLab || strings.Count(project, "/") == 1
}

// check refuses what would lead somewhere else than it says: the head's branch and
// its repository are named by whoever opened the pull request.
func (r *Run) check() error {
	switch {
	case !hashes.MatchString(r.Head) || !hashes.MatchString(r.Base):
		return errors.New("the pipeline names a commit that is none")
	case r.Project != "" && !r.Kind.names(r.Project):
		return fmt.Errorf("the pipeline's project %.80q is none", r.Project)
	case !branches.MatchString(r.Target):
		return fmt.Errorf("the pipeline's target branch %.80q is none", r.Target)
	case r.Change < 0:
		return fmt.Errorf("the pipeline's pull request %d is none", r.Change)
	}
	return nil
}
