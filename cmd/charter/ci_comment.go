package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/veonahealth/charter/reconcile/forge"
)

// forgeTime is how long a forge may take in all, limits that it sets included.
const forgeTime = 3 * time.Minute

// comment saves a comment, adds it to the job's summary and writes it to the pull
// request. Only what cannot be saved is an error: the plan is there whether or not a
// forge answers.
func (c *pipeline) comment(ctx context.Context, text []byte) error {
	if c.o.comment != "" {
		if err := writeFile(c.o.comment, text, 0o644); err != nil {
			return fail(exitFailed, "save the comment: %w", err)
		}
	}
	if c.run.Summary != "" {
		if err := appendFile(c.run.Summary, text); err != nil {
			c.app.note("the job's summary is not written: %s", err)
		}
	}
	if c.run.Change == 0 {
		return nil
	}
	posted, err := c.post(ctx, text)
	c.commented = posted.URL
	switch {
	case err != nil:
		c.app.note("no comment on pull request %d: %s", c.run.Change, err)
	case posted.URL != "":
		c.app.note("commented on pull request %d: %s", c.run.Change, posted.URL)
	default:
		c.app.note("commented on pull request %d", c.run.Change)
	}
	return nil
}

func (c *pipeline) post(ctx context.Context, text []byte) (forge.Posted, error) {
	client, err := c.forge()
	if err != nil {
		return forge.Posted{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, forgeTime)
	defer cancel()
	return client.Comment(ctx, string(text))
}

func (c *pipeline) forge() (*forge.Client, error) { return c.app.forge(c.run, c.o.tokenFile) }

// forge gives a client for the forge that a job runs on, with the token of a file or
// of the environment.
func (a *app) forge(run forge.Run, tokenFile string) (*forge.Client, error) {
	token, err := a.forgeToken(tokenFile)
	if err != nil {
		return nil, err
	}
	return forge.New(forge.Options{
		Run: run, Token: token, UserAgent: "charter/" + version(), Proxy: http.ProxyFromEnvironment, Now: a.now, Log: a.log(),
	})
}

// errNoForgeToken says that nobody has given a token of the forge.
var errNoForgeToken = errors.New("no token of the forge was given (--forge-token-file, CHARTER_FORGE_TOKEN)")

// forgeToken reads the forge's token.
func (a *app) forgeToken(file string) (string, error) {
	token, _ := a.lookupEnv("CHARTER_FORGE_TOKEN")
	if file != "" {
		data, err := readFile(file, maxToken)
		if err != nil {
			return "", err
		}
		token = string(bytes.TrimSpace(data))
	}
	if token == "" {
		return "", errNoForgeToken
	}
	return token, nil
}

// appendFile adds to a file that is there or is made.
func appendFile(name string, text []byte) (err error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(text)
	return err
}
