package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestSystemdIsToldOfTheBeginningOfLifeAndOfTheEnd(t *testing.T) {
	dir, err := os.MkdirTemp("", "notify") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "s")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	env := map[string]string{"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000"}
	s := newSupervisor(func(key string) (string, bool) { value, set := env[key]; return value, set })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.watch(ctx, func() bool { return true }, slog.New(slog.DiscardHandler)); close(done) }()
	read := func() string {
		data := make([]byte, 100)
		n, err := socket.Read(data)
		if err != nil {
			t.Fatal(err)
		}
		return string(data[:n])
	}
	if got := read(); got != "READY=1" {
		t.Errorf("at first %q", got)
	}
	if got := read(); got != "WATCHDOG=1" {
		t.Errorf("then %q", got)
	}
	stop()
	<-done
	for got := read(); got != "STOPPING=1"; got = read() {
		if got != "WATCHDOG=1" {
			t.Fatalf("at last %q", got)
		}
	}
}

func TestTheWatchdogOfAnotherProcessIsNotOurs(t *testing.T) {
	env := map[string]string{"WATCHDOG_USEC": "2000", "WATCHDOG_PID": "1"}
	if s := newSupervisor(func(key string) (string, bool) { value, set := env[key]; return value, set }); s.every != 0 || s.socket != "" {
		t.Errorf("%+v", s)
	}
}
