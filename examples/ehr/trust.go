package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/veonahealth/charter/examples/ehr/authority"
	"github.com/veonahealth/charter/plan/seal"
)

// files is a flag that may be given more than once, each time with one name or
// with several between commas.
type files struct{ names *[]string }

// String implements flag.Value.
func (f files) String() string {
	if f.names == nil {
		return ""
	}
	return strings.Join(*f.names, ",")
}

// Set implements flag.Value.
func (f files) Set(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		if name == "" {
			return fmt.Errorf("want the names of files")
		}
		*f.names = append(*f.names, name)
	}
	return nil
}

// repeatKeys spells "--trust A B" as "--trust A --trust B": the names of keys may
// follow one another, as a shell's pattern gives them.
func repeatKeys(args []string) []string {
	var spelled []string
	flag := "" // whose names follow
	for i, arg := range args {
		name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
		switch {
		case strings.HasPrefix(arg, "-"):
			flag = ""
			if name == "trust" || name == "trust-applier" || name == "trust-notary" {
				flag = arg
			}
		case flag != "" && args[i-1] != flag:
			spelled = append(spelled, flag)
		}
		spelled = append(spelled, arg)
	}
	return spelled
}

// checker returns what says which writes people have approved; nil where nobody's
// key was given.
func (o *options) checker() (*authority.Checker, error) {
	if len(o.trust) == 0 {
		return nil, nil
	}
	people, err := readKeys(o.trust)
	if err != nil {
		return nil, err
	}
	appliers, err := readKeys(o.trustApplier)
	if err != nil {
		return nil, err
	}
	notaries, err := readKeys(o.trustNotary)
	if err != nil {
		return nil, err
	}
	trust := authority.Trust{
		People: people, Appliers: appliers, Notaries: notaries, AnyReview: o.anyReview, Need: o.need, Environment: o.environment,
	}
	for _, text := range o.reviewers {
		r, err := reviewer(text)
		if err != nil {
			return nil, err
		}
		trust.Reviewers = append(trust.Reviewers, r)
	}
	return authority.New(trust)
}

// reviewer reads one person's accounts and the files of their keys: an account has a
// colon.
func reviewer(text string) (r authority.Reviewer, err error) {
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		if strings.Contains(name, ":") {
			r.Accounts = append(r.Accounts, name)
		} else {
			names = append(names, name)
		}
	}
	r.Keys, err = readKeys(names)
	return r, err
}

func readKeys(names []string) ([]seal.PublicKey, error) {
	var keys []seal.PublicKey
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		key, err := seal.ParsePublicKey(text)
		if err != nil {
			return nil, fmt.Errorf("read key %s: %w", name, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
