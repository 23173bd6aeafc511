package platform

import (
	"context"
	"slices"

	"github.com/veonahealth/charter/catalog"
)

// Connect is which instruments a tenant may connect. It has neither revision nor
// entity tag: the last write wins.
type Connect struct {
	Tenant      catalog.TenantID `json:"tenant"`
	Instruments []Instrument     `json:"instruments"` // sorted by key, each once
}

// Instrument says of one instrument whether it is licensed. One that is not named
// is not.
type Instrument struct {
	Key      catalog.InstrumentKey `json:"key"`
	Licensed bool                  `json:"licensed"`
}

// connect returns a tenant's instruments: those that were ever named for it.
func connect(v View, id catalog.TenantID) (Connect, error) {
	held := Connect{Tenant: id, Instruments: []Instrument{}}
	_, err := get(v, Instruments, id.String(), &held)
	return held, err
}

// Connect returns a tenant's instruments.
func (p *Platform) Connect(ctx context.Context, id catalog.TenantID) (held Connect, err error) {
	err = p.store.View(ctx, func(v View) error {
		if _, err := tenant(v, id); err != nil {
			return err
		}
		held, err = connect(v, id)
		return err
	})
	return held, err
}

// ReplaceConnect makes want the tenant's instruments. One that was named before
// and is not any more is out of the tenant's catalogue, and is told as not
// licensed.
func (p *Platform) ReplaceConnect(ctx context.Context, w Write, id catalog.TenantID, want Connect) (Answer, error) {
	if err := checkSame("tenant", want.Tenant, id); err != nil {
		return Answer{}, err
	}
	if err := p.checkInstruments(want.Instruments); err != nil {
		return Answer{}, err
	}
	return p.write(ctx, w, func(tx Tx, m moment) (change, error) {
		if _, err := tenant(tx, id); err != nil {
			return change{}, err
		}
		held, err := connect(tx, id)
		if err != nil {
			return change{}, err
		}
		if err := p.approvedConnect(tx, m, w, id, held, want.Instruments); err != nil {
			return change{}, err
		}
		held.replace(want.Instruments)
		body, err := put(tx, m, Instruments, id.String(), held)
		return change{
			event: "tenant.connect_entitlements.put", subject: id.String(), answer: Answer{Body: body},
		}, err
	})
}

// checkInstruments refuses instruments that are not given at all, which is not the
// same as none, and ones that nobody could connect.
func (p *Platform) checkInstruments(instruments []Instrument) error {
	if instruments == nil {
		return refuse(Invalid, "instruments: missing; none is []")
	}
	named := map[catalog.InstrumentKey]bool{}
	for _, i := range instruments {
		if err := checkID("instruments: key", i.Key); err != nil {
			return err
		}
		if !p.catalog.HasInstrument(i.Key) {
			return refuse(UnknownInstrument, "instrument %q", i.Key)
		}
		if named[i.Key] {
			return refuse(Invalid, "instruments: %q stands twice", i.Key)
		}
		named[i.Key] = true
	}
	return nil
}

// replace takes the instruments that are wanted, and keeps those that are no
// longer named as not licensed.
func (c *Connect) replace(want []Instrument) {
	next := slices.Clone(want)
	for _, old := range c.Instruments {
		named := slices.ContainsFunc(want, func(i Instrument) bool { return i.Key == old.Key })
		if !named {
			next = append(next, Instrument{Key: old.Key})
		}
	}
	slices.SortFunc(next, func(a, b Instrument) int { return a.Key.Compare(b.Key) })
	c.Instruments = next
}

// licensed returns the keys of the instruments that are licensed, sorted.
func licensed(instruments []Instrument) []string {
	keys := []string{}
	for _, i := range instruments {
		if i.Licensed {
			keys = append(keys, i.Key.String())
		}
	}
	slices.Sort(keys)
	return keys
}

// containsAll reports whether each of some texts is in a list.
func containsAll(list, some []string) bool {
	return !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(list, one) })
}
