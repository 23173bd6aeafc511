package adopt

import (
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/veonahealth/charter/schema/write"
)

// draft is a file that is still to be written out.
type draft struct {
	path string
	text func() ([]byte, error)
}

// Files writes the declarations out, formatted as cue fmt does: of a new fleet all
// editions in catalog/editions.cue, everything else in a file of its own, named
// for what it declares.
func (d *Declarations) Files() ([]write.File, error) {
	drafts := append(d.catalogueDrafts(), d.fleetDrafts()...)
	files := make([]write.File, len(drafts))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range drafts {
		g.Go(func() (err error) {
			files[i].Path = drafts[i].path
			files[i].Data, err = drafts[i].text()
			return err
		})
	}
	return files, g.Wait()
}

func (d *Declarations) catalogueDrafts() []draft {
	var drafts []draft
	if d.New {
		drafts = append(drafts, draft{"catalog/editions.cue", func() ([]byte, error) { return write.Editions(d.Editions) }})
	}
	for i, e := range d.Editions {
		if !d.New {
			drafts = append(drafts, draft{"catalog/edition-" + e.Key.String() + ".cue", func() ([]byte, error) { return write.Editions(d.Editions[i : i+1]) }})
		}
	}
	for _, m := range d.Modules {
		drafts = append(drafts, draft{"catalog/module-" + m.Key.String() + ".cue", func() ([]byte, error) { return write.Module(m) }})
	}
	for _, in := range d.Instruments {
		drafts = append(drafts, draft{"catalog/instrument-" + in.Key.String() + ".cue", func() ([]byte, error) { return write.Instrument(in) }})
	}
	return drafts
}

func (d *Declarations) fleetDrafts() []draft {
	var drafts []draft
	for i := range d.Organisations {
		o := &d.Organisations[i]
		drafts = append(drafts, draft{"organisations/" + o.ID.String() + ".cue", func() ([]byte, error) { return write.Organisation(o) }})
	}
	for i := range d.Tenants {
		t := &d.Tenants[i]
		id := t.ID.String()
		drafts = append(drafts, draft{"tenants/" + id + "/tenant.cue", func() ([]byte, error) { return write.Adopted(t) }})
		if holds := d.Holds[id]; len(holds) > 0 {
			drafts = append(drafts, draft{"holds/adopted-" + id + ".cue", func() ([]byte, error) { return write.Holds(holds) }})
		}
	}
	return drafts
}
