package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// adoptable is a platform with n tenants.
type adoptable struct {
	dir, url, charter string
	client            *http.Client
}

func newAdoptable(b *testing.B, n int) *adoptable {
	b.Helper()
	dir := b.TempDir()
	p := &adoptable{dir: dir, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10, MaxConnsPerHost: 10}}}
	var err error
	if p.charter, err = builder(dir, "../charter")(); err != nil {
		b.Fatal(err)
	}
	ehr, err := builder(dir, "../../examples/ehr")()
	if err != nil {
		b.Fatal(err)
	}
	tokens := filepath.Join(dir, "tokens.json")
	if err := os.WriteFile(tokens, []byte(`{"`+operator+`": {"actor": "operator", "roles": ["super_admin"]}}`), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(ehr, "--listen", "127.0.0.1:0", "--db", ":memory:", "--tokens", tokens, "--seed-fleet", strconv.Itoa(n))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	p.url = strings.TrimPrefix(strings.TrimSpace(line), "listening on ")
	return p
}

// read reads everything that an import needs with plain GETs, side by side, and
// decodes it with encoding/json.
func (p *adoptable) read() error {
	var ids []string
	for _, path := range []string{"/editions", "/clients", "/licenses", "/tenants"} {
		err := p.list(path, func(item map[string]any) {
			if path == "/tenants" {
				ids = append(ids, fmt.Sprint(item["id"]))
			}
		})
		if err != nil {
			return err
		}
	}
	if err := p.get("/entitlements", func() any { return &map[string]any{} }); err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(10)
	for _, id := range ids {
		g.Go(func() error {
			var errs []error
			for _, kind := range []string{"facilities", "connect-entitlements", "tenant-admins"} {
				errs = append(errs, p.get("/tenants/"+id+"/"+kind, func() any { return &map[string]any{} }))
			}
			return errors.Join(errs...)
		})
	}
	return g.Wait()
}

// list reads all pages of a listing.
func (p *adoptable) list(path string, each func(map[string]any)) error {
	cursor := ""
	for {
		page := struct {
			Items      []map[string]any
			NextCursor string `json:"next_cursor"`
		}{}
		if err := p.get(path+"?limit=1000"+cursor, func() any { return &page }); err != nil {
			return err
		}
		for _, item := range page.Items {
			each(item)
		}
		if page.NextCursor == "" {
			return nil
		}
		cursor = "&cursor=" + page.NextCursor
	}
}

// get decodes an answer, which is JSON or lines of it.
func (p *adoptable) get(path string, value func() any) error {
	r, err := http.NewRequest(http.MethodGet, p.url+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+operator)
	answer, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, answer.Status)
	}
	for decoder := json.NewDecoder(answer.Body); ; {
		if err := decoder.Decode(value()); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// BenchmarkImport imports a platform into an empty folder, with everything that
// belongs to it (files, evaluation, proof, commit), beside the same reads alone.
// The times are of day, as reading is waiting: they are for comparing in one run.
func BenchmarkImport(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			p := newAdoptable(b, n)
			var ours, floor time.Duration
			var peak int64
			for i := range b.N {
				start := time.Now()
				if err := p.read(); err != nil {
					b.Fatal(err)
				}
				floor += time.Since(start)
				start = time.Now()
				peak = max(peak, measured(b, p.importInto(filepath.Join(p.dir, strconv.Itoa(i)))).peak)
				ours += time.Since(start)
			}
			b.ReportMetric(ours.Seconds()/floor.Seconds(), "wall/reads")
			b.ReportMetric(float64(peak)/(1<<20), "MiB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func (p *adoptable) importInto(dir string) *exec.Cmd {
	cmd := exec.Command(p.charter, "import", "-C", dir, "--ehr", p.url)
	cmd.Env = []string{
		"HOME=" + p.dir, "PATH=" + os.Getenv("PATH"), "CHARTER_TOKEN=" + operator,
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org",
	}
	return cmd
}
