package seal_test

import (
	"crypto/sha256"
	"fmt"
	"log"
	"time"

	"github.com/veonahealth/charter/catalog"
	"github.com/veonahealth/charter/plan/seal"
)

func Example() {
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	subject := seal.Subject{Name: "plan.json", SHA256: sha256.Sum256([]byte("the bytes of plan.json"))}
	approval := seal.Approval{
		Decision:    seal.Approve,
		Environment: catalog.DefaultEnvironment,
		Batches:     seal.Batches{Root: sha256.Sum256([]byte("the digests of its batches")), Count: 3},
		NotAfter:    time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC),
	}
	use := seal.Use{
		At:          time.Date(2027, 3, 2, 0, 0, 0, 0, time.UTC),
		Environment: approval.Environment,
		Batches:     approval.Batches,
	}

	private, public, err := seal.GenerateKey([]byte("correct horse"))
	check(err)
	key, err := seal.ParsePublicKey(public)
	check(err)
	signer, err := seal.OpenKey(private, []byte("correct horse"))
	check(err)
	statement, err := seal.Statement(subject, approval)
	check(err)
	bundle, err := signer.Sign(statement)
	check(err)

	opened, err := seal.NewVerifier(key).Open(bundle)
	check(err)
	fmt.Println(opened.Signer == key.Fingerprint())
	fmt.Println(opened.Approval.Decision, opened.Subject.Name)
	fmt.Println(opened.Approval.Objections(use))

	// Output:
	// true
	// approve plan.json
	// [expired: it expired at 2027-03-01T00:00:00Z]
}
