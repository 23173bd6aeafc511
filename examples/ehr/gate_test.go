package main_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheGateOpensByTheRows(t *testing.T) {
	at := start(t)
	id := at.provisioned(t, "t", "health-centre", "main", "annex")
	r := at.as(t, "", "GET", "/ehr/"+id+"/main/labs/results", nil).want(200)
	var passage struct{ Tenant, Facility, Module, Route string }
	r.decode(t, &passage)
	if passage.Tenant != id || passage.Facility != "main" || passage.Module != "lab" || passage.Route != "/labs/results" {
		t.Errorf("passage %+v", passage)
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"} {
		if r := at.as(t, "", method, "/ehr/"+id+"/main/labs", nil).send(); r.StatusCode != 200 {
			t.Errorf("%s of a route that is held: %d", method, r.StatusCode)
		}
		if r := at.as(t, "", method, "/ehr/"+id+"/main/theatre", nil).send(); r.StatusCode != 403 {
			t.Errorf("%s of a route that is not held: %d", method, r.StatusCode)
		}
	}
	t.Run("from the moment at which PUT returns", func(t *testing.T) {
		for i := range 20 {
			rows, want := []row{{"main", "theatre"}}, 200
			if i%2 == 1 {
				rows, want = []row{{"annex", "theatre"}}, 403
			}
			at.replace(t, id, at.grant(t, id).ETag, rows...).want(200)
			if got := at.gate(t, id+"/main/theatre"); got != want {
				t.Fatalf("write %d: gate answers %d, want %d", i, got, want)
			}
		}
	})
}

// TestTheGateIsNotFooled sends request lines as they are, which an HTTP client
// would tidy first.
func TestTheGateIsNotFooled(t *testing.T) {
	at := start(t)
	id := at.provisioned(t, "t", "health-centre", "main", "annex") // holds labs, and not theatre
	at.replace(t, id, at.grant(t, id).ETag, row{"main", "lab"}, row{"annex", "theatre"}).want(200)
	for path, want := range map[string]int{
		"/main/labs":                            200,
		"/main/labs/":                           200,
		"/main/labs/a/b/c":                      200,
		"/main/labs?x=/../theatre":              200,
		"/main/l%61bs":                          200,
		"/main/labs/%C3%A9":                     200,
		"/annex/theatre":                        200,
		"/main/theatre":                         403,
		"/main":                                 403,
		"/main/":                                403,
		"/main/lab":                             403, // the module's key is not its route
		"/main/labsx":                           403,
		"/main/labs-x":                          403,
		"/main/LABS":                            403,
		"/main/theatre/labs":                    403,
		"/main/unknown":                         403,
		"/main//labs":                           403,
		"/main/labs//":                          403,
		"/main/labs//x":                         403,
		"/main/labs/../theatre":                 403,
		"/main/theatre/../labs":                 403,
		"/main/./labs":                          403,
		"/main/labs/.":                          403,
		"/main/labs/..":                         403,
		"/main/labs/%2e%2e/theatre":             403,
		"/main/labs/%2E./theatre":               403,
		"/main/labs%2f..%2ftheatre":             403,
		"/main/labs%2Fx":                        403,
		"/main/labs/%252e%252e/theatre":         403,
		"/main/labs/..;/theatre":                403,
		"/main/labs;x":                          403,
		"/main/labs/x;y":                        403,
		`/main/labs\..\theatre`:                 403,
		"/main/labs/%5c..%5ctheatre":            403,
		"/main/labs%00":                         403,
		"/main/labs/%00":                        403,
		"/main/labs/%0a":                        403,
		"/main/labs/%ff":                        403,
		"/annex/../main/labs":                   403,
		"/annex/labs":                           403,
		"/MAIN/labs":                            403,
		"/m%61in/labs":                          200,
		"/main%2flabs":                          403,
		"/nowhere/labs":                         403,
		"/" + strings.Repeat("a", 64):           403,
		"/main/labs" + strings.Repeat("/a", 70): 403,
	} {
		t.Run(path, func(t *testing.T) {
			if got := rawStatus(t, at, "GET", "/ehr/"+id+path); got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		})
	}
	for path, want := range map[string]int{
		"/ehr":                           404,
		"/ehr/":                          403,
		"/ehr/" + id:                     403,
		"/ehr/nobody/main/labs":          403,
		"/ehr//" + id + "/main/labs":     403,
		"//ehr/" + id + "/main/labs":     404,
		"/x/../ehr/" + id + "/main/labs": 404,
		"/EHR/" + id + "/main/labs":      404,
		"/%65hr/" + id + "/main/labs":    200,
		"/ehr%2f" + id + "/main/labs":    403,
		"/ehr/" + id + "%2fmain/labs":    403,
	} {
		t.Run(path, func(t *testing.T) {
			if got := rawStatus(t, at, "GET", path); got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		})
	}
}

// rawStatus sends a request line as it stands and returns the answer's status.
func rawStatus(t *testing.T, at target, method, path string) int {
	t.Helper()
	host := strings.TrimPrefix(at.base, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, path, host)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// nested is a catalogue in which routes lie within one another, and a module's key
// is not the EHR's.
const nested = `package catalog
modules: {
	clinic: {name: "Clinic", ehr_key: "cl", routes: ["/clinic", "/walk-in"]}
	surgery: {name: "Surgery", ehr_key: "su", routes: ["/clinic/surgery"]}
}
editions: all: {name: "All", modules: ["clinic", "surgery"]}
`

func catalogDir(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "catalog.cue"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheLongestRouteWinsByWholeSegments(t *testing.T) {
	at := start(t, "--catalog", catalogDir(t, nested))
	id := at.provisioned(t, "t", "all", "main")
	for _, c := range []struct {
		rows []row
		open string
	}{
		{[]row{{"main", "cl"}}, "/clinic /clinic/x /clinic/surgeryx /walk-in"},
		{[]row{{"main", "su"}}, "/clinic/surgery /clinic/surgery/x"},
		{[]row{}, ""},
	} {
		at.replace(t, id, at.grant(t, id).ETag, c.rows...).want(200)
		for _, path := range []string{"/clinic", "/clinic/x", "/clinic/surgery", "/clinic/surgery/x", "/clinic/surgeryx", "/walk-in", "/walk"} {
			want := 403
			if strings.Contains(" "+c.open+" ", " "+path+" ") {
				want = 200
			}
			if got := at.gate(t, id+"/main"+path); got != want {
				t.Errorf("rows %v: %s answers %d, want %d", c.rows, path, got, want)
			}
		}
	}
}
