package ledger_test

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/veonahealth/charter/reconcile/ledger"
)

// forgetful serves a bare repository with git's own program, and breaks off its
// answer to every push that lose says yes to, once git has carried it out.
func forgetful(t *testing.T, bare string, lose func() bool) string {
	t.Helper()
	git(t, bare, "config", "http.receivepack", "true")
	program := &cgi.Handler{
		Path: filepath.Join(git(t, bare, "--exec-path"), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(bare), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=ci", "GIT_CONFIG_GLOBAL=/dev/null"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/git-receive-pack") && lose() {
			program.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		program.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/" + filepath.Base(bare)
}

func TestAnAnswerThatIsLostLosesNoReceipt(t *testing.T) {
	s := found(t)
	var pushes atomic.Int32
	url := forgetful(t, s.bare, func() bool { return pushes.Add(1)%2 == 1 })
	_, dir := clone(t, s.bare)
	git(t, dir, "remote", "set-url", "origin", url)
	l, err := ledger.Open(t.Context(), options(at(t, dir), s.root, s.who))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two", "three"} {
		carry(t, l, s.who.writer, draft(name, "kisumu"))
	}
	if again, _ := s.open(t); again.Len() != 4 || pushes.Load() != 6 {
		t.Errorf("%d receipts after %d pushes, want 4 after 6", again.Len(), pushes.Load())
	}
}
