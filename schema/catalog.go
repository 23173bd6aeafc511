// Package schema turns CUE files into declarations.
package schema

import (
	"fmt"
	"io/fs"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/load"

	"github.com/veonahealth/charter/catalog"
)

// LoadCatalog reads the CUE files of the package catalog at the top of files.
func LoadCatalog(files fs.FS) (*catalog.Catalog, error) {
	overlay := map[string]load.Source{}
	names, err := fs.Glob(files, "*.cue")
	if err != nil {
		return nil, err
	}
	var args []string
	for _, name := range names {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		overlay["/catalog/"+name] = load.FromBytes(b)
		args = append(args, "/catalog/"+name)
	}
	insts := load.Instances(args, &load.Config{Dir: "/catalog", Overlay: overlay, Env: []string{"CUE_REGISTRY=none"}})
	v := cuecontext.New().BuildInstance(insts[0])
	var raw struct {
		Modules map[string]struct {
			Name     string   `json:"name"`
			EHR      string   `json:"ehr_key"`
			Requires []string `json:"requires"`
			Routes   []string `json:"routes"`
			Critical bool     `json:"critical"`
		} `json:"modules"`
		Editions map[string]struct {
			Name    string           `json:"name"`
			Modules []string         `json:"modules"`
			Limits  map[string]int64 `json:"limits"`
		} `json:"editions"`
		Instruments map[string]struct {
			Name     string `json:"name"`
			Protocol string `json:"protocol"`
		} `json:"instruments"`
		Capabilities []string            `json:"capabilities"`
		Roles        map[string][]string `json:"roles"`
		StaffRoles   []string            `json:"staff_roles"`
	}
	if err := v.Validate(cue.Concrete(true)); err != nil {
		return nil, err
	}
	if err := v.Decode(&raw); err != nil {
		return nil, err
	}
	data := catalog.Data{Capabilities: raw.Capabilities, Roles: raw.Roles, StaffRoles: raw.StaffRoles}
	keys := func(texts []string) (out []catalog.ModuleKey) {
		for _, t := range texts {
			k, err := catalog.ParseModuleKey(t)
			if err != nil {
				panic(err)
			}
			out = append(out, k)
		}
		slices.SortFunc(out, catalog.ModuleKey.Compare)
		return out
	}
	for text, m := range raw.Modules {
		key, err := catalog.ParseModuleKey(text)
		if err != nil {
			return nil, err
		}
		if m.EHR == "" {
			m.EHR = text
		}
		ehr, err := catalog.ParseEHRModule(m.EHR)
		if err != nil {
			return nil, err
		}
		data.Modules = append(data.Modules, catalog.Module{Key: key, EHR: ehr, Name: m.Name, Requires: keys(m.Requires), Routes: m.Routes, Critical: m.Critical})
	}
	for text, e := range raw.Editions {
		key, err := catalog.ParseEditionKey(text)
		if err != nil {
			return nil, err
		}
		limit := func(name string) int64 {
			if v, ok := e.Limits[name]; ok {
				return v
			}
			return catalog.Unlimited
		}
		data.Editions = append(data.Editions, catalog.Edition{Key: key, Name: e.Name, Modules: keys(e.Modules), Limits: catalog.Limits{Facilities: limit("facilities"), Users: limit("users"), Beds: limit("beds"), StorageGB: limit("storage_gb")}})
	}
	for text, in := range raw.Instruments {
		key, err := catalog.ParseInstrumentKey(text)
		if err != nil {
			return nil, err
		}
		data.Instruments = append(data.Instruments, catalog.Instrument{Key: key, Name: in.Name, Protocol: in.Protocol})
	}
	c, err := catalog.New(data)
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	return c, nil
}
