package seal

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// maxOpenPGP is the largest OpenPGP key that is read, in bytes of its armor: keys
// gather other people's certifications, which gpg --export-options export-minimal
// leaves out.
const maxOpenPGP = 256 << 10

// pgpHashes are those that an OpenPGP signature may be made over.
var pgpHashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512}

// ParseOpenPGPKey returns the key of an armored public key block, as gpg
// --export --armor prints it. DSA, and RSA of less than 2048 bits, is an
// UnsupportedKeyError; anything that is not one public key a MalformedError.
func ParseOpenPGPKey(armored []byte) (CommitKey, error) {
	refuse := func(reason string) (CommitKey, error) {
		return CommitKey{}, &MalformedError{What: "OpenPGP key", Reason: reason}
	}
	if len(armored) > maxOpenPGP {
		return refuse("it is too large; gpg --export-options export-minimal leaves other people's signatures out")
	}
	block, err := armor.Decode(bytes.NewReader(armored))
	if err != nil {
		return refuse("no armored block")
	}
	if block.Type != openpgp.PublicKeyType {
		return refuse("a block of type " + quoted(block.Type) + ", want " + quoted(openpgp.PublicKeyType))
	}
	entities, err := openpgp.ReadKeyRing(io.LimitReader(block.Body, maxOpenPGP))
	if err != nil || len(entities) != 1 || entities[0].PrivateKey != nil {
		return refuse("want exactly one public key that signs for itself")
	}
	if err := checkEntity(entities[0]); err != nil {
		return CommitKey{}, err
	}
	return openPGPKey(entities[0])
}

// openPGPKey names a key by its primary one, whichever subkey signs.
func openPGPKey(entity *openpgp.Entity) (CommitKey, error) {
	var wire bytes.Buffer
	if err := entity.PrimaryKey.SerializeForHash(&wire); err != nil {
		return CommitKey{}, fmt.Errorf("write OpenPGP key: %w", err)
	}
	name := strings.ToUpper(hex.EncodeToString(entity.PrimaryKey.Fingerprint))
	return CommitKey{fingerprint: sha256.Sum256(wire.Bytes()), name: name, entity: entity}, nil
}

// checkEntity judges the primary key and every subkey, as any may sign.
func checkEntity(entity *openpgp.Entity) error {
	keys := []*packet.PublicKey{entity.PrimaryKey}
	for i := range entity.Subkeys {
		if entity.Subkeys[i].PublicKey.CanSign() {
			keys = append(keys, entity.Subkeys[i].PublicKey)
		}
	}
	for _, key := range keys {
		if key.PubKeyAlgo == packet.PubKeyAlgoDSA {
			return &UnsupportedKeyError{Kind: "OpenPGP DSA", Reason: "use Ed25519, ECDSA or RSA"}
		}
		if weak, is := key.PublicKey.(*rsa.PublicKey); is && weak.N.BitLen() < minRSA {
			return weakRSA(weak.N.BitLen())
		}
	}
	if signature, _ := entity.PrimarySelfSignature(); signature == nil {
		return &MalformedError{What: "OpenPGP key", Reason: "it does not sign for itself"}
	}
	return nil
}

// pgpRing are OpenPGP keys; each has an entity.
type pgpRing []CommitKey

// verify returns which key of the ring signed a commit. Whether the key had
// expired, or was revoked, is judged at the time that the signature names, which
// may not be the committer's: people rebase, and dates are given. Both are the
// signer's own word; to end a key for good the policy has leaves and revoked.
func (r pgpRing) verify(c *commit) (Fingerprint, error) {
	body, signature, err := readPGPSignature(c.signature)
	if err != nil {
		return Fingerprint{}, err
	}
	entities := make(openpgp.EntityList, len(r))
	for i := range r {
		entities[i] = r[i].entity
	}
	config := &packet.Config{Time: func() time.Time { return signature.CreationTime }}
	entity, err := openpgp.CheckDetachedSignatureAndHash(entities, bytes.NewReader(c.payload), bytes.NewReader(body), pgpHashes, config)
	if errors.Is(err, pgperrors.ErrUnknownIssuer) {
		return Fingerprint{}, &UntrustedError{Key: pgpIssuer(signature)}
	}
	i := slices.Index(entities, entity)
	if i < 0 {
		return Fingerprint{}, &CommitError{Reason: "OpenPGP signature: " + oneLine(err.Error())}
	}
	if err != nil {
		return Fingerprint{}, &LifetimeError{Key: r[i].name, At: signature.CreationTime.UTC(), Reason: oneLine(err.Error())}
	}
	return r[i].fingerprint, nil
}

// readPGPSignature takes the armor off, and wants one signature: with two, who
// signed would depend on which one is looked at.
func readPGPSignature(armored string) ([]byte, *packet.Signature, error) {
	refuse := func(reason string) ([]byte, *packet.Signature, error) {
		return nil, nil, &CommitError{Reason: "OpenPGP signature: " + reason}
	}
	block, err := armor.Decode(strings.NewReader(armored))
	if err != nil || block.Type != openpgp.SignatureType {
		return refuse("no armored signature")
	}
	body, err := io.ReadAll(io.LimitReader(block.Body, MaxCommit))
	if err != nil {
		return refuse("its armor is damaged")
	}
	packets := packet.NewReader(bytes.NewReader(body))
	first, err := packets.Next()
	signature, is := first.(*packet.Signature)
	if err != nil || !is {
		return refuse("no signature in its armor")
	}
	if _, err := packets.Next(); err != io.EOF {
		return refuse("want exactly one signature")
	}
	return body, signature, nil
}

// pgpIssuer says which key a signature claims to be of.
func pgpIssuer(signature *packet.Signature) string {
	if signature.IssuerKeyId == nil {
		return "an OpenPGP key without a name"
	}
	return fmt.Sprintf("OpenPGP key %016X", *signature.IssuerKeyId)
}
