package catalog

import "iter"

// Nearest returns the known name that a person most likely meant by name: the
// one with the fewest letters added, dropped, changed or swapped, if that is
// at most a third of the longer name's letters. Of equally near ones it takes
// the first. It returns "" where none is near.
func Nearest(name string, known iter.Seq[string]) string {
	if len(name) > 2*maxIDLength { // no name is that long, and the work is quadratic
		return ""
	}
	nearest, best := "", -1
	for candidate := range known {
		d := distance(name, candidate)
		if d <= max(1, max(len(name), len(candidate))/3) && (best < 0 || d < best) {
			nearest, best = candidate, d
		}
	}
	return nearest
}

// distance is the optimal string alignment distance of a and b, in bytes.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
