package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// supervisor is systemd, where it has started this program: it wants to be told
// that the program is ready, and again and again that it lives.
type supervisor struct {
	socket string        // "" where nobody asks
	every  time.Duration // 0 where nobody watches
}

// newSupervisor reads what systemd says in the environment (sd_notify(3)).
func newSupervisor(env func(string) (string, bool)) *supervisor {
	s := &supervisor{}
	s.socket, _ = env("NOTIFY_SOCKET")
	micros, _ := env("WATCHDOG_USEC")
	pid, said := env("WATCHDOG_PID")
	if n, err := strconv.ParseInt(micros, 10, 64); err == nil && n > 0 && (!said || pid == strconv.Itoa(os.Getpid())) {
		s.every = time.Duration(n) * time.Microsecond / 2
	}
	return s
}

// watch says that the program is ready, that it lives for as long as it does, and
// that it ends.
func (s *supervisor) watch(ctx context.Context, alive func() bool, log *slog.Logger) {
	if s.socket == "" {
		return
	}
	s.say("READY=1", log)
	defer s.say("STOPPING=1", log)
	var tick <-chan time.Time
	if s.every > 0 {
		ticker := time.NewTicker(s.every)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if alive() {
				s.say("WATCHDOG=1", log)
			}
		}
	}
}

func (s *supervisor) say(state string, log *slog.Logger) {
	name := s.socket
	if name[0] == '@' { // an abstract socket
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(state))
		_ = conn.Close() // a datagram has gone or has not
	}
	if err != nil {
		log.Warn("systemd was not told", "state", state, "error", err)
	}
}
