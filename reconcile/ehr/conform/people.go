package conform

import "fmt"

// people are the checks of administrators.
func people() []check {
	return []check{{"tenant admins", "", checkTenantAdmins}}
}

// admin is an administrator as a client reads it.
type admin struct {
	Email string `json:"email"`
	Name  string `json:"name"`
	State string `json:"state"`
}

func checkTenantAdmins(t *T, at target) {
	id := at.tenant(t, "t", "hospital")
	path := "/tenants/" + id + "/tenant-admins"
	grace := admin{"Grace@example.org", "Grace W.", "invited"}
	begin := at.head(t)
	invite := func(t *T) call {
		return at.root(t, "POST", path, object{"email": grace.Email, "name": grace.Name})
	}
	t.Run("an invitation is answered 201, also when asked twice with one key", func(t *T) {
		for range 2 {
			if r := invite(t).with("Idempotency-Key", "k").want(201); !sameJSON(t, r.body, grace) {
				t.Errorf("answer %s", r.body)
			}
		}
	})
	t.Run("without the key it is 409", func(t *T) { invite(t).refused(409, "exists") })
	t.Run("the list tells who was invited", func(t *T) {
		if list := at.all(t, path); len(list.Items) != 1 || !sameJSON(t, list.Items[0], grace) {
			t.Errorf("list %s", encode(t, list))
		}
	})
	t.Run("DELETE withdraws, with a body or without", func(t *T) {
		for _, body := range []any{object{"authority": object{"a": 1}}, nil} {
			at.root(t, "DELETE", path+"/Grace@example.org", body).want(200)
		}
		withdrawn := admin{grace.Email, grace.Name, "withdrawn"}
		if list := at.all(t, path); len(list.Items) != 1 || !sameJSON(t, list.Items[0], withdrawn) {
			t.Errorf("list %s", encode(t, list))
		}
		at.root(t, "DELETE", path+"/nobody@example.org", object{}).refused(404, "not-found")
	})
	t.Run("each is audited", func(t *T) {
		var events []string
		for _, e := range at.since(t, begin) {
			events = append(events, e.Event)
		}
		if got := fmt.Sprint(events); got != "[tenant_admin.invite tenant_admin.revoke tenant_admin.revoke]" {
			t.Errorf("events %s", got)
		}
	})
	t.Run("an address that is none is 422", func(t *T) {
		at.root(t, "POST", path, object{"email": "grace", "name": "G"}).refused(422, "invalid")
	})
}
