package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/cmd/charter/internal/view"
	"github.com/veonahealth/charter/plan"
	"github.com/veonahealth/charter/plan/seal"
)

// approvalLasts is for how long an approval counts.
const approvalLasts = 14 * 24 * time.Hour

// goodPassword is the length from which on a password is not remarked on.
const goodPassword = 10

// approvalFlags are what a signer says beside yes.
type approvalFlags struct {
	comment  string
	lasts    time.Duration
	tenants  []string
	decision seal.Decision // "" for an approval
	review   *seal.Review  // that a notary signs; nil for a signer's own decision
}

func (f *approvalFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.comment, "comment", "", "your own `WORDS`, to be kept with the signature")
	flags.DurationVar(&f.lasts, "not-after", approvalLasts, "for how long the signature counts")
	flags.StringSliceVar(&f.tenants, "tenant", nil, "approve the changes of this tenant `ID` alone; may be given again")
}

// statement writes what is signed: exactly what the plan's file says.
func (f *approvalFlags) statement(file *planFile, now time.Time) ([]byte, error) {
	if !file.plan.KnownMinor() {
		return nil, fail(exitFailed, "%s is of format version %s, and this charter knows every field of %s only", file.path, file.plan.FormatVersion, plan.FormatVersion)
	}
	environment, err := catalog.ParseEnvironment(file.plan.Environment)
	if err != nil {
		return nil, fail(exitFailed, "%s: %w", file.path, err)
	}
	if f.lasts <= 0 {
		return nil, fail(exitUsage, "--not-after %s: want a time to come", f.lasts)
	}
	if f.decision == "" {
		f.decision = seal.Approve
	}
	approval := seal.Approval{
		Decision: f.decision, Environment: environment, NotAfter: now.Add(f.lasts).UTC().Truncate(time.Second),
		Batches: seal.Batches{Root: file.plan.BatchesRoot, Count: len(file.plan.Leaves())},
		Review:  f.review, Plan: file.digest.String(), Commit: file.plan.Source.Commit, Policy: file.plan.Policy.String(), Comment: f.comment,
	}
	for _, name := range f.tenants {
		id, err := catalog.ParseTenantID(name)
		if err != nil {
			return nil, fail(exitUsage, "--tenant: %w", err)
		}
		if !file.plan.Touches(id) {
			return nil, fail(exitUsage, "--tenant %s: the plan changes nothing of it", id)
		}
		approval.Tenants = append(approval.Tenants, id)
	}
	statement, err := seal.Statement(seal.Subject{Name: filepath.Base(file.path), SHA256: file.digest}, approval)
	if err != nil {
		return nil, fail(exitUsage, "%w", err)
	}
	return statement, nil
}

// keyFlags name a private key and where its password comes from.
type keyFlags struct{ key, passwordFile string }

func (f *keyFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.key, "key", "", "your private key `FILE`, as keygen or cosign makes them")
	bindPassword(cmd, &f.passwordFile)
}

func bindPassword(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "password-file", "", "a `FILE` that holds the key's password (or the variable CHARTER_PASSWORD, or a prompt)")
}

// read reads the key, encrypted as it is.
func (f *keyFlags) read() ([]byte, error) {
	if f.key == "" {
		return nil, failHint(exitUsage, "charter keygen --out NAME makes one", "no key: give --key FILE")
	}
	data, err := readFile(f.key, maxKeyFile)
	if err != nil {
		return nil, fail(exitFailed, "key: %w", err)
	}
	return data, nil
}

// open decrypts the key.
func (f *keyFlags) open(a *app) (*seal.Signer, error) {
	data, err := f.read()
	if err != nil {
		return nil, err
	}
	password, err := a.password(f.passwordFile, "password of "+f.key)
	if err != nil {
		return nil, err
	}
	signer, err := seal.OpenKey(data, password)
	if err != nil {
		return nil, fail(exitFailed, "key %s: %w", f.key, err)
	}
	if info, err := os.Stat(f.key); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		a.note("key %s can be read by others than you: chmod 600 %[1]s", f.key)
	}
	return signer, nil
}

// password asks for a password: of a file, the environment, or a person.
func (a *app) password(file, prompt string) ([]byte, error) {
	if file != "" {
		data, err := readFile(file, maxKeyFile)
		if err != nil {
			return nil, fail(exitFailed, "password file: %w", err)
		}
		return bytes.TrimRight(data, "\r\n"), nil
	}
	if password, set := a.lookupEnv("CHARTER_PASSWORD"); set {
		return []byte(password), nil
	}
	terminal, ok := a.stdin.(*os.File)
	if !a.inTerminal || !ok {
		return nil, fail(exitUsage, "no password: give --password-file FILE or CHARTER_PASSWORD")
	}
	fmt.Fprint(a.stderr, prompt+": ")
	password, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(a.stderr)
	if err != nil {
		return nil, fail(exitFailed, "read the password: %w", err)
	}
	return password, nil
}

// newPassword asks for a password that nobody knows yet; a person twice, because
// nobody could open a key that is locked with a slip.
func (a *app) newPassword(file, of string) ([]byte, error) {
	password, err := a.password(file, "password for "+of)
	_, set := a.lookupEnv("CHARTER_PASSWORD")
	if err != nil || file != "" || set {
		return password, err
	}
	again, err := a.password(file, "the same again")
	if err == nil && !bytes.Equal(password, again) {
		err = fail(exitFailed, "the two are not the same; no key was made")
	}
	return password, err
}

type signOptions struct {
	file     string
	key      keyFlags
	approval approvalFlags
}

func (a *app) newSign() *cobra.Command {
	var o signOptions
	cmd := &cobra.Command{
		Use:   "sign FILE",
		Short: "Put your signature on exactly what a plan says",
		Long: `Sign writes a signature beside the plan, as FILE.<key>.sigstore.json: a Sigstore
bundle that cosign can check. Read the plan first: charter show FILE.

A file of kind "charter.mandate" is signed as a mandate: what drift a daemon may
correct by itself. examples/daemon has one.`,
		Example: `  charter sign plan.json --key reviewer.key
  charter sign plan.json --key reviewer.key --comment "OPS-114, agreed with the ward"`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.file = args[0]
			return a.sign(&o)
		},
	}
	o.key.bind(cmd)
	o.approval.bind(cmd)
	return cmd
}

func (a *app) sign(o *signOptions) error {
	if terms, err := readMandate(o.file); terms != nil || err != nil {
		return a.signMandate(o, terms, err)
	}
	file, err := readPlan(o.file)
	if err != nil {
		return err
	}
	now := a.now()
	statement, err := o.approval.statement(file, now)
	if err != nil {
		return err
	}
	a.doubts(file, now)
	signer, err := o.key.open(a)
	if err != nil {
		return err
	}
	name, err := a.writeBundle(file, signer, statement)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, name)
	if len(file.plan.Scheduled) > 0 {
		a.note("it also approves %s, for when its day has come", view.Counted(len(file.plan.Scheduled), "scheduled change", "scheduled changes"))
	}
	return nil
}

// doubts warns of a plan that cannot be applied as it is.
func (a *app) doubts(file *planFile, now time.Time) {
	p := file.plan
	if !now.Before(p.ExpiresAt) {
		a.note("the plan expired at %s: it can be signed, and not applied", p.ExpiresAt.Format(time.RFC3339))
	}
	if !p.At.Equal(p.CreatedAt) {
		a.note("the plan judges dates as of %s, not of when it was made", catalog.FormatTime(p.At))
	}
}

// writeBundle signs a statement, and puts the signature beside the plan.
func (a *app) writeBundle(file *planFile, signer *seal.Signer, statement []byte) (string, error) {
	bundle, err := signer.Sign(statement)
	if err != nil {
		return "", err
	}
	name := signer.PublicKey().Fingerprint().BundleName(file.path)
	if _, err := os.Lstat(name); err == nil {
		a.note("it replaces the signature that you had put beside the plan before")
	}
	if err := writeFile(name, bundle, 0o644); err != nil {
		return "", fail(exitFailed, "save the signature: %w", err)
	}
	return name, nil
}

type keygenOptions struct{ out, passwordFile string }

func (a *app) newKeygen() *cobra.Command {
	var o keygenOptions
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key pair to sign plans with",
		Long: `Keygen writes NAME.key, your private key, encrypted with a password and readable
by you alone, and NAME.pub, the public key to give to others. It is an ECDSA key
on P-256 in the form that cosign reads too. It never overwrites a key.`,
		Example: "  charter keygen --out reviewer",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.keygen(&o) },
	}
	cmd.Flags().StringVar(&o.out, "out", "charter", "write `NAME`.key and NAME.pub")
	bindPassword(cmd, &o.passwordFile)
	return cmd
}

func (a *app) keygen(o *keygenOptions) error {
	for _, name := range []string{o.out + ".key", o.out + ".pub"} {
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			return fail(exitFailed, "%s is there already, and a key is never overwritten", name)
		}
	}
	password, err := a.newPassword(o.passwordFile, o.out+".key")
	if err != nil {
		return err
	}
	if len(password) < goodPassword {
		a.note("whoever copies %s.key soon guesses a password of %d letters: have %d or more", o.out, len(password), goodPassword)
	}
	private, public, err := seal.GenerateKey(password)
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	if err := writeNew(o.out+".key", private, 0o600); err != nil {
		return fail(exitFailed, "%w", err)
	}
	if err := writeNew(o.out+".pub", public, 0o644); err != nil {
		return fail(exitFailed, "%w", err)
	}
	key, err := seal.ParsePublicKey(public)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s.key\n%s.pub\n", o.out, o.out)
	a.note("fingerprint %s", key.Fingerprint())
	return nil
}

// writeNew writes a file that must not be there yet.
func writeNew(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
