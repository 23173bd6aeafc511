package schema_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/veonahealth/charter/schema"
)

func ExampleLoad() {
	files := fstest.MapFS{
		"catalog/catalog.cue": {Data: []byte(`package catalog
modules: telehealth: name: "Telehealth"
editions: clinic: {name: "Clinic", modules: []}
`)},
		"organisations/lakeside.cue": {Data: []byte(`package fleet
organisations: lakeside: name: "Lakeside Trust"
`)},
		"tenants/kisumu/tenant.cue": {Data: []byte(`package fleet
tenant: {
	id: "kisumu", name: "Kisumu", organisation: "lakeside", edition: "clinic"
	facilities: main: name: "Main"
	grants: telehelth: reason: "pilot"
}
`)},
	}
	_, err := schema.Load(context.Background(), files, schema.Options{})
	var problems schema.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Printf("%s: %s\n%s\n%s   [%s]\n", p.Pos, p.Message, p.Source, p.Hint, p.Code)
		}
	}
	// Output:
	// tenants/kisumu/tenant.cue:5:10: unknown module "telehelth"
	// 	grants: telehelth: reason: "pilot"
	// did you mean "telehealth"?   [CH0103]
}
