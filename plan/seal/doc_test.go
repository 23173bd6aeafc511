package seal_test

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// The package comment's worked example is the one that is run.
func TestPackageCommentShowsTheExample(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := goLines(file.Doc.Text())
	if len(lines) == 0 {
		t.Fatal("no Go code in the package comment")
	}
	for _, line := range lines {
		if !strings.Contains(string(example), "\t"+line+"\n") {
			t.Errorf("not in the example: %s", line)
		}
	}
}

// goLines returns the lines of the first block of code in a comment.
func goLines(text string) []string {
	var p comment.Parser
	for _, block := range p.Parse(text).Content {
		if code, ok := block.(*comment.Code); ok {
			return strings.FieldsFunc(code.Text, func(r rune) bool { return r == '\n' })
		}
	}
	return nil
}
