package source_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/veonahealth/charter/reconcile/source"
)

// remote makes a bare repository with one commit on main, and gives its folder.
func remote(t testing.TB) string {
	t.Helper()
	bare := filepath.Join(t.TempDir(), "fleet.git")
	git(t, t.TempDir(), "clone", "-q", "--bare", repository(t, sample), bare)
	git(t, bare, "config", "http.receivepack", "true")
	git(t, bare, "remote", "remove", "origin")
	return bare
}

// clone makes a clone by the real git, and opens it.
func clone(t testing.TB, url string, args ...string) (*source.Repository, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	git(t, t.TempDir(), append(append([]string{"clone", "-q"}, args...), url, dir)...)
	return open(t, dir), dir
}

// backend serves a bare repository's folder with git's own program. A password
// of "" lets everybody in.
func backend(t testing.TB, bare, password string) *httptest.Server {
	t.Helper()
	program := &cgi.Handler{
		Path: filepath.Join(git(t, bare, "--exec-path"), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(bare), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=ci", "GIT_CONFIG_GLOBAL=/dev/null"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); password != "" && got != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		program.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestAReferenceGoesToTheRemoteAndBack(t *testing.T) {
	for name, url := range map[string]func(t *testing.T, bare string) string{
		"folder": func(_ *testing.T, bare string) string { return bare },
		"file":   func(_ *testing.T, bare string) string { return "file://" + bare },
		"http": func(t *testing.T, bare string) string {
			return backend(t, bare, "").URL + "/" + filepath.Base(bare)
		},
	} {
		t.Run(name, func(t *testing.T) { roundTrip(t, remote(t), url) })
	}
}

func roundTrip(t *testing.T, bare string, url func(*testing.T, string) string) {
	ctx := t.Context()
	at := url(t, bare)
	here, _ := clone(t, at)
	there, dir := clone(t, at)
	first := put(t, here, draft("", "receipts/000/000/intent.json", "one"))
	second := put(t, here, draft(first, "receipts/000/001/intent.json", "two"))
	if err := here.Push(ctx, source.Update{Name: branch, New: first}); err != nil {
		t.Fatal(err)
	}
	if err := here.Push(ctx, source.Update{Name: branch, Old: first, New: second}); err != nil {
		t.Fatal(err)
	}
	git(t, bare, "fsck", "--strict", "--full")
	found, err := there.Fetch(ctx, nil, branch, "refs/heads/none")
	if err != nil || len(found) != 1 || found[branch] != second {
		t.Fatalf("%v, %v", found, err)
	}
	if got := git(t, dir, "ls-tree", "-r", "--name-only", second); got != "receipts/000/000/intent.json\nreceipts/000/001/intent.json" {
		t.Error(got)
	}
	third := put(t, there, draft(second, "receipts/000/002/intent.json", "three"))
	if err := there.Push(ctx, source.Update{Name: branch, Old: second, New: third}); err != nil {
		t.Fatal(err)
	}
	if found, err := here.Fetch(ctx, []string{second}, branch); err != nil || found[branch] != third {
		t.Fatalf("%v, %v", found, err)
	}
	if _, err := here.ReadCommit(third); err != nil {
		t.Error(err)
	}
	if err := here.Push(ctx, source.Update{Name: branch, Old: third}); err != nil {
		t.Fatal(err)
	}
	if refs, err := here.RemoteRefs(ctx); err != nil || refs[branch] != "" || refs["refs/heads/main"] == "" {
		t.Errorf("%v, %v", refs, err)
	}
}

func TestAPushThatStandsOnAnotherCommitIsRefused(t *testing.T) {
	bare := remote(t)
	repo, _ := clone(t, bare)
	one := put(t, repo, draft("", "n", "1"))
	two := put(t, repo, draft(one, "n", "2"))
	if err := repo.Push(t.Context(), source.Update{Name: branch, New: one}); err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]source.Update{
		"taken for new":     {Name: branch, New: two},
		"taken for another": {Name: branch, Old: two, New: one},
		"taken away":        {Name: branch, Old: two},
		"taken for there":   {Name: "refs/heads/none", Old: one, New: two},
	} {
		if err := repo.Push(t.Context(), u); !errors.Is(err, source.ErrMoved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := git(t, bare, "rev-parse", branch); got != one {
		t.Errorf("it moved to %s", got)
	}
}

// TestNoPushIsLostBetweenClones lets two clones push to one branch at once, each
// on top of what it last saw. Every success must be in the history in the end.
func TestNoPushIsLostBetweenClones(t *testing.T) {
	const each = 8
	bare := remote(t)
	var wg sync.WaitGroup
	for i := range 2 {
		repo, _ := clone(t, bare)
		wg.Go(func() {
			for done := 0; done < each; {
				if pushOne(t, repo, fmt.Sprintf("%d/%d", i, done)) {
					done++
				}
			}
		})
	}
	wg.Wait()
	if got := git(t, bare, "rev-list", "--count", branch); got != strconv.Itoa(2*each) {
		t.Errorf("%s commits, want %d", got, 2*each)
	}
}

func pushOne(t *testing.T, repo *source.Repository, path string) bool {
	found, err := repo.Fetch(t.Context(), nil, branch)
	if err != nil {
		t.Error(err)
		return true
	}
	c, err := repo.Write(draft(found[branch], path, "x"))
	if err != nil {
		t.Error(err)
		return true
	}
	err = repo.Push(t.Context(), source.Update{Name: branch, Old: found[branch], New: c.Hash})
	var rejected *source.RejectedError // the remote itself compared, a moment later than we did
	if err != nil && !errors.Is(err, source.ErrMoved) && !errors.As(err, &rejected) {
		t.Error(err)
		return true
	}
	return err == nil
}

func TestAShallowCloneGetsAllOfWhatIsNamed(t *testing.T) {
	bare := remote(t)
	full, _ := clone(t, bare)
	tip := ""
	for i := range 5 {
		next := put(t, full, draft(tip, strconv.Itoa(i), "x"))
		if err := full.Push(t.Context(), source.Update{Name: branch, Old: tip, New: next}); err != nil {
			t.Fatal(err)
		}
		tip = next
	}
	shallow, dir := clone(t, "file://"+bare, "--depth", "1")
	if _, err := shallow.Fetch(t.Context(), nil, branch); err != nil {
		t.Fatal(err)
	}
	if got := git(t, dir, "rev-list", "--count", tip); got != "5" {
		t.Errorf("%s commits, want 5", got)
	}
}

func TestARemoteThatSaysNoIsToldFromOneThatMoved(t *testing.T) {
	bare := remote(t)
	hook := filepath.Join(bare, "hooks", "pre-receive")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	repo, _ := clone(t, bare)
	err := repo.Push(t.Context(), source.Update{Name: branch, New: put(t, repo, draft("", "n", "1"))})
	var rejected *source.RejectedError
	if !errors.As(err, &rejected) || rejected.Name != branch {
		t.Errorf("%v", err)
	}
}

func TestARemoteThatDoesNotAnswerIsAnErrorAndNoEmptyOne(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for name, url := range map[string]string{
		"folder": filepath.Join(t.TempDir(), "none"), "http": "http://ci:secret@" + address + "/fleet.git",
	} {
		dir := repository(t, sample)
		git(t, dir, "remote", "add", "origin", url)
		_, err := open(t, dir).Fetch(t.Context(), nil, branch)
		var unreachable *source.RemoteError
		if !errors.As(err, &unreachable) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEmptyRemoteHasNoReferences(t *testing.T) {
	bare := filepath.Join(t.TempDir(), "fleet.git")
	git(t, t.TempDir(), "init", "-q", "--bare", bare)
	dir := repository(t, sample)
	git(t, dir, "remote", "add", "origin", bare)
	repo := open(t, dir)
	if refs, err := repo.RemoteRefs(t.Context()); err != nil || len(refs) != 0 {
		t.Fatalf("%v, %v", refs, err)
	}
	if err := repo.Push(t.Context(), source.Update{Name: branch, New: put(t, repo, draft("", "n", "1"))}); err != nil {
		t.Error(err)
	}
	git(t, bare, "fsck", "--strict")
}

func TestARelativeRemoteIsRelativeToTheRepository(t *testing.T) {
	bare := remote(t)
	dir := filepath.Join(filepath.Dir(bare), "work")
	git(t, t.TempDir(), "clone", "-q", bare, dir)
	git(t, dir, "remote", "set-url", "origin", "../"+filepath.Base(bare))
	if refs, err := open(t, dir).RemoteRefs(t.Context()); err != nil || refs["refs/heads/main"] == "" {
		t.Errorf("%v, %v", refs, err)
	}
}

func TestCredentialsComeFromGit(t *testing.T) {
	bare := remote(t)
	url := backend(t, bare, "hunter2").URL + "/" + filepath.Base(bare)
	for name, configure := range map[string]func(t *testing.T, dir string) error{
		"helper": func(t *testing.T, dir string) error {
			git(t, dir, "config", "credential.helper", `!f() { test "$1" = get && echo username=ci && echo password=hunter2; }; f`)
			return nil
		},
		"header": func(t *testing.T, dir string) error {
			git(t, dir, "config", "http."+url+".extraheader", "Authorization: Basic Y2k6aHVudGVyMg==")
			return nil
		},
		"address": func(t *testing.T, dir string) error {
			git(t, dir, "remote", "set-url", "origin", strings.Replace(url, "://", "://ci:hunter2@", 1))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := repository(t, sample)
			git(t, dir, "config", "credential.helper", "")
			git(t, dir, "remote", "add", "origin", url)
			repo := open(t, dir)
			if _, err := repo.RemoteRefs(t.Context()); err == nil {
				t.Fatal("nobody had to say who they are")
			}
			if err := configure(t, dir); err != nil {
				t.Fatal(err)
			}
			repo = open(t, dir)
			name := "refs/charter/default/plans/" + name
			if err := repo.Push(t.Context(), source.Update{Name: name, New: put(t, repo, draft("", "n", "1"))}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAWrongPasswordIsNotRepeatedInTheError(t *testing.T) {
	bare := remote(t)
	dir := repository(t, sample)
	git(t, dir, "config", "credential.helper", `!f() { test "$1" = get && echo username=ci && echo password=letmein; }; f`)
	git(t, dir, "remote", "add", "origin", backend(t, bare, "hunter2").URL+"/"+filepath.Base(bare))
	_, err := open(t, dir).RemoteRefs(t.Context())
	if err == nil || strings.Contains(err.Error(), "letmein") {
		t.Errorf("%v", err)
	}
}

func TestAFetchEndsWithItsContext(t *testing.T) {
	bare := remote(t)
	for _, url := range []string{bare, backend(t, bare, "").URL + "/" + filepath.Base(bare)} {
		dir := repository(t, sample)
		git(t, dir, "remote", "add", "origin", url)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := open(t, dir).RemoteRefs(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestWhatAFetchBringsIsThereForWhoHasReadBefore(t *testing.T) {
	for name, count := range map[string]int{"few objects": 3, "a pack": 300} {
		bare := remote(t)
		other, _ := clone(t, bare)
		repo, dir := clone(t, bare)
		git(t, dir, "gc", "-q")
		if _, err := repo.Resolve("HEAD"); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.ReadCommit(git(t, dir, "rev-parse", "HEAD")); err != nil {
			t.Fatal(err)
		}
		d := draft("", "n", "1")
		for i := range count {
			d.Put[strconv.Itoa(i)] = []byte(strconv.Itoa(i))
		}
		tip := put(t, other, d)
		if err := other.Push(t.Context(), source.Update{Name: branch, New: tip}); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Fetch(t.Context(), nil, branch); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.ReadCommit(tip); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := repo.Resolve(tip); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAHeaderGoesToItsOwnHostAlone(t *testing.T) {
	bare := remote(t)
	server := backend(t, bare, "hunter2").URL
	for name, at := range map[string]string{"its host": server, "a host whose name begins so": server[:len(server)-1]} {
		dir := repository(t, sample)
		git(t, dir, "config", "credential.helper", "")
		git(t, dir, "config", "http."+at+"/.extraheader", "Authorization: Basic Y2k6aHVudGVyMg==")
		git(t, dir, "remote", "add", "origin", server+"/"+filepath.Base(bare))
		if _, err := open(t, dir).RemoteRefs(t.Context()); (err == nil) != (at == server) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
