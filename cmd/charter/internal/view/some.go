package view

import (
	"fmt"
	"strings"
)

// few is how many of a list a sentence names.
const few = 10

// Some names the first few of a list, and says how many more there are.
func Some[T any](list []T) string {
	var names []string
	for i, item := range list {
		if i == few {
			names = append(names, fmt.Sprintf("and %d more", len(list)-few))
			break
		}
		names = append(names, Clean(fmt.Sprint(item)))
	}
	return strings.Join(names, ", ")
}
