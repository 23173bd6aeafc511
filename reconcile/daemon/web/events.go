package web

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	listeners = 64               // that may be told of passes at once
	keepAlive = 20 * time.Second // between two signs of life
	sendLimit = 10 * time.Second // for one of them
)

// events tells browsers that there is a new view.
type events struct {
	mu   sync.Mutex
	all  map[chan uint64]bool
	last uint64
	done chan struct{}
}

func newEvents() *events {
	return &events{all: map[chan uint64]bool{}, done: make(chan struct{})}
}

// publish tells everybody of the number of the newest view. It never waits: who
// is slow gets the newest number only.
func (e *events) publish(number uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = number
	for c := range e.all {
		select {
		case <-c:
		default:
		}
		c <- number
	}
}

// join adds a listener, or gives nil where there are enough.
func (e *events) join() chan uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.all) >= listeners {
		return nil
	}
	c := make(chan uint64, 1)
	c <- e.last
	e.all[c] = true
	return c
}

func (e *events) leave(c chan uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.all, c)
}

// ServeHTTP implements http.Handler.
func (e *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := e.join()
	if c == nil {
		http.Error(w, "too many listeners", http.StatusServiceUnavailable)
		return
	}
	defer e.leave(c)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		text := ": alive\n\n"
		select {
		case <-r.Context().Done():
			return
		case <-e.done:
			return
		case number := <-c:
			text = fmt.Sprintf("event: view\ndata: %d\n\n", number)
		case <-alive.C:
		}
		if out.SetWriteDeadline(time.Now().Add(sendLimit)) != nil {
			return
		}
		if _, err := fmt.Fprint(w, text); err != nil || out.Flush() != nil {
			return
		}
	}
}
