//go:build !unix

package main

import "syscall"

// What the signals of a running daemon ask for. Where there is no SIGUSR1 nothing
// asks for a pass.
const (
	reloadSignal = syscall.SIGHUP
	passSignal   = syscall.Signal(-1)
)
