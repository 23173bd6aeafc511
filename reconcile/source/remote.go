package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// origin is the one remote that is asked and written to.
const origin = "origin"

// RemoteError says that the remote could not be asked, so that nothing is known
// of what it holds.
type RemoteError struct {
	URL string // without user and password
	Err error
}

func (e *RemoteError) Error() string { return fmt.Sprintf("remote %s: %v", e.URL, e.Err) }

// Unwrap returns the cause.
func (e *RemoteError) Unwrap() error { return e.Err }

// RejectedError says that the remote was asked to move a reference that was
// where it was thought to be, and would not: a protected branch, or a hook.
type RejectedError struct {
	Name string
	Err  error
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("the remote refuses to move %s: %v", e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *RejectedError) Unwrap() error { return e.Err }

// Update moves a reference of the remote from one commit to another. An Old of
// "" is one that must not be there, a New of "" takes it away.
type Update struct{ Name, Old, New string }

// remoteURL returns where "origin" is, "" where there is none.
func (r *Repository) remoteURL() (string, error) {
	c, err := r.repo.Config()
	if err != nil {
		return "", fmt.Errorf("read git's configuration: %w", err)
	}
	remote := c.Remotes[origin]
	if remote == nil || len(remote.URLs) == 0 {
		return "", nil
	}
	at := remote.URLs[0]
	if endpoint, err := transport.NewEndpoint(at); err == nil && endpoint.Protocol == "file" && !strings.Contains(at, "://") && !filepath.IsAbs(at) {
		at = filepath.Join(r.top(), at) // as git does, and not from where the process runs
	}
	return at, nil
}

// top is the folder that relative addresses begin at.
func (r *Repository) top() string {
	dir, err := r.common()
	if err != nil {
		dir = r.files.Root()
	}
	if filepath.Base(dir) == ".git" {
		return filepath.Dir(dir)
	}
	return dir
}

// HasRemote reports whether there is an "origin".
func (r *Repository) HasRemote() (bool, error) {
	at, err := r.remoteURL()
	return at != "", err
}

// RemoteRefs asks the remote for its references: their commits by their full
// names. It gives a RemoteError where it does not answer.
func (r *Repository) RemoteRefs(ctx context.Context) (map[string]string, error) {
	url, err := r.remoteURL()
	if err != nil {
		return nil, err
	}
	var refs map[string]string
	err = r.upload(ctx, url, func(_ transport.UploadPackSession, ar *packp.AdvRefs) error {
		refs = advertised(ar)
		return nil
	})
	return refs, err
}

func advertised(ar *packp.AdvRefs) map[string]string {
	refs := make(map[string]string, len(ar.References))
	for name, hash := range ar.References {
		refs[name] = hash.String()
	}
	return refs
}

// Fetch brings the commits that references of the remote name, with all that
// they were made from, and returns them by those names; what the remote has not
// is left out. No reference of this repository moves. known are commits whose
// whole history is here, which need not be sent.
func (r *Repository) Fetch(ctx context.Context, known []string, names ...string) (map[string]string, error) {
	url, err := r.remoteURL()
	if err != nil {
		return nil, err
	}
	return r.FetchFrom(ctx, url, known, names...)
}

// FetchFrom is Fetch from another repository than the remote: a folder or URL.
func (r *Repository) FetchFrom(ctx context.Context, url string, known []string, names ...string) (map[string]string, error) {
	found := map[string]string{}
	err := r.upload(ctx, url, func(s transport.UploadPackSession, ar *packp.AdvRefs) error {
		refs := advertised(ar)
		for _, name := range names {
			if hash, ok := refs[name]; ok {
				found[name] = hash
			}
		}
		missing := r.missing(known, slices.Collect(maps.Values(found)))
		if len(missing) == 0 {
			return nil
		}
		return r.download(ctx, s, ar, known, missing)
	})
	return found, err
}

// FetchUnder is Fetch of all references whose names begin with a prefix, of which
// there may be so many and no more. Commits that are here are not sent again.
func (r *Repository) FetchUnder(ctx context.Context, prefix string, most int) (map[string]string, error) {
	url, err := r.remoteURL()
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	err = r.upload(ctx, url, func(s transport.UploadPackSession, ar *packp.AdvRefs) error {
		var missing []plumbing.Hash
		for name, hash := range ar.References {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			found[name] = hash.String()
			if _, err := r.ReadCommit(hash.String()); err != nil {
				missing = append(missing, hash)
			}
		}
		switch {
		case len(found) > most:
			return fmt.Errorf("%d references begin with %s, and the most is %d", len(found), prefix, most)
		case len(missing) == 0:
			return nil
		}
		return r.download(ctx, s, ar, nil, missing)
	})
	return found, err
}

// missing leaves out the commits that are known to be whole.
func (r *Repository) missing(known, wanted []string) []plumbing.Hash {
	var list []plumbing.Hash
	for _, hash := range wanted {
		if !slices.Contains(known, hash) {
			list = append(list, plumbing.NewHash(hash))
		}
	}
	return list
}

// download asks for a pack of commits and stores it.
func (r *Repository) download(ctx context.Context, s transport.UploadPackSession, ar *packp.AdvRefs, known []string, want []plumbing.Hash) (err error) {
	req := packp.NewUploadPackRequestFromCapabilities(ar.Capabilities)
	if ar.Capabilities.Supports(capability.NoProgress) {
		if err := req.Capabilities.Set(capability.NoProgress); err != nil {
			return err
		}
	}
	req.Wants = want
	for _, hash := range known {
		req.Haves = append(req.Haves, plumbing.NewHash(hash))
	}
	pack, err := s.UploadPack(ctx, req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pack.Close()) }()
	return r.unpack(demultiplexed(req.Capabilities, pack))
}

// upload opens a session in which the remote sends.
func (r *Repository) upload(ctx context.Context, url string, use func(transport.UploadPackSession, *packp.AdvRefs) error) error {
	return r.dial(ctx, url, func(c transport.Transport, at *transport.Endpoint, auth transport.AuthMethod) error {
		s, err := c.NewUploadPackSession(at, auth)
		if err != nil {
			return err
		}
		ar, err := s.AdvertisedReferencesContext(ctx)
		if errors.Is(err, transport.ErrEmptyRemoteRepository) {
			return errors.Join(use(s, packp.NewAdvRefs()), ignoreClosed(s))
		}
		if err == nil {
			err = use(s, ar)
		}
		return errors.Join(err, ignoreClosed(s))
	})
}

// ignoreClosed ends a session. A process on the other side that has gone already
// has said all there was to say.
func ignoreClosed(s io.Closer) error {
	_ = s.Close()
	return nil
}

// Push moves references of the remote, all or none where it can do so, each only
// if it is where Update.Old says; else it gives ErrMoved. The remote itself
// compares once more as it writes. The remote is sent the objects of the commits
// that it has not, as far as its references tell.
//
// After a RemoteError the remote may have moved them or not: ask RemoteRefs.
func (r *Repository) Push(ctx context.Context, updates ...Update) error {
	url, err := r.remoteURL()
	if err != nil {
		return err
	}
	return r.dial(ctx, url, func(c transport.Transport, at *transport.Endpoint, auth transport.AuthMethod) error {
		s, err := c.NewReceivePackSession(at, auth)
		if err != nil {
			return err
		}
		defer func() { _ = ignoreClosed(s) }()
		ar, err := s.AdvertisedReferencesContext(ctx)
		if err != nil {
			return err
		}
		return r.send(ctx, s, ar, updates)
	})
}

func (r *Repository) send(ctx context.Context, s transport.ReceivePackSession, ar *packp.AdvRefs, updates []Update) error {
	refs := advertised(ar)
	for _, u := range updates {
		if refs[u.Name] != u.Old {
			return fmt.Errorf("push %s: %w: it is at %s", u.Name, ErrMoved, orNone(refs[u.Name]))
		}
	}
	req := packp.NewReferenceUpdateRequestFromCapabilities(ar.Capabilities)
	if len(updates) > 1 && ar.Capabilities.Supports(capability.Atomic) {
		if err := req.Capabilities.Set(capability.Atomic); err != nil {
			return err
		}
	}
	for _, u := range updates {
		req.Commands = append(req.Commands, &packp.Command{
			Name: plumbing.ReferenceName(u.Name), Old: plumbing.NewHash(u.Old), New: plumbing.NewHash(u.New),
		})
	}
	objects, err := r.newObjects(ctx, slices.Collect(maps.Values(refs)), updates)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(updates, func(u Update) bool { return u.New != "" }) {
		pack, done := r.encode(objects, !ar.Capabilities.Supports(capability.OFSDelta))
		defer done()
		req.Packfile = pack
	}
	report, err := s.ReceivePack(ctx, req)
	if report != nil && report.Error() != nil {
		return &RejectedError{updates[0].Name, report.Error()}
	}
	return err
}

// encode streams a pack of objects.
func (r *Repository) encode(objects []plumbing.Hash, refDeltas bool) (pack io.ReadCloser, done func()) {
	out, in := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s := r.borrow()
		defer r.giveBack(s)
		_, err := packfile.NewEncoder(in, s, refDeltas).Encode(objects, 0)
		_ = in.CloseWithError(err) // the reader is told, and answers nothing
	}()
	return out, func() { _ = out.Close(); <-ended }
}
