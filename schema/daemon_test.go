package schema_test

import (
	"errors"
	"testing"
	"time"

	"github.com/veonahealth/charter/schema"
)

const smallest = "repository: \"fleet\"\nehr: {url: \"https://platform.example.org\", token_file: \"token\"}\n"

func TestADaemonNeedsAFleetAndAPlatformAndNothingElse(t *testing.T) {
	d, err := schema.ParseDaemon("charter.cue", []byte(smallest))
	if err != nil {
		t.Fatal(err)
	}
	if d.Branch != "main" || d.Mode != "observe" || d.Listen != "127.0.0.1:7180" || time.Duration(d.Fetch) != 30*time.Second ||
		len(d.Schedules) != 2 || d.Schedules[1].Pass != "full" || d.EHR.Parallelism != 10 || d.Proxy != nil || d.Webhook != nil {
		t.Errorf("%+v", d)
	}
}

func TestAMistakeInADaemonsFileHasItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		smallest + "mode: \"obey\"\n":                   "charter.cue:3",
		smallest + "fetch: \"soon\"\n":                  "charter.cue:3",
		smallest + "lisen: \"127.0.0.1:1\"\n":           "charter.cue:3",
		smallest + "webhook: forge: \"sourceforge\"\n":  "charter.cue:3",
		smallest + "forge: kind: \"sourceforge\"\n":     "charter.cue:3",
		smallest + "forge: kind: \"github\"\n":          "charter.cue",
		smallest + "schedules: [{cron: \"@hourly\"}]\n": "charter.cue",
		smallest + "listen: {\n":                        "charter.cue:3",
		"repository: \"fleet\"\n":                       "charter.cue",
		smallest + "fetch: \"-3s\"\n":                   "charter.cue",
	} {
		_, err := schema.ParseDaemon("charter.cue", []byte(text))
		var problems schema.Problems
		if !errors.As(err, &problems) || len(problems[0].Pos.String()) < len(want) || problems[0].Pos.String()[:len(want)] != want {
			t.Errorf("%q: %v, want a mistake at %s", text, err, want)
		}
	}
}
