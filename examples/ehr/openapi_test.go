package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/veonahealth/charter/reconcile/ehr/conform"
)

// document is the OpenAPI document, by which every request and answer of these
// tests is checked.
type document struct {
	root object

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by pointer
}

var theDocument = sync.OnceValues(func() (*document, error) {
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(conform.OpenAPI()))
	if err != nil {
		return nil, err
	}
	d := &document{root: text.(object), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	d.compiler.AssertFormat()
	return d, d.compiler.AddResource("openapi.json", text)
})

// at returns what stands at a JSON pointer, and the pointer of where it stands once
// its references are followed.
func (d *document) at(tokens ...string) (object, string, bool) {
	here, where := any(d.root), "#"
	for _, token := range tokens {
		o, ok := here.(object)
		if here, ok = o[token], ok && o[token] != nil; !ok {
			return nil, "", false
		}
		where += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(token)
		if o, ok = here.(object); ok && o["$ref"] != nil {
			where = o["$ref"].(string)
			return d.at(strings.Split(where, "/")[1:]...)
		}
	}
	o, ok := here.(object)
	return o, where, ok
}

// validate holds a JSON text against the schema at a pointer.
func (d *document) validate(pointer string, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	schema := d.schemas[pointer]
	if schema == nil {
		if schema, err = d.compiler.Compile("openapi.json" + pointer); err != nil {
			return err
		}
		d.schemas[pointer] = schema
	}
	return schema.Validate(value)
}

// operation finds the operation that a request asks for.
func (d *document) operation(r *http.Request) (path []string, found bool) {
	method := strings.ToLower(r.Method)
	if method == "head" {
		method = "get"
	}
	asked := strings.Split(r.URL.EscapedPath(), "/")
	for template := range d.root["paths"].(object) {
		if !fits(strings.Split(template, "/"), asked) {
			continue
		}
		if _, _, ok := d.at("paths", template, method); ok {
			return []string{"paths", template, method}, true
		}
	}
	return nil, false
}

func fits(template, asked []string) bool {
	for i, part := range template {
		switch {
		case i >= len(asked):
			return false
		case part == "{route}" && asked[i] != "":
			return true
		case strings.HasPrefix(part, "{") && asked[i] != "":
		case part != asked[i]:
			return false
		}
	}
	return len(template) == len(asked)
}

// check holds an exchange against the document, in both directions: what was
// accepted must be what the document lets a client say, and what was answered must
// be what it lets a server say.
func (d *document) check(r *http.Request, said []byte, answer *http.Response, body []byte) error {
	path, found := d.operation(r)
	if !found && strings.HasPrefix(r.URL.Path, "/ui/") {
		return nil // for people, and no part of the contract
	}
	if !found {
		if answer.StatusCode == 404 || answer.StatusCode == 405 || answer.StatusCode == 403 || answer.StatusCode == 503 {
			return nil
		}
		return fmt.Errorf("status %d of what the document does not have", answer.StatusCode)
	}
	if answer.StatusCode/100 == 2 {
		if err := d.checkRequest(path, r, said); err != nil {
			return fmt.Errorf("accepted request: %w", err)
		}
	}
	if err := d.checkAnswer(path, r, answer, body); err != nil {
		return fmt.Errorf("answer %d: %w", answer.StatusCode, err)
	}
	return nil
}

func (d *document) checkRequest(path []string, r *http.Request, said []byte) error {
	_, pointer, has := d.at(append(path, "requestBody", "content", "application/json", "schema")...)
	switch {
	case !has && len(said) > 0 && !strings.HasPrefix(r.URL.Path, "/ehr/"):
		return fmt.Errorf("has a body")
	case !has || len(said) == 0:
		return nil
	}
	return d.validate(pointer, said)
}

func (d *document) checkAnswer(path []string, r *http.Request, answer *http.Response, body []byte) error {
	_, pointer, has := d.at(append(path, "responses", fmt.Sprint(answer.StatusCode))...)
	if !has {
		return fmt.Errorf("is not in the document")
	}
	tokens := strings.Split(pointer, "/")[1:]
	for i := range tokens {
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~", "%7B", "{", "%7D", "}").Replace(tokens[i])
	}
	if err := d.checkHeaders(tokens, answer); err != nil {
		return err
	}
	mediaType := answer.Header.Get("Content-Type")
	_, schema, has := d.at(append(tokens, "content", mediaType, "schema")...)
	switch {
	case r.Method == http.MethodHead || answer.StatusCode == http.StatusNotModified || answer.Header.Get("Content-Encoding") != "":
		return nil
	case !has:
		return fmt.Errorf("media type %q", mediaType)
	case mediaType != "application/x-ndjson":
		return d.validate(schema, body)
	}
	for line := range bytes.Lines(body) {
		if err := d.validate(schema, line); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) checkHeaders(response []string, answer *http.Response) error {
	if answer.Header.Get("Date") == "" {
		return fmt.Errorf("has no Date")
	}
	headers, _, _ := d.at(append(response, "headers")...)
	for name, header := range headers {
		if header.(object)["required"] == true && answer.Header.Get(name) == "" {
			return fmt.Errorf("has no %s", name)
		}
	}
	return nil
}

// watched is a transport that holds what goes through it against the document.
type watched struct{ t testing.TB }

// RoundTrip implements http.RoundTripper. It reads the whole answer.
func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	d, err := theDocument()
	if err != nil {
		return nil, err
	}
	var said []byte
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		if said, err = io.ReadAll(body); err != nil {
			return nil, err
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if err := d.check(r, said, answer, body); err != nil {
		w.t.Errorf("%s %s: not as the OpenAPI document has it: %v\nsaid %.500s\nanswered %.500s", r.Method, r.URL.Path, err, said, body)
	}
	return answer, nil
}

func TestTheDocumentIsServed(t *testing.T) {
	r := start(t).as(t, "", "GET", "/openapi.json", nil).want(200)
	if !bytes.Equal(r.body, conform.OpenAPI()) || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %.100s", r.Header.Get("Content-Type"), r.body)
	}
}

// TestTheDocumentIsWhole checks what a reader of it relies on: each schema
// compiles, each example is valid, each operation has an identity and a security.
func TestTheDocumentIsWhole(t *testing.T) {
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	schemas, _, _ := d.at("components", "schemas")
	for name, schema := range schemas {
		pointer := "#/components/schemas/" + name
		if err := d.validate(pointer, []byte("[[]]")); err == nil {
			t.Errorf("schema %s takes anything", name)
		}
		examples, _ := schema.(object)["examples"].([]any)
		for _, example := range examples {
			if err := d.validate(pointer, encode(t, example)); err != nil {
				t.Errorf("example of %s: %v", name, err)
			}
		}
	}
	ids := map[string]bool{}
	for path, methods := range d.root["paths"].(object) {
		for method, op := range methods.(object) {
			id, _ := op.(object)["operationId"].(string)
			if _, secured := op.(object)["security"].([]any); id == "" || ids[id] || !secured {
				t.Errorf("%s %s: operation %q", method, path, id)
			}
			ids[id] = true
			for _, parameter := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
				name, is := strings.CutPrefix(parameter, "{")
				if is && !bytes.Contains(encode(t, op.(object)["parameters"]), []byte("parameters/"+strings.TrimSuffix(name, "}")+`"`)) && !strings.Contains(parameter, "route") {
					t.Errorf("%s %s: parameter %s is not described", method, path, parameter)
				}
			}
		}
	}
	if len(ids) < 40 {
		t.Errorf("%d operations", len(ids))
	}
}

// TestTheDocumentSaysWhatEachOperationAsksFor holds the capabilities that the
// document tells against the server: without the capability an operation is 403.
func TestTheDocumentSaysWhatEachOperationAsksFor(t *testing.T) {
	at := start(t)
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	for path, methods := range d.root["paths"].(object) {
		concrete := strings.NewReplacer("{", "", "}", "").Replace(path)
		for method, op := range methods.(object) {
			capability, asks := op.(object)["x-capability"].(string)
			if !asks {
				continue
			}
			p := at.as(t, "nobody", strings.ToUpper(method), concrete, nil).refused(403, "capability-missing")
			if p.Capability != capability {
				t.Errorf("%s %s asks for %s, the document says %s", method, path, p.Capability, capability)
			}
		}
	}
}

// TestTheDocumentCanFail shows that an answer which is not the contract's is seen.
func TestTheDocumentCanFail(t *testing.T) {
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest("GET", "http://h/tenants/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	good := `{"id":"x","name":"X","organisation":"o","edition":"e","hosting":"cloud","status":"active"}`
	for name, c := range map[string]struct {
		status int
		header http.Header
		body   string
		fails  bool
	}{
		"as it is":              {200, http.Header{"Content-Type": {"application/json"}, "Date": {"now"}}, good, false},
		"a field too many":      {200, http.Header{"Content-Type": {"application/json"}, "Date": {"now"}}, strings.Replace(good, "{", `{"more":1,`, 1), true},
		"a field less":          {200, http.Header{"Content-Type": {"application/json"}, "Date": {"now"}}, strings.Replace(good, `"id":"x",`, "", 1), true},
		"an unknown status":     {200, http.Header{"Content-Type": {"application/json"}, "Date": {"now"}}, strings.Replace(good, "active", "lively", 1), true},
		"no Date":               {200, http.Header{"Content-Type": {"application/json"}}, good, true},
		"another media type":    {200, http.Header{"Content-Type": {"text/html"}, "Date": {"now"}}, good, true},
		"a status it never has": {418, http.Header{"Content-Type": {"application/json"}, "Date": {"now"}}, good, true},
		"a 429 without a pause": {429, http.Header{"Content-Type": {"application/problem+json"}, "Date": {"now"}}, `{"type":"a:b","title":"t","status":429,"detail":"d","code":"rate-limited"}`, true},
	} {
		err := d.check(request, nil, &http.Response{StatusCode: c.status, Header: c.header}, []byte(c.body))
		if (err != nil) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
	}
	post, err := http.NewRequest("POST", "http://h/clients", nil)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {"application/json"}, "Date": {"now"}}
	if err := d.check(post, json.RawMessage(`{"nmae":"x"}`), &http.Response{StatusCode: 201, Header: header}, []byte(`{"id":"x","name":"X"}`)); err == nil {
		t.Error("a request that was accepted, and that the document does not let a client send, is not seen")
	}
}
