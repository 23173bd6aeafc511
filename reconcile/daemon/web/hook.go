package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Forge is how a forge proves that a webhook is its own.
type Forge string

// The forges.
const (
	GitHub Forge = "github" // X-Hub-Signature-256: sha256=HMAC of the body
	Gitea  Forge = "gitea"  // X-Gitea-Signature: HMAC of the body
	GitLab Forge = "gitlab" // X-Gitlab-Token: the secret itself, so over TLS only
)

// Hook is the door at which a forge knocks.
type Hook struct {
	Forge  Forge
	Secret []byte // at least 16 bytes
}

const (
	maxKnock  = 4 << 20 // bytes of a webhook's body; forges cut theirs off
	knocks    = 8       // that are read at once
	minSecret = 16
)

// Check refuses a hook that anybody could use.
func (h *Hook) Check() error {
	if len(h.Secret) < minSecret {
		return errors.New("the webhook's secret is shorter than 16 bytes")
	}
	switch h.Forge {
	case GitHub, Gitea, GitLab:
		return nil
	}
	return errors.New("the webhook's forge is not github, gitea or gitlab")
}

// errForged says that a webhook does not prove where it comes from.
var errForged = errors.New("not signed by the forge")

// verify says whether a webhook was sent by who knows the secret. What it says is
// not looked at: it asks for a fetch, which shows what there is.
func (h *Hook) verify(header http.Header, body []byte) error {
	switch h.Forge {
	case GitLab:
		if subtle.ConstantTimeCompare([]byte(header.Get("X-Gitlab-Token")), h.Secret) != 1 {
			return errForged
		}
		return nil
	case Gitea:
		return h.signed(header.Get("X-Gitea-Signature"), body)
	}
	signature, found := strings.CutPrefix(header.Get("X-Hub-Signature-256"), "sha256=")
	if !found {
		return errForged
	}
	return h.signed(signature, body)
}

func (h *Hook) signed(signature string, body []byte) error {
	given, err := hex.DecodeString(signature)
	mac := hmac.New(sha256.New, h.Secret)
	mac.Write(body)
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return errForged
	}
	return nil
}

// handler asks for a look whenever a forge knocks. However many come at once, one
// pass answers them.
func (h *Hook) handler(ask func(), count func(verdict string)) http.Handler {
	reading := make(chan struct{}, knocks)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case reading <- struct{}{}:
			defer func() { <-reading }()
		default:
			count("busy")
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many at once", http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxKnock))
		if err != nil {
			count("unreadable")
			http.Error(w, "the body is too large, or broke off", http.StatusRequestEntityTooLarge)
			return
		}
		if err := h.verify(r.Header, body); err != nil {
			count("forged")
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		count("taken")
		ask()
		w.WriteHeader(http.StatusAccepted)
	})
}
