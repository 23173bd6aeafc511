package ehrtest

import (
	"os/exec"
	"syscall"
)

// tie ends the process with this one, also where a test that takes too long ends
// without its cleanup.
func tie(process *exec.Cmd) {
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
