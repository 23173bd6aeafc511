package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/schema"
)

// The measured grant: three facilities with twenty modules each.
const (
	benchFacilities = 3
	benchModules    = 20
	connections     = 16
)

func benchRows(t testing.TB) []row {
	t.Helper()
	var rows []row
	for f := range benchFacilities {
		for _, module := range modules(t)[:benchModules] {
			rows = append(rows, row{fmt.Sprintf("facility-%d", f), module})
		}
	}
	return rows
}

// modules are the EHR's keys of the default catalogue's modules.
func modules(t testing.TB) (keys []string) {
	t.Helper()
	c, err := schema.LoadCatalog(catalog.DefaultFiles())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Modules() {
		keys = append(keys, m.EHR.String())
	}
	return keys
}

// sixteen is a client with as many connections to a server.
func sixteen(b *testing.B, url string) *http.Client {
	b.Helper()
	s := make(straight, connections)
	for range connections {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conn.Close() })
		s <- bufio.NewReadWriter(bufio.NewReaderSize(conn, 16<<10), bufio.NewWriterSize(conn, 16<<10))
	}
	return &http.Client{Transport: s}
}

// straight writes each request to a connection and reads its answer, with nothing
// between: http.Transport has two goroutines for each connection, and costs as much
// as what is measured.
type straight chan *bufio.ReadWriter

// RoundTrip implements http.RoundTripper.
func (s straight) RoundTrip(r *http.Request) (*http.Response, error) {
	conn := <-s
	defer func() { s <- conn }()
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	if err := conn.Flush(); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(conn.Reader, r)
	if err != nil {
		return nil, err
	}
	text, err := readBody(answer)
	answer.Body = read{text}
	return answer, err
}

// read is a body that was read already.
type read struct{ text []byte }

func (read) Read([]byte) (int, error) { return 0, io.EOF }
func (read) Close() error             { return nil }

// readBody reads an answer's body at once where its length is told.
func readBody(answer *http.Response) ([]byte, error) {
	if body, ok := answer.Body.(read); ok {
		return body.text, nil
	}
	if answer.ContentLength < 0 {
		return io.ReadAll(answer.Body)
	}
	text := make([]byte, answer.ContentLength)
	_, err := io.ReadFull(answer.Body, text)
	return text, err
}

// spread runs n times do on the connections and returns how long it took. Each
// runner has a number of its own.
func spread(b *testing.B, n int, do func(runner int) error) cost {
	b.Helper()
	return spent(b, func() { spreadOut(b, n, do) })
}

func spreadOut(b *testing.B, n int, do func(runner int) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	failed := make(chan error, connections)
	for runner := range connections {
		go func() {
			var err error
			for err == nil && left.Add(-1) >= 0 {
				err = do(runner)
			}
			failed <- err
		}()
	}
	for range connections {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
}

// cost is what something took, of time and of this process's CPU: client and server
// are both in it.
type cost struct{ wall, cpu time.Duration }

func (c *cost) add(other cost) { c.wall, c.cpu = c.wall+other.wall, c.cpu+other.cpu }

func spent(b *testing.B, do func()) cost {
	b.Helper()
	begin, before := time.Now(), cpuTime(b)
	do()
	return cost{time.Since(begin), cpuTime(b) - before}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// report tells a rate beside its floor, measured in the same run.
func report(b *testing.B, took, floor cost) {
	b.Helper()
	b.ReportMetric(float64(b.N)/took.wall.Seconds(), "ops/s")
	b.ReportMetric(float64(b.N)/floor.wall.Seconds(), "floor-ops/s")
	b.ReportMetric(took.cpu.Seconds()/floor.cpu.Seconds(), "x-floor-cpu")
	b.ReportMetric(0, "ns/op")
}

// roundTrip sends a request with a token, and with what else header says, and
// returns the answer's tag and body.
func roundTrip(client *http.Client, method, url string, body []byte, header map[string]string) (string, []byte, error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return "", nil, err
	}
	request.Header.Set("Authorization", "Bearer "+tokens["super_admin"])
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	text, err := readBody(response)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d: %s", method, url, response.StatusCode, text)
	}
	return response.Header.Get("ETag"), text, err
}

// benchTenants makes a tenant for each connection and returns their grants' URLs
// and tags.
func benchTenants(b *testing.B, at target) (urls, tags []string) {
	b.Helper()
	var facilities []string
	for f := range benchFacilities {
		facilities = append(facilities, fmt.Sprintf("facility-%d", f))
	}
	for i := range connections {
		id := at.provisioned(b, fmt.Sprintf("tenant-%d", i), "hospital", facilities...)
		wrote := readGrant(b, at.replace(b, id, at.grant(b, id).ETag, benchRows(b)...).want(200))
		urls, tags = append(urls, at.base+"/tenants/"+id+"/entitlements"), append(tags, wrote.ETag)
	}
	return urls, tags
}

// BenchmarkGetGrant reads a grant of 60 rows, beside a handler that has the same
// bytes in its hand.
func BenchmarkGetGrant(b *testing.B) {
	at := start(b)
	urls, _ := benchTenants(b, at)
	client := sixteen(b, at.base)
	_, body, err := roundTrip(client, "GET", urls[0], nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	}))
	defer bare.Close()
	get := func(client *http.Client, urls []string) func(int) error {
		return func(runner int) error {
			_, _, err := roundTrip(client, "GET", urls[runner%len(urls)], nil, nil)
			return err
		}
	}
	b.ResetTimer()
	floor := spread(b, b.N, get(sixteen(b, bare.URL), []string{bare.URL}))
	report(b, spread(b, b.N, get(client, urls)), floor)
}

// bareGrant is the floor of a write: a handler that decodes what it gets and
// encodes what it answers, and keeps nothing.
func bareGrant(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var said struct {
		Rows      []catalog.Row  `json:"rows"`
		Authority jsontext.Value `json:"authority"`
	}
	if err := json.Unmarshal(text, &said, json.RejectUnknownMembers(true)); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.MarshalWrite(w, said)
}

// BenchmarkPutGrant writes a grant of 60 rows, beside a handler that only decodes
// and encodes, and beside the same transactions without HTTP: plainly,
// and in the way charter writes, with a key for retries and an authority of 4 KiB.
func BenchmarkPutGrant(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchmarkPut(b, filepath.Join(b.TempDir(), "ehr.db"), false) })
	b.Run("key-and-authority", func(b *testing.B) { benchmarkPut(b, filepath.Join(b.TempDir(), "ehr.db"), true) })
}

func benchmarkPut(b *testing.B, db string, full bool) {
	at := startOn(b, db)
	urls, tags := benchTenants(b, at)
	client := sixteen(b, at.base)
	authority := "null"
	if full {
		authority = `{"environment":"default","bundle":"` + strings.Repeat("a", 4<<10) + `"}`
	}
	rows, err := json.Marshal(benchRows(b))
	if err != nil {
		b.Fatal(err)
	}
	body := fmt.Appendf(nil, `{"rows":%s,"authority":%s}`, rows, authority)
	bare := httptest.NewServer(http.HandlerFunc(bareGrant))
	defer bare.Close()
	var key atomic.Int64
	barely := sixteen(b, bare.URL)
	directly := putsWithoutHTTP(b, filepath.Join(filepath.Dir(db), "direct.db"), full, []byte(authority))
	var floor, took, direct cost
	b.ResetTimer()
	for left := b.N; left > 0; left -= turn { // in turns, so that what else the machine does meets all three
		n := min(left, turn)
		floor.add(spread(b, n, func(int) error {
			_, _, err := roundTrip(barely, "PUT", bare.URL, body, nil)
			return err
		}))
		took.add(spread(b, n, func(runner int) (err error) {
			header := map[string]string{"If-Match": tags[runner]}
			if full {
				header["Idempotency-Key"] = fmt.Sprint(key.Add(1))
			}
			tags[runner], _, err = roundTrip(client, "PUT", urls[runner], body, header)
			return err
		}))
		direct.add(spread(b, n, directly))
	}
	report(b, took, floor)
	b.ReportMetric(float64(b.N)/direct.wall.Seconds(), "direct-ops/s")
	b.ReportMetric(took.wall.Seconds()/direct.wall.Seconds(), "x-direct")
	b.ReportMetric(took.wall.Seconds()/(floor.wall+direct.wall).Seconds(), "x-floor-and-direct")
}

// turn is how many writes are measured of one kind before those of the next.
const turn = 500

// BenchmarkBulk reads the stream of 10,000 grants, beside a handler that has its
// bytes in its hand.
func BenchmarkBulk(b *testing.B) {
	const tenants = 10000
	db := filepath.Join(b.TempDir(), "ehr.db")
	p, stop := withoutHTTP(b, db)
	seed(b, p, tenants)
	stop()
	at := startOn(b, db)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}} // on the loopback it only costs
	_, text, err := roundTrip(client, "GET", at.base+"/entitlements", nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	rows := bytes.Count(text, []byte(`"module":`))
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(text) }))
	defer bare.Close()
	read := func(url string) cost {
		return spent(b, func() {
			for range b.N {
				if _, _, err := roundTrip(client, "GET", url, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.ResetTimer()
	floor := read(bare.URL)
	took := read(at.base + "/entitlements")
	b.ReportMetric(float64(b.N*rows)/took.cpu.Seconds()/1e6, "Mrows/cpu-s")
	b.ReportMetric(float64(b.N*rows)/floor.cpu.Seconds()/1e6, "floor-Mrows/cpu-s")
	b.ReportMetric(took.cpu.Seconds()/floor.cpu.Seconds(), "x-floor-cpu")
	b.ReportMetric(0, "ns/op")
}
