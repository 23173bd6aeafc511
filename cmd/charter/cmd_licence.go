package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan/seal"
	"github.com/veonahealth/charter/reconcile/ehr"
)

func (a *app) newLicence() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "licence",
		Short: "Carry the signed licence of an on-prem site, and check it offline",
	}
	cmd.AddCommand(a.newLicenceExport(), a.newLicenceVerify())
	return cmd
}

type licenceExportOptions struct {
	tenant string
	out    string
	ehr    ehrFlags
}

func (a *app) newLicenceExport() *cobra.Command {
	var o licenceExportOptions
	cmd := &cobra.Command{
		Use:   "export TENANT",
		Short: "Write the signed licence of a tenant, to be carried to its site",
		Long: `Export reads the licence of a tenant that counts (of those that are not revoked,
the one that ends last) and writes it, with its signed token, as the platform has
it: what a box without a network is given. It needs the capability license.read.

The token is a secret: --out makes a file that only you may read, and is not
overwritten.`,
		Example: "  charter licence export rural --ehr https://platform.example.org --out rural.licence",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.tenant = args[0]
			return a.licenceExport(cmd.Context(), &o)
		},
	}
	o.ehr.bind(cmd)
	cmd.Flags().StringVar(&o.out, "out", "", "write it as `FILE`, of mode 0600, and not to standard output")
	return cmd
}

func (a *app) licenceExport(ctx context.Context, o *licenceExportOptions) error {
	id, err := catalog.ParseTenantID(o.tenant)
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	client, err := o.ehr.client(a, "")
	if err != nil {
		return err
	}
	list, err := client.SignedLicences(ctx, id)
	if err != nil {
		return unread(err)
	}
	var current *ehr.SignedLicence
	for i := range list {
		if list[i].State != "revoked" && (current == nil || !list[i].Expires.Before(current.Expires)) {
			current = &list[i]
		}
	}
	if current == nil {
		return fail(exitFailed, "tenant %s has no licence that is not revoked", id)
	}
	document := append(current.Document, '\n')
	if o.out == "" {
		_, err := a.stdout.Write(document)
		return err
	}
	if err := writeNew(o.out, document, 0o600); err != nil {
		return fail(exitFailed, "save the licence: %w", err)
	}
	a.note("licence %s, until %s, saved as %s", current.ID, catalog.FormatTime(current.Expires), o.out)
	return nil
}

type licenceVerifyOptions struct {
	file   string
	key    string
	at     string
	output outputFlag
}

func (a *app) newLicenceVerify() *cobra.Command {
	var o licenceVerifyOptions
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a licence offline, with the platform's public key",
		Long: `Verify checks a licence without asking anybody: that the key signed it, that what
it allows and says beside its token (id, tenant, dates) is what was signed, and that
it may be used at the time. It ends with 7 where any of that is not right, and with
1 where the licence has ended or not begun.

FILE is a licence as export writes it, or its token alone; that does not say what
it allows. The platform's public key is licence_key of its GET /.

A token is the base64url form, without padding, of a DSSE envelope whose payload,
of type application/vnd.veonahealth.ehr-licence+json, names tenant, licence,
dates, and terms: the SHA-256 of {"limits", "modules"} in RFC 8785 form.`,
		Example: "  charter licence verify rural.licence --key platform.pub",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.file = args[0]
			return a.licenceVerify(&o)
		},
	}
	cmd.Flags().StringVar(&o.key, "key", "", "the platform's public key, a PEM `FILE`")
	bindAt(cmd, &o.at)
	o.output.bind(cmd, "text", "json")
	return cmd
}

// maxLicenceFile is the largest licence that is read: 100,000 rows are 8 MiB.
const maxLicenceFile = 16 << 20

// carried is a licence as it is carried: its token, what it allows, and what stands
// in words beside it. All but the token is empty where only that was given.
type carried struct {
	Token     string          `json:"token"`
	Limits    json.RawMessage `json:"limits"`
	Modules   json.RawMessage `json:"modules"`
	ID        *string         `json:"id"`
	Tenant    *string         `json:"tenant"`
	NotBefore *string         `json:"not_before"`
	Expires   *string         `json:"expires"`
}

// edited says where the words beside the token are not what was signed, or "".
func (c *carried) edited(l *seal.Licence) string {
	same := func(a, b string) bool { return a == b }
	at := func(a, b string) bool {
		x, err1 := time.Parse(time.RFC3339Nano, a)
		y, err2 := time.Parse(time.RFC3339Nano, b)
		return err1 == nil && err2 == nil && x.Equal(y)
	}
	for _, w := range []struct {
		name   string
		says   *string
		signed string
		equal  func(a, b string) bool
	}{
		{"id", c.ID, l.Licence, same},
		{"tenant", c.Tenant, l.Tenant, same},
		{"not_before", c.NotBefore, l.NotBefore.Format(time.RFC3339Nano), at},
		{"expires", c.Expires, l.Expires.Format(time.RFC3339Nano), at},
	} {
		if w.says != nil && !w.equal(*w.says, w.signed) {
			return fmt.Sprintf("its %s is %.80q, and what was signed is %.80q", w.name, *w.says, w.signed)
		}
	}
	return ""
}

func (a *app) licenceVerify(o *licenceVerifyOptions) error {
	at, err := parseAt(o.at, a.now())
	if err != nil {
		return err
	}
	if o.key == "" {
		return fail(exitUsage, "no key: give the platform's public key with --key FILE")
	}
	pem, err := readFile(o.key, maxKeyFile)
	if err != nil {
		return fail(exitFailed, "read the key: %w", err)
	}
	key, err := seal.ParsePublicKey(pem)
	if err != nil {
		return fail(exitFailed, "%s: %w", o.key, err)
	}
	data, err := readFile(o.file, maxLicenceFile)
	if err != nil {
		return fail(exitFailed, "read the licence: %w", err)
	}
	licence, err := openLicence(data, key)
	if err != nil {
		return fail(exitTrust, "%s: %w", o.file, err)
	}
	if o.at == "" {
		at = a.now() // a licence may have begun within this second
	}
	licence.Wrong = unusable(&licence.Licence, at)
	if o.output.value == "json" {
		err = view.JSON(a.stdout, licence)
	} else {
		err = view.Licence(a.stdout, licence)
	}
	if err == nil && licence.Wrong != "" {
		err = fail(exitFailed, "%s", licence.Wrong)
	}
	return err
}

// openLicence opens a licence, or a token alone.
func openLicence(data []byte, key seal.PublicKey) (*view.CheckedLicence, error) {
	c := parseCarried(data)
	licence, err := seal.OpenLicence(c.Token, key)
	if err != nil {
		return nil, err
	}
	if edited := c.edited(&licence); edited != "" {
		return nil, errors.New(edited)
	}
	checked := &view.CheckedLicence{Licence: licence}
	if c.Modules == nil && c.Limits == nil {
		return checked, nil
	}
	covered, err := licence.Covers(c.Limits, c.Modules)
	if err != nil {
		return nil, err
	}
	if !covered {
		return nil, errors.New("what it says that it allows is not what was signed")
	}
	checked.Allows = &view.LicenceTerms{}
	err = errors.Join(json.Unmarshal(c.Limits, &checked.Allows.Limits), json.Unmarshal(c.Modules, &checked.Allows.Modules))
	return checked, err
}

// unusable says why a licence may not be used at a time, or "".
func unusable(l *seal.Licence, at time.Time) string {
	switch {
	case !at.Before(l.Expires):
		return "the licence has ended on " + catalog.FormatTime(l.Expires)
	case at.Before(l.NotBefore):
		return "the licence begins on " + catalog.FormatTime(l.NotBefore)
	case l.OfflineUntil != nil && !at.Before(*l.OfflineUntil):
		return fmt.Sprintf("its box was to be heard of by %s", catalog.FormatTime(*l.OfflineUntil))
	}
	return ""
}

// parseCarried reads a licence's file: JSON, or a token alone.
func parseCarried(data []byte) carried {
	var c carried
	if err := json.Unmarshal(data, &c); err != nil {
		return carried{Token: strings.TrimSpace(string(data))}
	}
	return c
}
