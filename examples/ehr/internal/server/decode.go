package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gowebpki/jcs"

	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/plan"
)

// Bounds of a request. Body holds about a hundred thousand rows; Authority is
// kept in the audit trail, a hundred of them to a page.
const (
	MaxBody      = 4 << 20
	MaxAuthority = 256 << 10
)

// largest is the number that a larger one than any double is cut to when it is
// made canonical.
var largest = []byte("1.7976931348623157e+308")

// request is the body of a write: what it says, and what allows it.
type request[T any] struct {
	Body      T              `json:",embed"`
	Authority jsontext.Value `json:"authority"`
}

// act is a write of a resource, by what the request's body says.
type act[T any] func(*exchange, platform.Write, T) (platform.Answer, error)

// write makes an endpoint of an act: it reads the body and what every write may
// bear, and answers what the act comes to.
func write[T any](do act[T]) func(*exchange) error {
	return func(x *exchange) error {
		text, done, err := x.body()
		defer done()
		if err != nil {
			return err
		}
		return do.on(x, text)
	}
}

// bare is write for an act whose request says nothing but what allows it: it may
// come without a body.
func bare[T any](do act[T]) func(*exchange) error {
	return func(x *exchange) error {
		text, done, err := x.body()
		defer done()
		if err != nil {
			return err
		}
		if len(text) == 0 {
			text = []byte("{}")
		}
		return do.on(x, text)
	}
}

func (do act[T]) on(x *exchange, text []byte) error {
	said, err := decode[T](text)
	if err != nil {
		return err
	}
	retry, err := x.retry(said.Body)
	if err != nil {
		return err
	}
	w := platform.Write{Actor: x.actor, Authority: said.Authority, Retry: retry}
	if x.platform.Verified() {
		if w.Request, err = x.request(text); err != nil {
			return err
		}
	}
	answer, err := do(x, w, said.Body)
	if err != nil {
		return err
	}
	return x.answered(answer)
}

// request is what is asked, as people approve it: the body is what was sent, but
// for what allows it.
func (x *exchange) request(text []byte) (*plan.Request, error) {
	var fields map[string]jsontext.Value
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, explain(text, err)
	}
	delete(fields, "authority")
	body, err := json.Marshal(fields)
	return &plan.Request{Method: x.r.Method, Path: x.r.URL.EscapedPath(), Body: body}, err
}

// believed is how much of what a client announces is believed, and how much of it is
// kept for the next body, as far as that costs nothing.
const believed = 64 << 10 // bytes

var bodies = sync.Pool{New: func() any { return &bytes.Buffer{} }}

// body reads the request's body up to its bound. It may be used until done is called.
func (x *exchange) body() (text []byte, done func(), err error) {
	buffer := bodies.Get().(*bytes.Buffer)
	buffer.Reset()
	done = func() {
		if buffer.Cap() <= 2*believed {
			bodies.Put(buffer)
		}
	}
	buffer.Grow(int(min(max(x.r.ContentLength, 0), believed) + bytes.MinRead))
	_, err = buffer.ReadFrom(http.MaxBytesReader(x.w, x.r.Body, MaxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, done, problemf(tooLarge, "body: larger than %d bytes", MaxBody)
	}
	if err != nil {
		return nil, done, problemf(malformed, "body: was not sent whole")
	}
	return buffer.Bytes(), done, nil
}

// decode reads a body strictly: one JSON object in UTF-8, no name twice, no name
// that the contract does not give it.
func decode[T any](text []byte) (said request[T], err error) {
	if err := json.Unmarshal(text, &said, json.RejectUnknownMembers(true)); err != nil {
		return said, explain(text, err)
	}
	if jsontext.Value(text).Kind() != '{' {
		return said, problemf(string(platform.Invalid), "body: want an object")
	}
	said.Authority, err = checkAuthority(said.Authority)
	return said, err
}

// explain turns the decoder's error into a problem. A body may be wrong in two
// ways; that it is no JSON comes first.
func explain(text []byte, err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) || !jsontext.Value(text).IsValid() {
		return problemf(malformed, "body: not JSON in UTF-8 with each name once")
	}
	semantic, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problemf(malformed, "body: ends too early")
	case !ok:
		return err
	case errors.Is(err, json.ErrUnknownName):
		return problemf(unknownField, "%.200q: no field of this body", semantic.JSONPointer)
	case semantic.Err != nil:
		return problemf(string(platform.Invalid), "%.200q: %s", semantic.JSONPointer, semantic.Err)
	}
	return problemf(string(platform.Invalid), "%.200q: is a JSON %s, which this field is not", semantic.JSONPointer, semantic.JSONKind)
}

// checkAuthority returns an authority in the form that is kept and hashed, that of
// RFC 8785, or nil where there is none. It must be an object.
func checkAuthority(authority jsontext.Value) (jsontext.Value, error) {
	switch kind := authority.Kind(); {
	case len(authority) == 0 || kind == 'n':
		return nil, nil
	case kind != '{':
		return nil, problemf(string(platform.Invalid), `"/authority": want an object`)
	case len(authority) > MaxAuthority:
		return nil, problemf(tooLarge, "authority: larger than %d bytes", MaxAuthority)
	}
	canonical := authority.Clone()
	err := canonical.Canonicalize()
	if err == nil && bytes.Contains(canonical, largest) { // or it stands for what no number of RFC 8785 is
		canonical, err = jcs.Transform(authority)
	}
	if err != nil {
		return nil, problemf(string(platform.Invalid), "authority: has no RFC 8785 form")
	}
	return canonical, nil
}
