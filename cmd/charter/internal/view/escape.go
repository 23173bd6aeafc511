package view

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes Markdown show a text and not interpret it, wherever in a line it
// stands but at its beginning. Forges read more into a text than Markdown does,
// after it was rendered: names of people and numbers of issues are therefore
// parted from their sign by a space of no width.
func Escape(text string) string {
	var b strings.Builder
	clean := Clean(text)
	for i, r := range clean {
		b.WriteString(escaped(clean[:i], r, clean[i+utf8.RuneLen(r):]))
	}
	return b.String()
}

// noWidth is a space of no width, which parts what would be read as one.
const noWidth = "&#8203;"

// escaped writes one character, by what stands before and after it.
func escaped(before string, r rune, after string) string {
	last, _ := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(after)
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
	switch {
	case r == '&' || r == '<' || r == '>':
		return html.EscapeString(string(r))
	case r == '@' && word(last):
		return "&#64;" // of an address, which stays fit to be copied
	case r == '@':
		return "&#64;" + noWidth
	case r == '#' && word(next):
		return "&#35;" + noWidth
	case strings.ContainsRune("\\`*_[]|~#$", r), r == '(' && last == ']':
		return `\` + string(r)
	case r == ':' && next == '/', r == '.' && len(before) >= 3 && strings.EqualFold(before[len(before)-3:], "www"):
		return `\` + string(r) // an address is no link
	}
	return string(r)
}

// code shows an identifier, a route or a place as code, where it is made of
// nothing else than such things are made of.
func code(text string) string {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("-_./:+{}", r)
	}
	switch {
	case text == "":
		return ""
	case strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }):
		return Escape(clip(text))
	}
	return "`" + clip(text) + "`"
}

// commandCode shows a command of ours as code, to be copied, and any other text as code
// does.
func commandCode(text string) string {
	words := strings.Split(text, " ")
	plain := words[0] == "charter"
	for _, word := range words {
		plain = plain && code(word) == "`"+word+"`"
	}
	if plain {
		return "`" + text + "`"
	}
	return code(text)
}

// longest is how many characters of one text stand in a comment or a page cell.
const longest = 600

// clip shortens a text that nobody would read to its end, and says so.
func clip(text string) string {
	n := utf8.RuneCountInString(text)
	if n <= longest {
		return text
	}
	return string([]rune(text)[:longest]) + "… (and " + Counted(n-longest, "character", "characters") + " more)"
}
