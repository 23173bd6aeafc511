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

// The tests of this file hold the contract's rows on administrators and mails.

type admin struct {
	Email string `json:"email"`
	Name  string `json:"name"`
	State string `json:"state"`
}

func TestTenantAdmins(t *testing.T) {
	box := filepath.Join(t.TempDir(), "outbox")
	at := start(t, "--outbox", box)
	id := at.tenant(t, "t", "hospital")
	path := "/tenants/" + id + "/tenant-admins"
	grace := admin{"Grace@example.org", "Grace W.", "invited"}
	invite := func() call {
		return at.as(t, "onboarding", "POST", path, object{"email": grace.Email, "name": grace.Name})
	}
	mails := func() []string { return mailsIn(t, box) }
	t.Run("an invitation is answered 201 and sends one mail", func(t *testing.T) {
		if r := invite().with("Idempotency-Key", "k").want(201); !sameJSON(t, r.body, grace) {
			t.Errorf("answer %s", r.body)
		}
		if sent := mails(); len(sent) != 1 || sent[0] != grace.Email {
			t.Errorf("outbox %q", sent)
		}
	})
	t.Run("also when it is asked twice with one key", func(t *testing.T) {
		invite().with("Idempotency-Key", "k").want(201)
		if sent := mails(); len(sent) != 1 {
			t.Errorf("outbox %q", sent)
		}
	})
	t.Run("without the key it is 409, in any case of letters", func(t *testing.T) {
		invite().refused(409, "exists")
		at.root(t, "POST", path, object{"email": "grace@EXAMPLE.org", "name": "G"}).refused(409, "exists")
		if sent := mails(); len(sent) != 1 {
			t.Errorf("outbox %q", sent)
		}
	})
	t.Run("the list tells who was invited", func(t *testing.T) {
		if list := at.all(t, path); len(list.Items) != 1 || !sameJSON(t, list.Items[0], grace) {
			t.Errorf("list %s", encode(t, list))
		}
	})
	withdrawn := grace
	withdrawn.State = "withdrawn"
	t.Run("DELETE withdraws, with or without a body", func(t *testing.T) {
		for _, body := range []any{nil, object{}, object{"authority": object{"a": 1}}} {
			if r := at.root(t, "DELETE", path+"/grace%40example.org", body).want(200); !sameJSON(t, r.body, withdrawn) {
				t.Errorf("answer %s", r.body)
			}
		}
		if list := at.all(t, path); len(list.Items) != 1 || !sameJSON(t, list.Items[0], withdrawn) {
			t.Errorf("list %s", encode(t, list))
		}
		at.root(t, "DELETE", path+"/nobody@example.org", object{}).refused(404, "not-found")
		at.root(t, "DELETE", path+"/grace@example.org", object{"why": "x"}).refused(422, "unknown-field")
	})
	t.Run("who was withdrawn may be invited again, which sends a mail", func(t *testing.T) {
		invite().want(201)
		if sent := mails(); len(sent) != 2 {
			t.Errorf("outbox %q", sent)
		}
	})
	t.Run("each is audited", func(t *testing.T) {
		var events []string
		for _, e := range at.trail(t)[2:] {
			events = append(events, e.Event)
			if e.Tenant != id {
				t.Errorf("entry %+v", e)
			}
		}
		const invited, revoked = "tenant_admin.invite", "tenant_admin.revoke"
		if got := fmt.Sprint(events); got != fmt.Sprint([]string{invited, revoked, revoked, revoked, invited}) {
			t.Errorf("events %s", got)
		}
	})
	for name, body := range map[string]object{
		"no address":              {"name": "G"},
		"an address that is none": {"email": "grace", "name": "G"},
		"no name":                 {"email": "g@example.org"},
	} {
		t.Run(name+" is 422", func(t *testing.T) {
			at.root(t, "POST", path, body).refused(422, "invalid")
		})
	}
	at.root(t, "POST", path, object{"email": "g@example.org", "name": "G", "state": "active"}).refused(422, "unknown-field")
	at.root(t, "GET", "/tenants/nothing/tenant-admins", nil).refused(404, "not-found")
	at.root(t, "POST", "/tenants/nothing/tenant-admins", object{"email": "g@example.org", "name": "G"}).refused(404, "not-found")
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
