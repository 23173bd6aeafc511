package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/client"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// askTime is how long a credential helper may take.
const askTime = 30 * time.Second

// dial runs a conversation with a remote. Over HTTP it sends what git is
// configured to send; where the remote asks for a user, git's credential helpers
// are asked, and told whether their answer was right. For ssh there is the
// agent.
func (r *Repository) dial(ctx context.Context, url string, talk func(transport.Transport, *transport.Endpoint, transport.AuthMethod) error) error {
	if url == "" {
		return errors.New("the repository has no remote origin")
	}
	fail := func(err error) error {
		var rejected *RejectedError
		if err == nil || errors.Is(err, ErrMoved) || errors.As(err, &rejected) {
			return err
		}
		return &RemoteError{shown(url), err}
	}
	at, err := transport.NewEndpoint(url)
	if err != nil {
		return fail(errors.New("its address cannot be read")) // the address may hold a password
	}
	c, err := client.NewClient(at)
	if err != nil {
		return fail(err)
	}
	auth := r.header(url)
	err = talk(c, at, auth)
	if !errors.Is(err, transport.ErrAuthenticationRequired) || auth != nil || at.User != "" {
		return fail(err)
	}
	login, asked := r.ask(ctx, at)
	if asked != nil {
		return fail(fmt.Errorf("%w: %w", transport.ErrAuthenticationRequired, asked))
	}
	err = talk(c, at, login)
	r.tell(ctx, at, login, err)
	return fail(err)
}

// header returns the header that git is configured to send to an address, as
// pipelines do, or nil.
func (r *Repository) header(url string) transport.AuthMethod {
	c, err := r.repo.Config()
	if err != nil || c.Raw == nil || !c.Raw.HasSection("http") {
		return nil
	}
	for _, s := range c.Raw.Section("http").Subsections {
		name, value, ok := strings.Cut(s.Option("extraheader"), ":")
		if ok && below(url, s.Name) {
			return header{strings.TrimSpace(name), strings.TrimSpace(value)}
		}
	}
	return nil
}

// below reports whether an address is another one or lies below it: a host whose
// name only begins alike is not sent what is another's.
func below(url, at string) bool {
	rest, ok := strings.CutPrefix(url, strings.TrimSuffix(at, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// header is one that a request bears. Its value may be secret.
type header struct{ name, value string }

// SetAuth implements the transport's AuthMethod.
func (h header) SetAuth(r *http.Request) { r.Header.Set(h.name, h.value) }

// Name implements transport.AuthMethod.
func (h header) Name() string { return "http-extra-header" }

func (h header) String() string { return h.name }

// ask asks git's credential helpers, and nobody at a terminal.
func (r *Repository) ask(ctx context.Context, at *transport.Endpoint) (*githttp.BasicAuth, error) {
	out, err := r.credential(ctx, "fill", describe(at, nil))
	if err != nil {
		return nil, err
	}
	login := &githttp.BasicAuth{}
	for line := range strings.Lines(string(out)) {
		switch name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "="); name {
		case "username":
			login.Username = value
		case "password":
			login.Password = value
		}
	}
	if login.Username == "" && login.Password == "" {
		return nil, errors.New("git has no credentials for it")
	}
	return login, nil
}

// tell lets the helpers keep or forget what they gave.
func (r *Repository) tell(ctx context.Context, at *transport.Endpoint, login *githttp.BasicAuth, outcome error) {
	verb := "approve"
	if errors.Is(outcome, transport.ErrAuthenticationRequired) || errors.Is(outcome, transport.ErrAuthorizationFailed) {
		verb = "reject"
	}
	_, _ = r.credential(ctx, verb, describe(at, login)) // a helper's own trouble changes nothing here
}

// describe says to a credential helper what is to be signed in to.
func describe(at *transport.Endpoint, login *githttp.BasicAuth) string {
	host := at.Host
	if at.Port != 0 {
		host = fmt.Sprintf("%s:%d", at.Host, at.Port)
	}
	text := "protocol=" + at.Protocol + "\nhost=" + host + "\npath=" + strings.TrimPrefix(at.Path, "/") + "\n"
	if login != nil {
		text += "username=" + login.Username + "\npassword=" + login.Password + "\n"
	}
	return text + "\n"
}

func (r *Repository) credential(ctx context.Context, verb, input string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", "credential", verb)
	cmd.Dir = r.top()
	cmd.Env = append(cmd.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=")
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return nil, errors.New("git has no credentials for it") // what it says may hold a secret
	}
	return out.Bytes(), nil
}
