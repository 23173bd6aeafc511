package platform

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan"
)

// AdminState is how far an administrator's invitation has come.
type AdminState string

// The states of an administrator. Nobody signs in to a reference EHR, so an
// invitation stays one until it is withdrawn.
const (
	AdminInvited   AdminState = "invited"
	AdminWithdrawn AdminState = "withdrawn"
)

// AdminSpec is what a client says about an administrator.
type AdminSpec struct {
	Email string `json:"email"` // names the administrator within the tenant, in any case
	Name  string `json:"name"`  // for people
}

// Admin is an administrator of a tenant as it is answered.
type Admin struct {
	AdminSpec
	State AdminState `json:"state"`
}

// Admins returns a page of a tenant's administrators, by address.
func (p *Platform) Admins(ctx context.Context, id catalog.TenantID, ask PageRequest) (page Page, err error) {
	err = p.store.View(ctx, func(v View) error {
		if _, err := tenant(v, id); err != nil {
			return err
		}
		page, err = p.page(v, records(Admins, below(id, "")), ask)
		return err
	})
	return page, err
}

// Invite invites an administrator: it sends one mail, which is in the outbox when
// Invite returns. Who was invited is not invited again, unless it was withdrawn.
func (p *Platform) Invite(ctx context.Context, w Write, id catalog.TenantID, spec AdminSpec) (Answer, error) {
	if err := checkEmail("email", spec.Email); err != nil {
		return Answer{}, err
	}
	if err := checkName("name", spec.Name); err != nil {
		return Answer{}, err
	}
	answer, err := p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		t, err := tenant(tx, id)
		if err != nil {
			return change{}, err
		}
		var held Admin
		found, err := get(tx, Admins, adminKey(id, spec.Email), &held)
		switch {
		case err != nil:
			return change{}, err
		case found && held.State != AdminWithdrawn:
			return change{}, refuse(Exists, "admin %s of tenant %q", held.Email, id)
		}
		if err := p.approvedOn(tx, m, w, plan.Admin, id.String(), held.base(found)); err != nil {
			return change{}, err
		}
		if err := tx.PutMail(p.invitation(m, t, spec)); err != nil {
			return change{}, err
		}
		return Admin{spec, AdminInvited}.put(tx, m, id, "tenant_admin.invite")
	})
	if err != nil {
		return Answer{}, err
	}
	// Also for an answer that is given a second time: the first may have been lost
	// before its mail was sent.
	return answer, p.sendMails(ctx)
}

// Withdraw withdraws an administrator's invitation.
func (p *Platform) Withdraw(ctx context.Context, w Write, id catalog.TenantID, email string) (Answer, error) {
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		if _, err := tenant(tx, id); err != nil {
			return change{}, err
		}
		var held Admin
		found, err := get(tx, Admins, adminKey(id, email), &held)
		switch {
		case err != nil:
			return change{}, err
		case !found:
			return change{}, refuse(NotFound, "admin %.80q of tenant %q", email, id)
		}
		if err := p.approvedWithdrawal(tx, m, w, plan.Admin, id.String(), held.base(found)); err != nil {
			return change{}, err
		}
		held.State = AdminWithdrawn
		return held.put(tx, m, id, "tenant_admin.revoke")
	})
}

func (a Admin) put(tx Tx, m moment, id catalog.TenantID, event string) (change, error) {
	body, err := put(tx, m, Admins, adminKey(id, a.Email), a)
	return change{
		event: event, subject: id.String(),
		answer: Answer{Created: a.State == AdminInvited, Body: body},
	}, err
}

// base is what a change of an administrator stands on; nil where there was none.
func (a Admin) base(found bool) any {
	if !found {
		return nil
	}
	return struct {
		Email string     `json:"email"`
		State AdminState `json:"state"`
	}{a.Email, a.State}
}

// adminKey is the key of an administrator: addresses that differ in case alone
// are one person's.
func adminKey(id catalog.TenantID, email string) string { return below(id, strings.ToLower(email)) }

// Mail is a message to a person.
type Mail struct {
	ID      string           `json:"id"`      // tells it from every other mail
	At      string           `json:"at"`      // when it was written
	To      string           `json:"to"`      // one address
	Subject string           `json:"subject"` // one line
	Text    string           `json:"text"`    // for the one who gets it
	Tenant  catalog.TenantID `json:"tenant"`  // whom it is about

	Seq  int64 `json:"-"` // of the write that sends it
	Sent bool  `json:"-"` // it needs no sending any more
}

// Outbox takes mails away.
type Outbox interface {
	// Send takes a mail. It returns nil only once the mail would survive the end of
	// the process. The mail that it took last it does not take again.
	Send(mail jsontext.Value, id string) error
}

// invitation is the mail that invites an administrator. Without an outbox it is
// kept and sent nowhere.
func (p *Platform) invitation(m moment, t *tenantRecord, to AdminSpec) *Mail {
	return &Mail{
		ID: fmt.Sprintf("%d-%x", m.seq, random(8)), At: m.at, To: to.Email, Tenant: t.ID,
		Subject: "You are invited to administer " + t.Name,
		Text: fmt.Sprintf("Dear %s,\n\nyou are invited to administer %s. Sign in to the EHR with this address to begin.\n",
			to.Name, t.Name),
		Seq: m.seq, Sent: p.postman == nil,
	}
}
