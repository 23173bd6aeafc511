package schema

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"

	"github.com/veonahealth/charter/catalog"
)

//go:embed daemon/daemon.cue
var daemonDefinitions string

// Daemon is the configuration of a daemon. schema/daemon/daemon.cue says what
// each field means; the Go types only carry it.
type Daemon struct {
	Repository  string   `json:"repository"`
	Branch      string   `json:"branch"`
	Fetch       Duration `json:"fetch"`
	Environment string   `json:"environment"`
	EHR         struct {
		URL         string   `json:"url"`
		TokenFile   string   `json:"token_file"`
		Parallelism int      `json:"parallelism"`
		MaxRPS      float64  `json:"max_rps"`
		Timeout     Duration `json:"timeout"`
	} `json:"ehr"`
	Schedules []struct {
		Cron     string `json:"cron"`
		Timezone string `json:"timezone"`
		Pass     string `json:"pass"`
	} `json:"schedules"`
	Mode string `json:"mode"`
	// Forge is nil where branches are not to become pull requests.
	Forge *struct {
		Kind       string `json:"kind"`
		API        string `json:"api"`
		Repository string `json:"repository"`
		TokenFile  string `json:"token_file"`
	} `json:"forge"`
	Root         string   `json:"root"`          // "" where no ledger is founded
	KeyFile      string   `json:"key_file"`      // "" for none
	PasswordFile string   `json:"password_file"` // "" for none
	Mandate      []string `json:"mandate"`       // files of its bundles
	Listen       string   `json:"listen"`
	// Proxy is nil where nobody stands before the pages.
	Proxy *struct {
		From   []string `json:"from"`
		Header string   `json:"header"`
	} `json:"proxy"`
	Scrapers []string `json:"scrapers"`
	// Webhook is nil where no forge knocks.
	Webhook *struct {
		Forge      string `json:"forge"`
		SecretFile string `json:"secret_file"`
	} `json:"webhook"`
	Notices []struct {
		Name    string `json:"name"`
		URLFile string `json:"url_file"`
		Shape   string `json:"shape"`
	} `json:"notices"`
	// Traces is nil where none are sent.
	Traces *struct {
		URL        string `json:"url"`
		HeaderFile string `json:"header_file"` // "" for none
	} `json:"traces"`
	Page     string   `json:"page"`
	Patience Duration `json:"patience"`
	State    string   `json:"state"`
	Skew     Duration `json:"skew"`
	Backoff  struct {
		First   Duration `json:"first"`
		Longest Duration `json:"longest"`
	} `json:"backoff"`
}

// Duration is a time.Duration that is written as Go writes it: "90s", "2m".
type Duration time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed <= 0 {
		return fmt.Errorf("duration %.40q: want a time to come, such as 90s", text)
	}
	*d = Duration(parsed)
	return nil
}

// ParseDaemon reads a daemon's configuration file. What is wrong with it comes as
// Problems. name is the file's, for their positions.
func ParseDaemon(name string, data []byte) (*Daemon, error) {
	ctx := cuecontext.New(cuecontext.CUE_DEBUG(""))
	definition := ctx.CompileString(daemonDefinitions, cue.Filename("daemon.cue")).LookupPath(cue.ParsePath("#Daemon"))
	if err := definition.Err(); err != nil {
		return nil, fmt.Errorf("compile the definition of a daemon: %w", err)
	}
	given := ctx.CompileBytes(data, cue.Filename(name))
	if err := given.Err(); err != nil {
		return nil, daemonProblems(name, data, Syntax, err)
	}
	value := definition.Unify(given)
	if err := value.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return nil, daemonProblems(name, data, Shape, err)
	}
	text, err := value.MarshalJSON()
	if err != nil {
		return nil, daemonProblems(name, data, Shape, err)
	}
	d := &Daemon{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, Problems{problemf(Shape, catalog.Position{File: name}, "%s", err)}
	}
	return d, nil
}

// daemonProblems are CUE's faults at their places in the file.
func daemonProblems(name string, data []byte, code Code, err error) error {
	lines := strings.Split(string(data), "\n")
	var problems Problems
	for _, f := range cueFaults(err) {
		p := problemf(code, catalog.Position{File: name}, "%s", cut(strings.Join(f.messages, "; ")))
		if path := strings.TrimPrefix(strings.Join(f.path, "."), "#Daemon."); path != "" && path != "#Daemon" {
			p.Message = cut(path) + ": " + p.Message
		}
		for _, at := range f.positions {
			if at.Filename() == name {
				p.Pos.Line, p.Pos.Col = at.Line(), at.Column()
				break
			}
		}
		if p.Pos.Line > 0 && p.Pos.Line <= len(lines) {
			p.Source = lines[p.Pos.Line-1]
		}
		problems = append(problems, p)
	}
	if len(problems) == 0 {
		return errors.Promote(err, "configuration")
	}
	return problems.sorted()
}
