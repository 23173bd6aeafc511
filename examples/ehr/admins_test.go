package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The tests of this file hold what becomes of mails.

func TestAnInvitationSendsOneMailAlsoWhenItIsAskedTwiceWithOneKey(t *testing.T) {
	box := filepath.Join(t.TempDir(), "outbox")
	at := start(t, "--outbox", box)
	path := "/tenants/" + at.tenant(t, "t", "hospital") + "/tenant-admins"
	invite := func() call {
		return at.as(t, "onboarding", "POST", path, object{"email": "Grace@example.org", "name": "Grace W."})
	}
	sent := func(want int) {
		t.Helper()
		if to := mailsIn(t, box); len(to) != want || to[0] != "Grace@example.org" {
			t.Errorf("outbox %q, want %d", to, want)
		}
	}
	for range 2 {
		invite().with("Idempotency-Key", "k").want(201)
		sent(1)
	}
	invite().refused(409, "exists")
	at.root(t, "POST", path, object{"email": "grace@EXAMPLE.org", "name": "G"}).refused(409, "exists")
	sent(1)
	at.root(t, "DELETE", path+"/grace%40example.org", nil).want(200)
	invite().with("Idempotency-Key", "k").want(201) // what was answered then, and no more
	sent(1)
	invite().want(201) // who was withdrawn may be invited again
	sent(2)
}

// mailsIn returns who the mails in an outbox are to, and fails unless it is whole
// lines.
func mailsIn(t *testing.T, box string) (to []string) {
	t.Helper()
	text, err := os.ReadFile(box)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for line := range bytes.Lines(text) {
		var mail struct{ ID, At, To, Subject, Text, Tenant string }
		if err := json.Unmarshal(line, &mail); err != nil || !bytes.HasSuffix(line, []byte("\n")) {
			t.Fatalf("line %q: %v", line, err)
		}
		if ids[mail.ID] || mail.At == "" || mail.Subject == "" || mail.Text == "" || mail.Tenant == "" {
			t.Errorf("mail %+v", mail)
		}
		ids[mail.ID] = true
		to = append(to, mail.To)
	}
	return to
}

func TestEveryInvitationOfManyAtOnceSendsItsMail(t *testing.T) {
	box := filepath.Join(t.TempDir(), "outbox")
	at := start(t, "--outbox", box)
	id := at.tenant(t, "t", "hospital")
	const many = 32
	var group sync.WaitGroup
	for i := range many {
		group.Go(func() {
			email := fmt.Sprintf("a%d@example.org", i)
			at.root(t, "POST", "/tenants/"+id+"/tenant-admins", object{"email": email, "name": "A"}).want(201)
			if sent := strings.Join(mailsIn(t, box), " ") + " "; !strings.Contains(sent, email+" ") {
				t.Errorf("%s is answered, and not in the outbox", email)
			}
		})
	}
	group.Wait()
	if sent := mailsIn(t, box); len(sent) != many {
		t.Errorf("%d mails", len(sent))
	}
}

// TestAMailIsSentOnceAlsoWhereAProcessEndedAmidIt puts the outbox in the states that
// a killed process leaves behind.
func TestAMailIsSentOnceAlsoWhereAProcessEndedAmidIt(t *testing.T) {
	dir := t.TempDir()
	box, db := filepath.Join(dir, "outbox"), filepath.Join(dir, "ehr.db")
	at, stop := launch(t, db, "--outbox", box)
	id := at.tenant(t, "t", "hospital")
	invite := func(email string) {
		t.Helper()
		at.root(t, "POST", "/tenants/"+id+"/tenant-admins", object{"email": email, "name": "A"}).want(201)
	}
	invite("a@example.org")
	stop()
	before, err := os.ReadFile(box)
	if err != nil {
		t.Fatal(err)
	}
	torn := append(bytes.Clone(before), `{"id":"12-`...)
	if err := os.WriteFile(box, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	at, stop = launch(t, db, "--outbox", box)
	invite("b@example.org")
	stop()
	if sent := fmt.Sprint(mailsIn(t, box)); sent != "[a@example.org b@example.org]" {
		t.Errorf("outbox %s", sent)
	}
	if err := os.WriteFile(box, []byte("no mail\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := exitOf(t, "--db", db, "--outbox", box); code != 1 || !strings.Contains(said, "not an outbox") {
		t.Errorf("exit %d: %s", code, said)
	}
}
