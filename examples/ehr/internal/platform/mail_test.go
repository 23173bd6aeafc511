package platform_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/outbox"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
	"github.com/veonahealth/charter/examples/ehr/internal/sqlite"
)

// dying is an outbox whose process ends before, or just after, it takes a mail.
type dying struct {
	*outbox.File
	before bool
}

var errKilled = errors.New("killed")

func (d *dying) Send(mail jsontext.Value, id string) error {
	if d.before {
		return errKilled
	}
	return errors.Join(d.File.Send(mail, id), errKilled)
}

// TestAMailOfAWriteThatWasCommittedIsSentOnce ends the process between the steps of
// an invitation, and lets the client ask again.
func TestAMailOfAWriteThatWasCommittedIsSentOnce(t *testing.T) {
	for name, before := range map[string]bool{"before the outbox takes it": true, "before it is marked": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "outbox")
			begin := func(of func(*outbox.File) platform.Outbox) (*platform.Platform, func()) {
				t.Helper()
				file, err := outbox.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				store, err := sqlite.Open(t.Context(), filepath.Join(dir, "ehr.db"))
				if err != nil {
					t.Fatal(err)
				}
				p, err := platform.New(t.Context(), platform.Config{
					Store: store, Catalog: standard(t), Now: time.Now, Outbox: of(file),
				})
				if err != nil {
					t.Fatal(err)
				}
				return p, func() { store.Close(); file.Close() }
			}
			w := platform.Write{Actor: "a", Retry: &platform.Retry{ID: [32]byte{1}}}
			spec := platform.AdminSpec{Email: "grace@example.org", Name: "Grace"}
			p, stop := begin(func(f *outbox.File) platform.Outbox { return &dying{f, before} })
			id := tenantOf(t, p, catalog.Cloud)
			if _, err := p.Invite(t.Context(), w, id, spec); !errors.Is(err, errKilled) {
				t.Fatalf("the invitation was answered: %v", err)
			}
			stop()
			p, stop = begin(func(f *outbox.File) platform.Outbox { return f })
			defer stop()
			for range 2 {
				if _, err := p.Invite(t.Context(), w, id, spec); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(path)
			if err != nil || bytes.Count(text, []byte("\n")) != 1 {
				t.Errorf("outbox %q: %v", text, err)
			}
		})
	}
}

// tenantOf makes a tenant of an organisation of its own.
func tenantOf(t testing.TB, p *platform.Platform, hosting catalog.Hosting) catalog.TenantID {
	t.Helper()
	organisation, err := catalog.ParseOrganisationID("o")
	if err != nil {
		t.Fatal(err)
	}
	id, err := catalog.ParseTenantID("t")
	if err != nil {
		t.Fatal(err)
	}
	edition, err := catalog.ParseEditionKey("health-centre")
	if err != nil {
		t.Fatal(err)
	}
	w := platform.Write{Actor: "a"}
	if _, err := p.CreateOrganisation(t.Context(), w, platform.Organisation{ID: organisation, Name: "O"}); err != nil {
		t.Fatal(err)
	}
	spec := platform.TenantSpec{ID: id, Name: "T", Organisation: organisation, Edition: edition, Hosting: hosting}
	if _, err := p.CreateTenant(t.Context(), w, spec); err != nil {
		t.Fatal(err)
	}
	return id
}
