package plan

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/veonahealth/charter/catalog"
)

// checkShown holds what the plan as a whole shows against its batches. Those of a
// later minor version may show what is not known here.
func (p *Plan) checkShown() error {
	if !slices.IsSortedFunc(p.Batches, compareBatches) {
		return errOrder
	}
	counted := *p
	if counted.count(); counted.Summary != p.Summary {
		return errSummary
	}
	for i := range p.Scheduled {
		if err := p.Scheduled[i].checkShown(); err != nil {
			return err
		}
	}
	return p.checkRows()
}

func (e *Entry) checkShown() error {
	if e.Subject != Entitlements {
		return errRow
	}
	if e.Local == "" {
		return nil
	}
	local, err := time.Parse(time.RFC3339, e.Local)
	if err != nil || !local.Equal(e.At.Truncate(time.Second)) {
		return errLocal
	}
	return nil
}

// checkRows refuses a row that is shown as something else, and modules that the
// plan shows now in one way and now in another.
func (p *Plan) checkRows() error {
	known := legend{ehr: map[string]Change{}, module: map[string]string{}}
	for i := range p.Batches {
		if err := known.check(p.Batches[i].Changes, p.Batches[i].Subject == Entitlements); err != nil {
			return err
		}
	}
	for i := range p.Scheduled {
		if err := known.check(p.Scheduled[i].Changes, true); err != nil {
			return err
		}
	}
	return p.checkEditionRows()
}

// legend is what a plan says of modules.
type legend struct {
	ehr    map[string]Change // by the EHR's key
	module map[string]string // the EHR's key by charter's
}

// check reads changes that are rows, all of them where rows is true.
func (l *legend) check(changes []Change, rows bool) error {
	for i := range changes {
		c := &changes[i]
		if !rows && c.Kind != KindRow {
			continue
		}
		if row := c.asRow(); row.bound() != c.bound() {
			return errRow
		}
		first, seen := l.ehr[c.EHRModule]
		if key, taken := l.module[c.Module]; taken && key != c.EHRModule ||
			seen && (first.Module != c.Module || first.Critical != c.Critical || !slices.Equal(first.Routes, c.Routes)) {
			return errLegend
		}
		l.ehr[c.EHRModule], l.module[c.Module] = *c, c.EHRModule
	}
	return nil
}

// checkEditionRows holds the rows that come with new facilities against the
// edition, where the plan writes that too.
func (p *Plan) checkEditionRows() error {
	modules := map[string][]string{}
	for i := range p.Batches {
		b := &p.Batches[i]
		switch b.Subject {
		case Edition:
			var body catalog.LiveEdition
			if err := json.Unmarshal(b.Request.Body, &body); err != nil {
				return err
			}
			modules[body.Key] = slices.Sorted(slices.Values(body.Modules))
		case Provision:
			var body ProvisionBody
			if err := json.Unmarshal(b.Request.Body, &body); err != nil {
				return err
			}
			if want, known := modules[body.Edition]; known && !slices.Equal(b.rowModules(), want) {
				return errEdition
			}
		}
	}
	return nil
}

// rowModules are the EHR's keys of the rows among a batch's changes, sorted, each
// once.
func (b *Batch) rowModules() []string {
	var keys []string
	for i := range b.Changes {
		if c := &b.Changes[i]; c.Kind == KindRow {
			keys = append(keys, c.EHRModule)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
