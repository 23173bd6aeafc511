package view

import (
	"fmt"
	"strings"
)

// mostMarkdown is how long a comment may be on the forges: in characters there,
// in bytes here, which are never fewer.
const mostMarkdown = 65_536

// part is a part of a page that may have more rows than there is room for.
type part struct {
	title string // "Removals"
	one   string // what a row is, for counting: "removal", "removals"
	many  string
	// least is how much room is kept for the part whatever stands before it.
	least  int
	blocks []block
}

// block is rows with what stands around them.
type block struct {
	open  string
	rows  []string
	close string
}

func (b *block) size() int {
	n := len(b.open) + len(b.close)
	for _, row := range b.rows {
		n += len(row)
	}
	return n
}

// notice is the most that a heading and the sentence about what does not fit take.
const notice = 400

func (p *part) size() int {
	n := notice
	for i := range p.blocks {
		n += p.blocks[i].size()
	}
	return n
}

func (p *part) count() int {
	n := 0
	for i := range p.blocks {
		n += len(p.blocks[i].rows)
	}
	return n
}

// writeParts writes parts in their order into so much room. An earlier part may
// take all of it but for what the later ones are sure of. Nothing is left out
// silently: what does not fit is counted, and whole says where it stands.
func writeParts(b *strings.Builder, parts []part, room int, whole string) {
	for i := range parts {
		p := &parts[i]
		if p.count() == 0 {
			continue
		}
		kept := 0
		for j := range parts[i+1:] {
			if later := &parts[i+1+j]; later.count() > 0 {
				kept += min(later.size(), later.least)
			}
		}
		before := b.Len()
		p.write(b, room-kept, whole)
		room -= b.Len() - before
	}
}

func (p *part) write(b *strings.Builder, room int, whole string) {
	fmt.Fprintf(b, "#### %s (%d)\n\n", p.title, p.count())
	room -= notice
	left := p.count()
	for i := range p.blocks {
		block := &p.blocks[i]
		shown, size := block.fit(room)
		if shown == 0 {
			break // a later one that would fit must not pass for all there is
		}
		b.WriteString(block.open + strings.Join(block.rows[:shown], "") + block.close)
		room -= size
		left -= shown
		if shown < len(block.rows) {
			break
		}
	}
	if left > 0 {
		fmt.Fprintf(b, "**%s not shown for want of room: see %s.**\n\n", Counted(left, p.one+" is", p.many+" are"), whole)
	}
}

// fit tells how many rows fit into some room, and how much they take of it.
func (b *block) fit(room int) (rows, size int) {
	size = len(b.open) + len(b.close)
	for i, row := range b.rows {
		if size+len(row) > room {
			return i, size
		}
		size += len(row)
	}
	return len(b.rows), size
}

// tableBlock is a table of rows of cells that are escaped already.
func tableBlock(head []string, rows [][]string) block {
	b := block{open: "| " + strings.Join(head, " | ") + " |\n|" + strings.Repeat(" --- |", len(head)) + "\n", close: "\n"}
	for _, row := range rows {
		b.rows = append(b.rows, "| "+strings.Join(row, " | ")+" |\n")
	}
	return b
}

// folded hides a block behind a line that opens it. The line is HTML, and is
// given as such.
func (b block) folded(line string) block {
	b.open = "<details><summary>" + line + "</summary>\n\n" + b.open
	b.close += "</details>\n\n"
	return b
}

// opened shows a folded block from the beginning.
func (b block) opened() block {
	b.open = strings.Replace(b.open, "<details>", "<details open>", 1)
	return b
}
