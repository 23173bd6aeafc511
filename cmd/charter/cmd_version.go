package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/schema"
)

// devel is the version of a build that is no release.
const devel = "devel"

// version is the release that this program is, or "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return devel
	}
	return info.Main.Version
}

// identity tells builds of this program apart, for what is kept between runs: a
// release by its version, any other by its file.
func (a *app) identity(executable string) string {
	name := version() + " " + runtime.Version() + " " + dependency("cuelang.org/go")
	if info, err := os.Stat(executable); err == nil {
		name += fmt.Sprintf(" %d %d", info.Size(), info.ModTime().UnixNano())
	}
	return name
}

// dependency returns the version of a module that the program was built with.
func dependency(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return ""
}

// versions are everything that a report of a fault should name.
type versions struct {
	Charter string `json:"charter"`
	CUE     string `json:"cue"`
	Go      string `json:"go"`
	Plan    string `json:"plan"`   // the format of plan files
	Schema  string `json:"schema"` // of fleets
}

func (a *app) newVersion() *cobra.Command {
	var output outputFlag
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of charter and of what it speaks",
		Example: "  charter version -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := versions{version(), dependency("cuelang.org/go"), runtime.Version(), plan.FormatVersion, schema.Version}
			if output.value == "json" {
				return view.JSON(a.stdout, v)
			}
			_, err := fmt.Fprintf(a.stdout, "charter %s\nschema %s, plan format %s, cue %s, %s %s/%s\n",
				v.Charter, v.Schema, v.Plan, v.CUE, v.Go, runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
	output.bind(cmd, "text", "json")
	return cmd
}
