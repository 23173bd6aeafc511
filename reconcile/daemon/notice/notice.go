// Package notice tells people of what a daemon has found, by webhook: once when
// an incident begins, when what it says has changed, and once when it is over.
//
// One request carries all that a pass has brought, as a digest. Its body is, for
// the shape "json",
//
//	{"format_version": "1.0", "kind": "charter.notice", "environment": "default",
//	 "sent_at": "2026-11-22T10:00:00Z", "url": "http://127.0.0.1:7180/",
//	 "incidents": [
//	   {"status": "opened", "id": "default/kisumu/drift", "kind": "drift", "tenant": "kisumu",
//	    "text": "1 drift: + lumumba ward", "since": "2026-11-22T09:59:40Z"}]}
//
// where status is opened, changed or closed, and the id is the same in all three.
// For the shape "slack" it is {"text": "…"}, one line an incident.
//
// What was told is kept in a file, so that a daemon that starts anew does not say
// everything again. The file may be deleted: then what is open is told once more.
// A webhook that does not answer is tried again with the next pass; nothing is
// lost, because what is told follows from what is known and what was told.
package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/veonahealth/charter/reconcile/daemon"
)

// Shape is how a notice is written.
type Shape string

// The shapes.
const (
	JSON  Shape = "json"
	Slack Shape = "slack"
)

// Target is where notices go.
type Target struct {
	URL   string // a secret, for some: never logged
	Shape Shape
	Name  string // for logs
}

// Options say whom to tell, and how.
type Options struct {
	Targets []Target
	// Page is the status page's address, for people to follow; "" for none.
	Page string
	// File keeps what was told; "" to keep nothing.
	File string
	// Patience is how long what may pass by itself must last; 0 is two minutes.
	Patience time.Duration
	Client   *http.Client // nil for one that waits ten seconds
	Now      func() time.Time
	Log      *slog.Logger
}

const (
	defaultPatience = 2 * time.Minute
	answerWithin    = 10 * time.Second
	again           = 30 * time.Second // after which what was not delivered is tried again
)

// Sender tells. Publish is for any goroutine, Run for one.
type Sender struct {
	o      Options
	views  chan *daemon.View // the newest, at most one
	record record
}

// New returns a sender that remembers what was told before.
func New(o Options) *Sender {
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: answerWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &Sender{o: o, views: make(chan *daemon.View, 1), record: readRecord(o.File, o.Log)}
}

// Publish hands over what is known now. It never waits: a View that nobody has
// looked at yet gives way to a newer one.
func (s *Sender) Publish(v *daemon.View) {
	for {
		select {
		case s.views <- v:
			return
		default:
		}
		select {
		case <-s.views:
		default:
		}
	}
}

// Run tells until the context ends.
func (s *Sender) Run(ctx context.Context) {
	var newest *daemon.View
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case newest = <-s.views:
		case <-tick.C: // what has lasted long enough, and what was not delivered
		}
		if newest != nil {
			s.tell(ctx, newest)
		}
	}
}

// tell tells each target what it has not been told.
func (s *Sender) tell(ctx context.Context, v *daemon.View) {
	now := s.o.Now()
	incidents := v.Incidents(now, s.o.Patience)
	if !v.Ready() && len(v.Faults) == 0 {
		return // nothing is known yet, which is not that all is well
	}
	told := false
	for _, target := range s.o.Targets {
		news := s.record.news(target.Name, incidents)
		if len(news) == 0 {
			continue
		}
		if err := s.post(ctx, target, v, news, now); err != nil {
			s.o.Log.Warn("notice not delivered", "to", target.Name, "error", err)
			continue
		}
		s.record.told(target.Name, incidents)
		told = true
	}
	if told {
		if err := s.record.write(s.o.File); err != nil {
			s.o.Log.Warn("notices are not kept", "error", err)
		}
	}
}

// Status is what became of an incident.
type Status string

// The statuses.
const (
	Opened  Status = "opened"
	Changed Status = "changed"
	Closed  Status = "closed"
)

// News is an incident with what became of it.
type News struct {
	Status Status `json:"status"`
	daemon.Incident
}

// Notice is what is sent.
type Notice struct {
	FormatVersion string    `json:"format_version"`
	Kind          string    `json:"kind"`
	Environment   string    `json:"environment"`
	SentAt        time.Time `json:"sent_at"`
	URL           string    `json:"url"`
	Incidents     []News    `json:"incidents"`
}

func (s *Sender) post(ctx context.Context, target Target, v *daemon.View, news []News, now time.Time) error {
	body, err := s.body(target.Shape, v, news, now)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL cannot be read") // which may be a secret
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.o.Client.Do(r)
	if err != nil {
		return fmt.Errorf("no answer: %w", withoutURL(err))
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("it answers %d", answer.StatusCode)
	}
	return err
}

func (s *Sender) body(shape Shape, v *daemon.View, news []News, now time.Time) ([]byte, error) {
	if shape == Slack {
		return json.Marshal(map[string]string{"text": s.text(v.Environment, news)})
	}
	return json.Marshal(Notice{
		FormatVersion: "1.0", Kind: "charter.notice", Environment: v.Environment,
		SentAt: now.UTC().Truncate(time.Second), URL: s.o.Page, Incidents: news,
	})
}

// mostLines is how many incidents a text names.
const mostLines = 40

// text says the news in lines, each of one incident.
func (s *Sender) text(environment string, news []News) string {
	lines := []string{"charter, environment " + environment}
	if s.o.Page != "" {
		lines[0] += " · " + s.o.Page
	}
	for i, n := range news {
		if i == mostLines {
			lines = append(lines, fmt.Sprintf("… and %d more", len(news)-i))
			break
		}
		subject := n.Tenant
		if subject == "" {
			subject = "charter"
		}
		line := fmt.Sprintf("[%s] %s: %s", n.Status, subject, n.Kind)
		if n.Status != Closed && n.Text != "" {
			line += ", " + n.Text
		}
		lines = append(lines, inert(line))
	}
	return strings.Join(lines, "\n")
}

// inert takes from a line what Slack would make a link, a mention or a new line
// of.
func inert(line string) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, line)
	const most = 500
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(line)
}
