// Package forge talks to the forge that a fleet is reviewed on: GitHub, Gitea or
// Forgejo, and GitLab. It knows pull requests by their numbers and branches, comments
// by their first line, and nothing of plans.
//
// # One comment a pull request
//
// A comment begins with a marker, an HTML comment that nobody sees. Comment looks
// for the one that this token wrote with the same marker, and replaces its text, so
// that a pull request has one comment and not one a push. What somebody else wrote
// with the marker on top is never touched: whoever can comment could otherwise say
// where charter's words go, or keep them from appearing.
//
// Which comments are one's own is asked of the forge. The token of a GitHub or Gitea
// job may not ask; then they are those of the job's own robot.
//
// # Statuses and pull requests
//
// SetStatus says a word beside a commit. OpenPullRequest proposes a branch: a branch
// has one pull request, one of another repository is none of ours whatever its
// branch is called, and one that people closed stays closed until the branch moves.
//
// # Reviews
//
// Reviews reads what each reviewer of a pull request decided last, and why that does
// not approve the commit that it is at: dismissed, asking for changes, given for
// another commit. GitLab says of an approval only who gives it and when, so that one
// counts if it came after the last push. Accounts are named by the forge's own
// numbers, github:1234: a name can be given up and taken by somebody else.
// ReadComment gives the text of charter's own comment as it is now, and since when.
//
// # When a forge does not answer
//
// Reads, replacements and statuses are tried again after faults of the network and
// the server. What is new, a comment or a pull request, is not: it may be there
// already, so that what is there is read again first. Where the forge asks for a pause (Retry-After, X-RateLimit-Reset) it is
// given, up to a minute; after that the error says how long it asked for. A refusal
// is a StatusError: 401 and 403 are a token without the right, as the tokens of
// forks are; 404 a pull request that is gone, or one that the token may not see.
//
// The token goes to the address it was given for and nowhere else: redirects are not
// followed, nor pages that lie on another host. It stands in no error and no log.
//
// # In a pipeline
//
// Detect tells from a job's variables on which forge and for which pull request it
// runs:
//
//	run, err := forge.Detect(os.LookupEnv, os.ReadFile)
//	client, err := forge.New(forge.Options{Run: run, Token: token})
//	posted, err := client.Comment(ctx, "<!-- my marker -->\nwhat there is to say")
package forge
