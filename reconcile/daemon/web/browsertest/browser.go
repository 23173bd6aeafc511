// Package browsertest opens pages in a real Chromium, for tests. They are skipped
// where nobody has named one:
//
//	CHARTER_CHROMIUM     the program
//	CHARTER_AXE          axe.min.js of axe-core, which judges accessibility
//	CHARTER_SCREENSHOTS  a folder for pictures, to be looked at; none are kept without
package browsertest

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long anything may take on a machine that has other work.
const patience = time.Minute

// Browser is one tab.
type Browser struct{ ctx context.Context }

// Open starts a browser with one tab. It ends with the test.
func Open(t testing.TB) *Browser {
	t.Helper()
	program := os.Getenv("CHARTER_CHROMIUM")
	if program == "" {
		t.Skip("CHARTER_CHROMIUM names no browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(patience))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses to be root in one
	}
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &Browser{ctx}
	if err := chromedp.Do(ctx); err != nil { // without a time limit: it would end the browser
		t.Fatalf("start %s: %v", program, err)
	}
	return b
}

// result does one thing and gives what came of it.
func result[T any](t testing.TB, b *Browser, what string, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return value
}

// Go opens a page.
func (b *Browser) Go(t testing.TB, url string) {
	t.Helper()
	result(t, b, "open "+url, chromedp.Navigate(url))
}

// Say gives what an expression of JavaScript is, as text.
func (b *Browser) Say(t testing.TB, expression string) string {
	t.Helper()
	return result(t, b, expression, chromedp.Evaluate[string]("String("+expression+")"))
}

// Await waits until an expression of JavaScript is true. While another page comes it
// cannot be told.
func (b *Browser) Await(t testing.TB, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if is {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("never true: %s (%v)\n%.2000s", expression, err, b.Say(t, "document.body.innerText"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Press presses keys, one after another.
func (b *Browser) Press(t testing.TB, keys ...string) {
	t.Helper()
	for _, key := range keys {
		result(t, b, "press "+key, chromedp.KeyEvent(key))
	}
}

// TabTo presses a key, such as the tab's, until the focus is on what a selector
// chooses, and fails where that cannot be reached.
func (b *Browser) TabTo(t testing.TB, key, selector string) {
	t.Helper()
	for range 200 {
		b.Press(t, key)
		if b.Say(t, "document.activeElement.matches("+quoted(selector)+")") == "true" {
			return
		}
	}
	t.Fatalf("the keyboard does not reach %s", selector)
}

// Dark shows pages as to those who prefer dark ones, or light ones.
func (b *Browser) Dark(t testing.TB, dark bool) {
	t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	result(t, b, value, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		})
		return err
	}))
}

// Axe fails for everything that axe-core finds wrong with a page.
func (b *Browser) Axe(t *testing.T) {
	t.Helper()
	file := os.Getenv("CHARTER_AXE")
	if file == "" {
		t.Log("not judged for accessibility: CHARTER_AXE names no axe.min.js")
		return
	}
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	result(t, b, "axe", chromedp.Evaluate[int](string(script)+";0"))
	found := result(t, b, "axe", chromedp.Evaluate[[]string](`axe.run(document, {resultTypes: ["violations"]}).then(r => {
		if (r.passes.length === 0) throw new Error("axe has looked at nothing");
		return r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 200) + ": " + n.failureSummary.split("\n").slice(1, 3).join(" ")));
	})`, chromedp.EvalAwaitPromise))
	for _, text := range found {
		t.Errorf("%s: %s", b.Say(t, "location.pathname"), text)
	}
}

// Window shows pages in so many pixels.
func (b *Browser) Window(t testing.TB, width, height int64) {
	t.Helper()
	result(t, b, "window", chromedp.EmulateViewport(width, height))
}

// Picture is the page as it is shown, and keeps it where pictures are kept.
func (b *Browser) Picture(t testing.TB, name string) image.Image {
	t.Helper()
	data := result(t, b, "picture", chromedp.CaptureScreenshot())
	if dir := os.Getenv("CHARTER_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// Brightness is how bright a picture is on the whole, from 0 to 255, and how many
// colours it has, up to a few: an empty page has one.
func Brightness(picture image.Image) (mean, colours int) {
	type colour struct{ r, g, b uint32 }
	seen := map[colour]bool{}
	bounds := picture.Bounds()
	sum, n := 0, 0
	for y := bounds.Min.Y; y < bounds.Max.Y; y += 3 {
		for x := bounds.Min.X; x < bounds.Max.X; x += 3 {
			r, g, b, _ := picture.At(x, y).RGBA()
			sum, n = sum+int(r+g+b)/3>>8, n+1
			if len(seen) < 64 {
				seen[colour{r, g, b}] = true
			}
		}
	}
	return sum / n, len(seen)
}

func quoted(text string) string { return "`" + strings.ReplaceAll(text, "`", "\\`") + "`" }
