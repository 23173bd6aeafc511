package outbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/veonahealth/charter/examples/ehr/internal/outbox"
)

func mail(i int) (jsontext.Value, string) {
	id := fmt.Sprint("m", i)
	return jsontext.Value(fmt.Sprintf(`{"id":%q,"text":"%s"}`, id, strings.Repeat("a", i%50))), id
}

// TestEveryMailIsThereOnceAndWhole is a property of any sequence of sending, of
// sending the last again, and of a process that ends amid a line.
func TestEveryMailIsThereOnceAndWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(t.TempDir(), "outbox")
		file, err := outbox.Open(path)
		if err != nil {
			rt.Fatal(err)
		}
		var want []string
		sent := 0
		for range rapid.IntRange(0, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 2).Draw(rt, "step") {
			case 0:
				text, id := mail(sent)
				sent++
				want = append(want, string(text))
				if err := file.Send(text, id); err != nil {
					rt.Fatal(err)
				}
			case 1:
				if sent == 0 {
					continue
				}
				if err := file.Send(mail(sent - 1)); err != nil {
					rt.Fatal(err)
				}
			case 2:
				file.Close()
				torn, _ := mail(sent)
				tear(rt, path, string(torn[:rapid.IntRange(0, len(torn)).Draw(rt, "torn")]))
				if file, err = outbox.Open(path); err != nil {
					rt.Fatal(err)
				}
			}
		}
		file.Close()
		text, err := os.ReadFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		if got := strings.TrimSuffix(string(text), "\n"); got != strings.Join(want, "\n") {
			rt.Fatalf("outbox %q, want %q", got, want)
		}
	})
}

// tear adds the beginning of a line.
func tear(t *rapid.T, path, text string) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatIsNoOutboxIsLeftAsItIs(t *testing.T) {
	for name, text := range map[string]string{
		"lines that are no mails": "hello\n",
		"a mail without an id":    `{"to":"a@example.org"}` + "\n",
		"a word":                  "hello",
		"a line without end":      strings.Repeat("a", 100<<10),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "outbox")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := outbox.Open(path); err == nil || !strings.Contains(err.Error(), "not an outbox") {
				t.Errorf("open: %v", err)
			}
			if left, err := os.ReadFile(path); err != nil || string(left) != text {
				t.Errorf("it holds %.80q", left)
			}
		})
	}
}
