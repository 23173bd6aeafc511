package seed

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/examples/ehr/internal/platform"
)

// perOrganisation is how many tenants in a row one organisation may have.
const perOrganisation = 8

// places are where tenants are.
func places() []string {
	return []string{
		"Kisumu", "Siaya", "Homa Bay", "Migori", "Kisii", "Nyamira", "Kericho", "Bomet", "Nakuru", "Narok",
		"Kajiado", "Machakos", "Makueni", "Kitui", "Embu", "Meru", "Isiolo", "Marsabit", "Mandera", "Wajir",
		"Garissa", "Lamu", "Kilifi", "Mombasa", "Kwale", "Taita", "Nyeri", "Kirinyaga", "Muranga", "Kiambu",
		"Turkana", "Samburu", "Laikipia", "Baringo", "Nandi", "Uasin Gishu", "Trans Nzoia", "Kakamega", "Vihiga", "Busia",
	}
}

func owners() []string {
	return []string{"County", "Mission", "Trust", "Teaching", "Community", "Lakeside", "Highlands", "Central"}
}

func siteKinds() []string {
	return []string{"Referral Hospital", "Sub-County Hospital", "Health Centre", "Maternity", "Dispensary", "Outreach Clinic"}
}

func firstNames() []string {
	return []string{"Achieng", "Wanjiru", "Grace", "Omondi", "Kamau", "Faith", "Mutua", "Njeri", "Otieno", "Amina", "Kiprop", "Zawadi"}
}

func familyNames() []string {
	return []string{"Otieno", "Mwangi", "Wanyama", "Kiptoo", "Hassan", "Njoroge", "Auma", "Chebet", "Musyoka", "Odhiambo"}
}

// share is an edition and how many tenants of a hundred have it.
type share struct {
	key     string
	percent int
}

func shares() []share {
	return []share{{"health-centre", 52}, {"hospital", 29}, {"public-health", 12}, {"network", 7}}
}

// oneOf draws one of some words.
func oneOf(dice *rand.Rand, words []string) string { return words[dice.IntN(len(words))] }

// draw draws tenant number i.
func (m *maker) draw(i int) (*plan, error) {
	d := &plan{dice: rand.New(rand.NewPCG(uint64(i), 0))}
	if err := d.drawOrganisation(i); err != nil {
		return nil, err
	}
	if d.edition = m.edition(d); d.edition == nil {
		return nil, fmt.Errorf("the catalogue has no edition")
	}
	place := oneOf(d.dice, places())
	name := fmt.Sprintf("%s %s", place, oneOf(d.dice, owners()))
	id, err := catalog.ParseTenantID(fmt.Sprintf("%s-%05d", slug(name), i))
	if err != nil {
		return nil, err
	}
	d.spec = platform.TenantSpec{
		ID: id, Name: name, Organisation: d.organisation.ID, Edition: d.edition.Key, Hosting: catalog.Cloud,
	}
	if d.chance(0.15) {
		d.spec.Hosting = catalog.OnPrem
	}
	return d, d.drawFacilities()
}

// drawOrganisation finds the organisation of a tenant: a run of tenants has one,
// whose length is drawn from the block of numbers that they stand in.
func (d *plan) drawOrganisation(i int) (err error) {
	block := i / perOrganisation
	dice := rand.New(rand.NewPCG(uint64(block), 1))
	first := block * perOrganisation
	for next := first; next <= i; next += 1 + dice.IntN(4) {
		first = next
	}
	name := oneOf(dice, places()) + " Health Services"
	d.newOrg = first == i
	d.organisation.Name = name
	d.organisation.ID, err = catalog.ParseOrganisationID(fmt.Sprintf("%s-%05d", slug(name), first))
	return err
}

// edition draws an edition by its share; of a catalogue without the usual ones, any.
func (m *maker) edition(d *plan) *catalog.Edition {
	roll := d.dice.IntN(100)
	for _, s := range shares() {
		if roll -= s.percent; roll >= 0 {
			continue
		}
		key, err := catalog.ParseEditionKey(s.key)
		if e := m.catalogue.Edition(key); err == nil && e != nil {
			return e
		}
	}
	all := m.catalogue.Editions()
	if len(all) == 0 {
		return nil
	}
	return all[d.dice.IntN(len(all))]
}

// drawFacilities draws sites within the edition's limits.
func (d *plan) drawFacilities() error {
	most := 1 + d.dice.IntN(3)
	if d.edition.Limits.Facilities > 10 {
		most = 3 + d.dice.IntN(10)
	}
	left := cmp.Or(max(d.edition.Limits.Beds, 0), 1000)
	for n := range most {
		kinds := siteKinds()
		if n > 0 {
			kinds = kinds[1:] // one referral hospital, the first
		} else if d.edition.Limits.Beds > 100 {
			kinds = kinds[:1]
		}
		kind := oneOf(d.dice, kinds)
		id, err := catalog.ParseFacilityID(fmt.Sprintf("%s-%d", slug(kind), n+1))
		if err != nil {
			return err
		}
		beds := d.dice.Int64N(left/4 + 1)
		left -= beds
		d.facilities = append(d.facilities, platform.Facility{
			ID: id, Name: oneOf(d.dice, places()) + " " + kind,
			Beds: beds, Users: 3 + d.dice.Int64N(25), StorageGB: 10 * (1 + d.dice.Int64N(6)),
		})
	}
	return nil
}

// staff draws a few accounts for the first site.
func (d *plan) staff(c *catalog.Catalog) []platform.Account {
	roles := slices.Sorted(slices.Values(c.StaffRoles()))
	if len(roles) == 0 {
		roles = []string{"clinician"}
	}
	var staff []platform.Account
	for n := range 1 + d.dice.IntN(3) {
		person := d.person()
		staff = append(staff, platform.Account{
			Email: fmt.Sprintf("%s.staff%d@%s.example.org", person.address, n, d.spec.ID), Name: person.name,
			Role: roles[d.dice.IntN(len(roles))], Facility: d.facilities[0].ID,
		})
	}
	return staff
}

// person is somebody's name, and the beginning of an address.
type person struct{ name, address string }

func (d *plan) person() person {
	name := oneOf(d.dice, firstNames()) + " " + oneOf(d.dice, familyNames())
	return person{name, slug(name)}
}

// chance is true for so large a share of the tenants.
func (d *plan) chance(share float64) bool { return d.dice.Float64() < share }
