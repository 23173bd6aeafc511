package plan_test

import (
	"encoding/json"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/veonahealth/charter/plan"
)

// vectors are digests and roots that other hands computed from the contract.
type vectors struct {
	Batches []struct {
		Lines  plan.Lines  `json:"lines"`
		Digest plan.Digest `json:"digest"`
	} `json:"batches"`
	Roots []struct {
		Count int         `json:"count"`
		Root  plan.Digest `json:"root"`
	} `json:"roots"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/digests.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Batches) == 0 || len(v.Roots) == 0 {
		t.Fatal("the vectors are empty")
	}
	return v
}

func TestDigestsFollowTheVectors(t *testing.T) {
	for _, b := range readVectors(t).Batches {
		if got := b.Lines.Digest(); got != b.Digest {
			t.Errorf("%q: %s, want %s", b.Lines, got, b.Digest)
		}
	}
}

func TestRootsFollowTheVectors(t *testing.T) {
	v := readVectors(t)
	var leaves []plan.Digest
	for _, b := range v.Batches {
		leaves = append(leaves, b.Digest)
	}
	for _, r := range v.Roots {
		tree, err := plan.NewTree(leaves[:r.Count])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tree.Root(); err != nil || got != r.Root {
			t.Errorf("root of %d leaves: %s, %v, want %s", r.Count, got, err, r.Root)
		}
	}
}

func TestEveryLeafProvesItsPlaceAndNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "leaves")
		leaves := make([]plan.Digest, n)
		for i := range leaves {
			leaves[i] = plan.DigestOf([]byte{byte(i)})
		}
		tree, err := plan.NewTree(leaves)
		if err != nil {
			t.Fatal(err)
		}
		root, err := tree.Root()
		if err != nil {
			t.Fatal(err)
		}
		index := rapid.Int64Range(0, int64(n-1)).Draw(t, "index")
		proof, err := tree.Prove(index)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.CheckProof(proof, int64(n), root, index, leaves[index]); err != nil {
			t.Fatalf("its own place: %v", err)
		}
		for other := range int64(n) {
			if other != index && plan.CheckProof(proof, int64(n), root, other, leaves[index]) == nil {
				t.Fatalf("leaf %d proves place %d", index, other)
			}
		}
		if plan.CheckProof(proof, int64(n), root, index, plan.DigestOf([]byte("another"))) == nil {
			t.Fatal("another leaf has the same proof")
		}
		if plan.CheckProof(proof, int64(n), plan.DigestOf([]byte("another")), index, leaves[index]) == nil {
			t.Fatal("another root has the same proof")
		}
	})
}

func TestParseDigestTakesOneSpelling(t *testing.T) {
	const good = "sha256:6a7be5675c21316da87014fd3f35fc688243539985f1bbd6fea6c2c44828723c"
	if d, err := plan.ParseDigest(good); err != nil || d.String() != good {
		t.Errorf("%s, %v", d, err)
	}
	for _, text := range []string{
		"", "sha256:", good[7:], good + "0", good[:len(good)-1], "sha512:" + good[7:],
		"sha256:6A7BE5675C21316DA87014FD3F35FC688243539985F1BBD6FEA6C2C44828723C", "sha256:" + good[7:69] + "zz", " " + good,
	} {
		if _, err := plan.ParseDigest(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
