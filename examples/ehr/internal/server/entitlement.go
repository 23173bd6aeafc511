package server

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

func (s *Server) grant(x *exchange) error {
	id, err := x.tenantID()
	if err != nil {
		return err
	}
	grant, err := s.platform.Grant(x.ctx(), id)
	if err != nil {
		return err
	}
	return x.tagged(grant.Stamp.ETag, grant.Append(nil))
}

// grantBody is what a client says a grant is to be.
type grantBody struct {
	Rows rowList `json:"rows"`
}

// rowList is what a client says a grant's rows are to be, in any order.
type rowList []catalog.Row

// MarshalJSONTo implements json.MarshalerTo.
func (l rowList) MarshalJSONTo(e *jsontext.Encoder) error {
	if l == nil { // which is not the same as none
		return e.WriteToken(jsontext.Null)
	}
	return e.WriteValue(catalog.Rows(l).AppendJSON(nil))
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *rowList) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	at := d.StackPointer()
	text, err := d.ReadValue()
	if err != nil {
		return err
	}
	if rows, plain := catalog.ParseRows(string(text)); plain {
		*l = rows
		return nil
	}
	err = json.Unmarshal(text, (*[]catalog.Row)(l), d.Options())
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
		wrong.JSONPointer = at + wrong.JSONPointer
	}
	return err
}

func (s *Server) replaceGrant(x *exchange, w platform.Write, said grantBody) (platform.Answer, error) {
	id, err := x.tenantID()
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.ReplaceGrant(x.ctx(), w, id, condition(x.r.Header), said.Rows)
}

func (s *Server) connect(x *exchange) error {
	id, err := x.tenantID()
	if err != nil {
		return err
	}
	held, err := s.platform.Connect(x.ctx(), id)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, held)
}

func (s *Server) replaceConnect(x *exchange, w platform.Write, said platform.Connect) (platform.Answer, error) {
	id, err := x.tenantID()
	if err != nil {
		return platform.Answer{}, err
	}
	return s.platform.ReplaceConnect(x.ctx(), w, id, said)
}

// grants streams every grant, or those that changed after a snapshot.
func (s *Server) grants(x *exchange) error {
	select {
	case s.bulk <- struct{}{}:
		defer func() { <-s.bulk }()
	default:
		return problemf(string(platform.Unavailable), "%d bulk streams are running; that is the most", streams)
	}
	text, given, err := parameter(x.r.URL.RawQuery, "since")
	if err != nil {
		return err
	}
	var since *string
	if given {
		since = &text
	}
	out := &stream{x: x}
	snapshot, err := s.platform.Bulk(x.ctx(), since, out.grant)
	if err != nil {
		return out.broken(err)
	}
	return out.end(snapshot)
}

// The bounds of a bulk stream's reader.
const (
	streamBuffer = 64 << 10
	// stalled is how long a reader may take for one buffer before the stream is
	// given up: it holds on to a state of the database.
	stalled = 30 * time.Second
)

// stream writes grants as NDJSON. Its header is sent with the first line, so that
// what goes wrong before is answered as a problem.
type stream struct {
	x     *exchange
	out   *bufio.Writer // nil until the first line
	done  func()
	line  []byte
	total int64
}

func (s *stream) open() {
	if s.out != nil {
		return
	}
	s.x.w.Header().Set("Cache-Control", "no-store")
	body, done := s.x.begin(http.StatusOK, "application/x-ndjson", -1)
	s.out, s.done = bufio.NewWriterSize(body, streamBuffer), done
}

func (s *stream) grant(g *platform.Grant) error {
	s.open()
	s.line = g.AppendLine(s.line[:0])
	s.total++
	return s.write(s.line)
}

// write buffers a line. Whenever the buffer must be emptied, the reader gets a
// new term for it.
func (s *stream) write(line []byte) error {
	if s.out.Available() < len(line) {
		if err := s.extend(); err != nil {
			return err
		}
	}
	_, err := s.out.Write(line)
	return err
}

func (s *stream) extend() error {
	return http.NewResponseController(s.x.w).SetWriteDeadline(s.x.now().Add(stalled))
}

// end writes the line that tells a whole stream from a broken one.
func (s *stream) end(snapshot string) error {
	s.open()
	last := fmt.Appendf(nil, `{"end":true,"total":%d,"snapshot":%q}`+"\n", s.total, snapshot)
	if err := cmp.Or(s.write(last), s.extend(), s.out.Flush()); err != nil {
		return s.broken(err)
	}
	s.done()
	return nil
}

// broken ends a stream that cannot be whole. Where its header is sent already,
// breaking the connection is the only way to say so.
func (s *stream) broken(err error) error {
	if s.out == nil {
		return err
	}
	s.x.log.Warn("bulk stream", "after", s.total, "err", err)
	panic(http.ErrAbortHandler)
}
