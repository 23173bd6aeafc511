package forge_test

import (
	"testing"
	"time"

	"github.com/veonahealth/charter/reconcile/forge"
	"github.com/veonahealth/charter/reconcile/forge/forgetest"
)

// server is a forge that has the commit that is asked about.
type server struct {
	*forgetest.Server
	kind forge.Kind
}

func newServer(t testing.TB, kind forge.Kind) *server {
	t.Helper()
	s := &server{forgetest.New(t, kind), kind}
	s.Commits, s.Branches = []string{head}, map[string]string{}
	return s
}

func (s *server) client(t testing.TB) *forge.Client {
	t.Helper()
	c, err := forge.New(s.options())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) options() forge.Options {
	project := "lakeside/fleet"
	if s.kind == forge.GitLab {
		project = "42"
	}
	return forge.Options{
		Run: forge.Run{Kind: s.kind, API: s.API(), Project: project, Change: 5}, Token: forgetest.Token,
		Pause: time.Millisecond, Now: func() time.Time { return time.Unix(1_000_000, 0) },
	}
}
