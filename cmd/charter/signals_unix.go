//go:build unix

package main

import "syscall"

// What the signals of a running daemon ask for.
const (
	reloadSignal = syscall.SIGHUP
	passSignal   = syscall.SIGUSR1
)
