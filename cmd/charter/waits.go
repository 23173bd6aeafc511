package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// waits is a log that tells a person why nothing seems to happen: what is tried
// again and waited for, as sentences, at most one a second.
type waits struct {
	app  *app
	mu   sync.Mutex
	last time.Time
}

// Enabled lets through what is worth a person's while.
func (w *waits) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle says a record as a note.
func (w *waits) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.app.now()
	if r.Level < slog.LevelWarn && now.Sub(w.last) < time.Second {
		return nil
	}
	w.last = now
	var details []string
	r.Attrs(func(a slog.Attr) bool {
		details = append(details, fmt.Sprintf("%s %v", a.Key, a.Value))
		return true
	})
	text := r.Message
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	w.app.note("%s", text)
	return nil
}

// WithAttrs and WithGroup have nothing to add to a sentence.
func (w *waits) WithAttrs([]slog.Attr) slog.Handler { return w }

// WithGroup implements slog.Handler.
func (w *waits) WithGroup(string) slog.Handler { return w }
