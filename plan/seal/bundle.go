package seal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"
)

// MaxBundle is the largest bundle that is opened, in bytes. Sign stays below it.
const MaxBundle = 1 << 20

const (
	bundleType  = "application/vnd.dev.sigstore.bundle.v0.3+json"
	payloadType = "application/vnd.in-toto+json"
)

// envelope is what charter needs of a bundle. Nothing in it is verified.
type envelope struct {
	payload []byte // the statement's bytes, as signed
	sig     []byte // over the payload and its type, in DSSE's encoding of the two
	hint    string // which key the bundle claims, in Fingerprint.Hint's spelling if it is honest
}

// writeBundle returns the bundle's JSON on one line. protojson varies its
// spaces on purpose; without them its output is as stable as its field order.
func writeBundle(e *envelope) ([]byte, error) {
	loose, err := protojson.Marshal(&bundlepb.Bundle{
		MediaType: bundleType,
		VerificationMaterial: &bundlepb.VerificationMaterial{
			Content: &bundlepb.VerificationMaterial_PublicKey{PublicKey: &commonpb.PublicKeyIdentifier{Hint: e.hint}},
		},
		Content: &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dssepb.Envelope{
			Payload:     e.payload,
			PayloadType: payloadType,
			Signatures:  []*dssepb.Signature{{Sig: e.sig}},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("write bundle: %w", err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, loose); err != nil {
		return nil, fmt.Errorf("write bundle: %w", err)
	}
	line.WriteByte('\n')
	return line.Bytes(), nil
}

// readBundle takes a bundle apart and refuses what charter does not verify.
// Entries of transparency logs and timestamps may be in it; they are not checked
// and count for nothing.
func readBundle(data []byte) (*envelope, error) {
	if len(data) > MaxBundle {
		return nil, malformedBundle(fmt.Sprintf("%d bytes, want at most %d", len(data), MaxBundle))
	}
	var b bundlepb.Bundle
	if err := protojson.Unmarshal(data, &b); err != nil {
		return nil, malformedBundle(protojsonReason(err))
	}
	if b.GetMediaType() != bundleType {
		return nil, malformedBundle(fmt.Sprintf("media type %s, want %q", quoted(b.GetMediaType()), bundleType))
	}
	if err := checkMaterial(b.GetVerificationMaterial()); err != nil {
		return nil, err
	}
	signed := b.GetDsseEnvelope()
	if signed == nil {
		return nil, malformedBundle("no DSSE envelope; cosign attest-blob makes one, sign-blob does not")
	}
	if n := len(signed.GetSignatures()); n != 1 {
		return nil, &SignatureCountError{Count: n}
	}
	if signed.GetPayloadType() != payloadType {
		return nil, &PayloadTypeError{Type: signed.GetPayloadType()}
	}
	return &envelope{
		payload: signed.GetPayload(),
		sig:     signed.GetSignatures()[0].GetSig(),
		hint:    b.GetVerificationMaterial().GetPublicKey().GetHint(),
	}, nil
}

// checkMaterial wants a bundle that was signed with a key that people keep.
func checkMaterial(material *bundlepb.VerificationMaterial) error {
	switch material.GetContent().(type) {
	case *bundlepb.VerificationMaterial_PublicKey:
		return nil
	case nil:
		return &KeylessError{}
	}
	return &KeylessError{Certificate: true}
}

func malformedBundle(reason string) error {
	return &MalformedError{What: "bundle", Reason: reason}
}

// protojsonReason takes away the prefix that protojson writes with one of two
// spaces, changing from build to build, so that nobody compares its texts.
func protojsonReason(err error) string {
	return oneLine(strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0"))
}
