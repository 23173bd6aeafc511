package daemon

import (
	"context"
	"time"

	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/reconcile"
	"github.com/veonahealth/charter/reconcile/ledger"
)

// OpenPlan is a plan that people have published and that is not carried out yet.
type OpenPlan struct {
	Digest    plan.Digest  `json:"digest"`
	Commit    string       `json:"commit"`
	CreatedAt time.Time    `json:"created_at"`
	ExpiresAt time.Time    `json:"expires_at"`
	Summary   plan.Summary `json:"summary"`
	Lacks     []string     `json:"lacks"` // what is missing before it may be applied; empty where nothing is
}

// OpenPlans lists the plans that are open.
type OpenPlans func(ctx context.Context) ([]OpenPlan, error)

// Record is a receipt in short.
type Record struct {
	Number  int            `json:"number"`
	ID      string         `json:"id"`
	Act     string         `json:"act"`
	At      time.Time      `json:"at"`
	By      string         `json:"by"`
	Commit  string         `json:"commit"`
	Reason  string         `json:"reason"`
	Mandate bool           `json:"mandate"` // it bears a mandate
	Tenants []string       `json:"tenants"` // of its batches, each once
	States  map[string]int `json:"states"`  // what became of its batches; empty while it is open
	Open    bool           `json:"open"`
}

// mostRecords is how many receipts a View holds.
const mostRecords = 30

// records are the newest receipts, the newest first. They are read again only when
// the ledger has grown.
func (p *pass) records() []Record {
	if p.governance == nil {
		return p.View().Records
	}
	tip := p.governance.Ledger.Tip()
	if tip == p.tip {
		return p.View().Records
	}
	var list []Record
	for r, err := range p.governance.Ledger.Receipts() {
		if err != nil {
			p.fault(LedgerDown, err)
			return list
		}
		list = append(list, newRecord(r))
		if len(list) == mostRecords {
			break
		}
	}
	p.tip = tip
	return list
}

func newRecord(r *ledger.Receipt) Record {
	record := Record{
		Number: r.Number, ID: r.ID.String(), Act: string(r.Intent.Act), At: r.Intent.CreatedAt, By: r.Intent.By.ID, Commit: r.Intent.Commit,
		Reason: r.Intent.Reason, Mandate: reconcile.BearsMandate(r), States: map[string]int{}, Open: r.Outcome == nil,
	}
	seen := map[string]bool{}
	for _, b := range r.Intent.Batches {
		if result, said := r.Result(b.Digest); said {
			record.States[string(result.State)]++
		}
		if b.Tenant != "" && !seen[b.Tenant] {
			seen[b.Tenant] = true
			record.Tenants = append(record.Tenants, b.Tenant)
		}
	}
	return record
}

// plans are those that are open, asked for where the platform is asked too.
func (p *pass) plans() []OpenPlan {
	if p.o.Plans == nil || p.governance == nil || p.ask.Depth < Quick {
		return p.View().Plans
	}
	open, err := p.o.Plans(p.ctx)
	if err != nil {
		p.o.Log.Warn("the open plans cannot be read", "error", err)
		return p.View().Plans
	}
	return open
}
