package forge_test

import (
	"errors"
	"testing"

	"github.com/veonahealth/charter/reconcile/forge"
)

const (
	head = "1111111111111111111111111111111111111111"
	base = "2222222222222222222222222222222222222222"
	none = "0000000000000000000000000000000000000000"
)

func detect(variables map[string]string, event string) (forge.Run, error) {
	return forge.Detect(func(name string) (string, bool) { v, ok := variables[name]; return v, ok },
		func(string) ([]byte, error) { return []byte(event), nil })
}

// with adds variables to others.
func with(all map[string]string, more ...string) map[string]string {
	variables := map[string]string{}
	for name, value := range all {
		variables[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		variables[more[i]] = more[i+1]
	}
	return variables
}

var (
	actions = map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": "https://api.github.com", "GITHUB_REPOSITORY": "lakeside/fleet", "GITHUB_SHA": head,
		"GITHUB_EVENT_PATH": "event.json", "GITHUB_STEP_SUMMARY": "summary.md",
	}
	pipeline = map[string]string{
		"GITLAB_CI": "true", "CI_API_V4_URL": "https://gitlab.example.org/api/v4", "CI_PROJECT_ID": "9", "CI_COMMIT_SHA": head, "CI_COMMIT_BEFORE_SHA": none,
	}
)

func pullRequest(from string) string {
	return `{"number": 5, "pull_request": {"number": 5, "head": {"sha": "` + head + `", "repo": ` + from + `},
		"base": {"sha": "` + base + `", "ref": "main", "repo": {"full_name": "lakeside/fleet"}}}}`
}

func TestAJobIsRecognised(t *testing.T) {
	request := with(pipeline, "CI_MERGE_REQUEST_IID", "5", "CI_MERGE_REQUEST_PROJECT_ID", "42", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main",
		"CI_MERGE_REQUEST_DIFF_BASE_SHA", base, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "42")
	hub := forge.Run{Kind: forge.GitHub, API: "https://api.github.com", Project: "lakeside/fleet", Change: 5, Head: head, Target: "main", Base: base, Summary: "summary.md"}
	fork, push, tea := hub, hub, hub
	fork.Fork = true
	push.Change, push.Target = 0, ""
	tea.Kind = forge.Gitea
	lab := forge.Run{Kind: forge.GitLab, API: "https://gitlab.example.org/api/v4", Project: "42", Change: 5, Head: head, Target: "main", Base: base}
	labFork := lab
	labFork.Fork = true
	for name, c := range map[string]struct {
		variables map[string]string
		event     string
		want      forge.Run
	}{
		"nowhere":                     {map[string]string{"CI": "true"}, "", forge.Run{}},
		"GitHub":                      {actions, pullRequest(`{"full_name": "lakeside/fleet"}`), hub},
		"GitHub, of a fork":           {actions, pullRequest(`{"full_name": "eve/fleet"}`), fork},
		"GitHub, of a fork that went": {actions, pullRequest(`null`), fork},
		"GitHub, a push":              {actions, `{"before": "` + base + `"}`, push},
		"Gitea":                       {with(actions, "GITEA_ACTIONS", "true"), pullRequest(`{"full_name": "lakeside/fleet"}`), tea},
		"Forgejo":                     {with(actions, "FORGEJO_ACTIONS", "true"), pullRequest(`{"full_name": "lakeside/fleet"}`), tea},
		"GitLab":                      {request, "", lab},
		"GitLab, of a fork":           {with(request, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "9"), "", labFork},
		"GitLab, a merge result":      {with(request, "CI_COMMIT_SHA", base, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", head), "", lab},
		"GitLab, the first push":      {pipeline, "", forge.Run{Kind: forge.GitLab, API: lab.API, Project: "9", Head: head}},
	} {
		got, err := detect(c.variables, c.event)
		if err != nil || got != c.want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", name, got, err, c.want)
		}
	}
}

func TestAJobThatLeadsElsewhereIsRefused(t *testing.T) {
	own := `{"full_name": "lakeside/fleet"}`
	for name, c := range map[string]struct {
		variables map[string]string
		event     string
	}{
		"a commit":       {with(actions, "GITHUB_SHA", "HEAD"), `{}`},
		"a project":      {with(actions, "GITHUB_REPOSITORY", "../../user"), `{}`},
		"two dots":       {with(actions, "GITHUB_REPOSITORY", "lakeside/.."), `{}`},
		"no event":       {actions, `{"pull_request": 5}`},
		"a number":       {with(pipeline, "CI_MERGE_REQUEST_IID", "5/../6"), ""},
		"an option":      {with(pipeline, "CI_MERGE_REQUEST_IID", "5", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "--upload-pack=x"), ""},
		"a range":        {with(pipeline, "CI_MERGE_REQUEST_IID", "5", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main~1"), ""},
		"a line":         {with(pipeline, "CI_MERGE_REQUEST_IID", "5", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main\nx"), ""},
		"minus a number": {actions, `{"pull_request": {"number": -5, "head": {"repo": ` + own + `}, "base": {"repo": ` + own + `}}}`},
	} {
		if run, err := detect(c.variables, c.event); err == nil {
			t.Errorf("%s: %+v", name, run)
		}
	}
	lost := errors.New("no such file")
	_, err := forge.Detect(func(name string) (string, bool) { return actions[name], true }, func(string) ([]byte, error) { return nil, lost })
	if err == nil {
		t.Error("an event that cannot be read was passed over")
	}
}

func FuzzEvent(f *testing.F) {
	f.Add(pullRequest(`{"full_name": "eve/fleet"}`))
	f.Fuzz(func(t *testing.T, event string) {
		run, err := detect(actions, event)
		if err == nil && (run.Change < 0 || run.Kind != forge.GitHub) {
			t.Errorf("%+v", run)
		}
	})
}
