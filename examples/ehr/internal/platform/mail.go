package platform

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
)

// postman gives mails to the outbox.
type postman struct {
	mu     sync.Mutex // held while mails are given to it
	outbox Outbox
}

// sendMails gives every mail that was not sent yet to the outbox, in order. Each
// is marked once the outbox has it, before the next is given: so a process that is
// killed in between leaves at most one mail that was taken and is not marked, and
// it is the last that the outbox took, which it knows again.
func (p *Platform) sendMails(ctx context.Context) error {
	if p.postman == nil {
		return nil
	}
	p.postman.mu.Lock()
	defer p.postman.mu.Unlock()
	var unsent []Mail
	err := p.store.View(ctx, func(v View) (err error) {
		unsent, err = v.UnsentMails()
		return err
	})
	if err != nil {
		return fmt.Errorf("read mails: %w", err)
	}
	for _, mail := range unsent {
		if err := p.send(ctx, mail); err != nil {
			return fmt.Errorf("send mail %s: %w", mail.ID, err)
		}
	}
	return nil
}

func (p *Platform) send(ctx context.Context, mail Mail) error {
	line, err := json.Marshal(mail)
	if err != nil {
		return err
	}
	if err := p.postman.outbox.Send(line, mail.ID); err != nil {
		return err
	}
	mail.Sent = true
	return p.store.Update(ctx, func(tx Tx) error { return tx.PutMail(&mail) })
}

// Mails returns the newest mails, at most as many as limit, the newest first.
func (p *Platform) Mails(ctx context.Context, limit int) (mails []Mail, err error) {
	err = p.store.View(ctx, func(v View) error {
		mails, err = v.Mails(limit)
		return err
	})
	return mails, err
}
