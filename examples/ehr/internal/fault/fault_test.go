package fault_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/veonahealth/charter/examples/ehr/internal/fault"
)

// FuzzRead looks for an order that is taken and could not be carried out.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		`{"seed": 7, "rules": [{"method": "PUT", "path": "/tenants/*", "share": 0.1, "lose": true}]}`,
		`{"rules": [{"cut": 0}, {"delay": "250ms"}, {"status": 503, "retry_after": 2, "times": 3}, {"move": true}]}`,
		`{"rules": [{"share": 1e999, "lose": true}]}`, `{"rules": [{"path": "[", "lose": true}]}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		order, err := fault.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("what is no JSON is taken: %q", text)
		}
		for _, rule := range order.Rules {
			kinds := 0
			for _, is := range []bool{rule.Status != 0, rule.Cut != nil, rule.Lose, rule.Move} {
				if is {
					kinds++
				}
			}
			if kinds > 1 || rule.Times < 0 || rule.Delay < 0 || rule.Cut != nil && *rule.Cut < 0 {
				t.Errorf("rule %+v", rule)
			}
		}
	})
}
