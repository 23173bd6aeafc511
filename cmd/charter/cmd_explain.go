package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/veonahealth/charter/catalog"
)

func (a *app) newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Tell what a code means and what to do",
		Long: `Explain tells what a code means and what to do about it: of a mistake (CH0103),
a warning, the reason of a change, the outcome of a batch, or an exit status
("exit 5"). Without a code it lists them all.`,
		Example: `  charter explain CH0103
  charter explain exit 5`,
		Args: cobra.MaximumNArgs(2),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			codes := make([]string, len(explanations))
			for i, e := range explanations {
				codes[i] = e.code + "\t" + e.title
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, e := range explanations {
					fmt.Fprintf(a.stdout, "%-20s %s\n", e.code, e.title)
				}
				return nil
			}
			return a.explainCode(strings.Join(args, " "))
		},
	}
}

func (a *app) explainCode(code string) error {
	i := slices.IndexFunc(explanations, func(e explanation) bool { return strings.EqualFold(e.code, code) })
	if i < 0 {
		i = slices.IndexFunc(explanations, func(e explanation) bool { return e.code == "exit "+code })
	}
	if i < 0 {
		return failHint(exitUsage, nearestCode(code), "no code %q", code)
	}
	e := explanations[i]
	_, err := fmt.Fprintf(a.stdout, "%s: %s\n\n%s\n", e.code, e.title, strings.TrimSpace(e.text))
	return err
}

func nearestCode(code string) string {
	names := func(yield func(string) bool) {
		for _, e := range explanations {
			if !yield(e.code) {
				return
			}
		}
	}
	if nearest := catalog.Nearest(code, names); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	return "charter explain lists them"
}

// explanation is what a person needs to know of a code.
type explanation struct{ code, title, text string }

// explanations are in the order in which they are listed. Every code that
// charter writes is here, which a test holds.
var explanations = []explanation{
	{"CH0101", "CUE cannot read the file", `
The file breaks CUE's syntax at the place that is named (a brace, a quote, a
comma), refers to a name that is not defined, or has a let clause or an import
that nothing uses. Correct the line; "cue fmt" and editors show the same. Where CUE
can read a file and the schema does not allow what it says, that is CH0102.`},
	{"CH0102", "a field is not allowed, missing, of the wrong kind, or out of bounds", `
CUE can read the file, and what it says is not what a fleet may say.
The schema says which fields a tenant, facility, grant and so on may have, which
they must have, and what may stand in them: see schema/schema.cue in the fleet.
A misspelt name is a field that is not allowed.`},
	{"CH0103", "something names what is declared nowhere", `
A module, edition, instrument, organisation, environment, facility or role is
named that the catalogue or the fleet does not have. Correct the name, or declare
it where it belongs: modules and editions in catalog/, organisations in
organisations/.`},
	{"CH0104", "an id is given twice, or is not its directory's name", `
A tenant's directory bears the tenant's id, and every id is declared once, so
that a reader finds the one place where something is said of it.`},
	{"CH0105", "a module is in force without one that it requires", `
At the facility and in the span of time that the message names, a module would
be held without a module that it needs. It is judged for every span between the
dates of the tenant's own grants and revocations. Grant the other module too, or
end both at the same time.`},
	{"CH0106", "a tenant exceeds a limit of its edition", `
The facilities of a tenant together have more beds, users or storage, or there
are more of them, than the edition allows. Choose a larger edition, or override
the limit in the tenant's file: limits: beds: {value: 600, reason: "…"}.`},
	{"CH0107", "a module is granted and revoked at one level", `
One map of grants and one of revocations, of a tenant or of a facility, name the
same module. Keep one of them. To take a tenant's module off one facility, write
the revocation in the facility.`},
	{"CH0108", "something lacks what it cannot be without", `
An on-prem tenant needs a licence, and instruments need the module connect.`},
	{"CH0109", "an end is not after its beginning", `
The statement would never be in force. A day is its beginning in UTC, and until
is not included: from one day until the next is one day.`},
	{"CH0110", "something that was declared is gone, and no tombstone says so", `
An organisation, a tenant, or a facility, administrator or licence of a tenant
stood in the commit that was last applied and is declared no more. Absence is
never a command: it may have been lost in a merge. Put it back with its tombstone:
closed: {reason: "…", on: "…"} for an organisation, tenant or facility, withdrawn:
"…" for an administrator, revoked: "…" for a licence. Once that has been applied,
the tombstone may be deleted with what it buried. A facility that a tenant hands
over to another one is closed at the first, and new at the second.`},
	{"CH0111", "a file, link or import that may not be there", `
The same commit must mean the same everywhere. So symbolic links, submodules,
imports from outside the fleet, the attributes by which cue takes input from
outside (@embed, @tag, @if), and CUE files that cue itself would pass over in
silence are refused where declarations stand.`},
	{"CH0112", "a key of the EHR is borne by two modules, or by none while rows of it are live", `
A live row names the EHR's key, and must tell which module it is. Give each
module of the catalogue an ehr_key of its own, and keep the module of a key until
its rows are revoked: a row that no module bears would be held for ever.`},
	{"CH0113", "a path declares what the policy does not let it", `
The policy's paths say which tenants the files below a folder may declare, and
none of the selectors of the longest path that leads to this tenant matches it.
Move the tenant to where it belongs, or have the policy changed by those who may.`},
	{"CH0114", "a rule of the policy that its own people could not satisfy", `
A rule asks for more people than hold its capability and have a key, or an account
at the forge, that counts; or it leaves out those who wrote a change, while anybody
could have written who that was: set commits to "people", or let reviews at the
forge alone count. What such a rule is about could never be applied.`},
	{"CH0115", "something is over a budget", `
A file may have 1 MiB, and evaluating one tenant may take 10 seconds and 512 MiB
of memory. CUE can express what grows without end; plain data never does.`},
	{"CW0102", "the fleet's copy of the schema is not charter's own", `
charter judges by its own copy, cue and editors by the one in schema/. Where they
differ, what looks right in an editor may not be. Take the file from a fresh
charter init.`},
	{"CW0103", "a grant or revocation changes nothing", `
A grant of what the edition has, or a revocation of what nothing grants. It may
be a mistake, or wait for a change of edition.`},
	{"CW0109", "a grant or licence has ended, or ends within 30 days", `
What has ended is no longer in force and may be taken out. What ends soon is
shown so that nobody is surprised.`},
	{"CW0114", "a rule that those who are left could not satisfy", `
People of the policy have left since (leaves), or all their keys are revoked, and
without them a rule asks for more people than there are, or nobody could approve
another policy. Give the role to others before it is needed, or them new keys; and
one to an applier, where the last of those that may do something is revoked.`},
	{"CW0120", "a hold has ended", `
It holds no longer, and the rows it kept are planned like any other. Delete it,
or ask its owner, whom the message names, for a new end.`},
	{"CW0121", "a revoked key is nobody's, or still counts", `
An entry of revoked takes nothing out of service: nobody that it could be about has
a key with this fingerprint, or since is a time to come. Mend the fingerprint; the
key itself stays in keys, so that what it signs is named as what it is.`},
	{"edition-default", "a row comes because the tenant's edition has the module", `
Nothing to do: the edition gives it, and no revocation takes it away.`},
	{"not-in-edition", "a row goes because nothing gives the module", `
The tenant's edition does not have the module and no grant in force does. To keep
it, grant it in the tenant's file.`},
	{"tenant-grant", "a row comes by a grant of the tenant", `The grant stands at the file and line that are named.`},
	{"facility-grant", "a row comes by a grant of the facility", `The grant stands at the file and line that are named.`},
	{"tenant-revocation", "a row goes by a revocation of the tenant", `The revocation stands at the file and line that are named.`},
	{"facility-revocation", "a row goes by a revocation of the facility", `The revocation stands at the file and line that are named.`},
	{"grant-expired", "a row goes because a grant has ended", `
The grant's until has come. To go on, move the date and plan again.`},
	{"grant-begins", "a row comes because a grant begins", `The grant's from has come, or will at the time that is named.`},
	{"tenant-closed", "a row goes because the tenant is closed", `The tenant's tombstone (closed) has come into force.`},
	{"facility-closed", "a row goes because the facility is closed", `The facility's tombstone (closed) has come into force.`},
	{"edition-changed", "a row comes or goes because the tenant's edition was edited", `
The edition in catalog/ has other modules than the platform's has. The row is
shown with every other that the same edit moves.`},
	{"new", "something is made, because it is declared and the platform does not have it", `
An organisation, tenant, facility, instrument, licence or invitation. The file and
line that are named declare it.`},
	{"changed", "something is altered, because it is declared otherwise than it is live", `
What it is and what it is to be stand beside each other. If the live side is right,
correct the declaration at the file and line that are named.`},
	{"tombstone", "something ends, because its end is declared", `
A licence that is revoked, or an administrator who is withdrawn. Once it has been
applied, the tombstone may be deleted with what it buried.`},
	{"drift-added", "a row goes that other hands brought", `
The declarations have not moved since the last apply, and the platform has: somebody
granted the module by hand. To keep it, declare it; else the plan takes it back.`},
	{"drift-removed", "a row comes back that other hands took away", `
The declarations have not moved since the last apply, and the platform has: somebody
revoked the module by hand. To leave it off, declare that; else the plan restores it.`},
	{"trust", "a plan is of a commit that may not be applied", `
It does not descend from what was applied last, or a commit on the way is not signed
by a person where the policy asks for that. Rebase; or charter seal, signed.`},
	{"threshold", "a plan takes away more than the policy lets one plan", `
Make smaller plans (--tenant), close what is to be closed by a tombstone, or have the
policy's break_glass used for this plan, where it names thresholds.`},
	{"window", "a plan is outside of the times at which it may be applied", `
The policy's windows say when. Apply it then; the approvals stay good.`},
	{"restored", "the platform was put back behind the newest receipt", `
Its audit trail no longer holds what the ledger saw. Nothing is written until somebody
says, signed, that this is known: charter recover --reason. Then plan again.`},
	{"unknown-module", "a row is held: the catalogue does not have its module", `
charter does not judge what it does not know. The row stays as it is live until
the catalogue has a module of that ehr_key.`},
	{"unknown-facility", "a row is held: its facility is not declared", `
The row stays as it is live. Declare the facility to have its rows judged.`},
	{"suspended", "a tenant is held: the platform has suspended it", `
Suspension belongs to billing. The tenant's rows stay as they are until the
platform says otherwise; suspension is not drift.`},
	{"locked", "a tenant is held: the platform has locked it", `
Its licence has run out or was revoked. Its rows stay as they are.`},
	{"hold", "a row is held by a hold", `
holds/*.cue says who asked for it, why, and until when.`},
	{"unknown-status", "a tenant is held: the platform gives it a status that charter does not know", `
What charter does not know it does not judge. The tenant's rows stay as they are.
A newer charter may know the status.`},
	{"not-offered", "something is declared, and the platform does not offer it", `
The platform has no such collection (instruments, licences or administrators), or
the token may not read it. Give a token that may, or take the declaration out.
Everything else is planned all the same.`},
	{"unreadable", "the live state of a tenant could not be read", `
Nothing is planned for the tenant, as rows that were not read must not be taken
for rows that are not there. Plan again when the platform answers.`},
	{"done", "a batch was written", `The platform answers by the new rows since the answer came.`},
	{"already", "a batch had nothing to do", `The rows were as planned before anything was written.`},
	{"moved", "a batch was not written: its grant has moved", `
Somebody wrote the tenant's grant since the plan was made, so what was approved
no longer stands on what is there. Plan again; the other batches are not touched
by it.`},
	{"refused", "a batch was not written: the platform said no", `The platform's own words follow. Nothing was changed for the tenant.`},
	{"unconfirmed", "a batch was sent, and nobody knows what became of it", `
The answer was lost and the live grant does not tell. Apply the same plan again:
it finds out, and writes only what is still to be written.`},
	{"not-tried", "a batch's turn did not come", `
The apply was interrupted, or the tenant's live state could not be read. Apply the
same plan again while it holds.`},
	{"exit 0", "done", `With --detailed-exitcode also: nothing to change.`},
	{"exit 1", "it could not be done", `The message says what went wrong.`},
	{"exit 2", "there are changes", `Of plan with --detailed-exitcode alone. Never an error.`},
	{"exit 3", "live has drifted", `
Of drift, and of daemon --once: rows are live that what was last applied does not
have, or the reverse. Nothing was written.`},
	{"exit 4", "blocked", `An approval is missing, or somebody has said no. The message names what would let it pass.`},
	{"exit 5", "the plan no longer holds", `
It has expired, judges dates by another time than its own, or every tenant of it
has moved since it was made. Plan again.`},
	{"exit 6", "partly applied", `
Some batches are done and the rest is named. Apply the same plan again while it
holds: what is done is recognised, and only the rest is written.`},
	{"exit 7", "trust", `
A signature is missing, not by a trusted key, or of something else; the platform
is another one than the plan's; or its URL is not the declared one. Nothing was
sent.`},
	{"exit 8", "the live state could not be read whole", `
The platform did not answer, answered with something that is no answer, or would
not let this token read. What was not read is never taken for absent.`},
	{"exit 9", "the declarations are wrong", `Every mistake is listed with its place and code.`},
	{"exit 64", "wrong usage", `A flag, argument or variable is wrong; --help of the command tells how.`},
	{"exit 130", "interrupted", `What was done is reported; the rest was not begun. Apply the same plan again.`},
}
