"""Run a program for as long as the standard input of this guard stays open.

The service has the other end of that pipe. When the service exits, even by SIGKILL, the operating system closes the
pipe and the guard stops the program. If the guard itself is killed, Linux kills the program by its parent-death signal.
The guard uses only the standard library, so that it starts fast.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1
_GRACE = 20.0
"""Seconds for the program to save its data before it is killed."""


def main(command: list[str]) -> int:
    """Run `command`; return its exit status, or 128 plus the signal that ended it."""
    guard = os.getpid()

    def exit_with_guard() -> None:
        if sys.platform == "linux":
            # Not SIGTERM: a program that hangs would ignore it, and no process is left to kill it.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guard:
                os._exit(1)

    # preexec_fn is safe here: there are no threads yet. The program inherits the lock of its data directory.
    with subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=exit_with_guard,  # noqa: PLW1509
        close_fds=False,
    ) as program:

        def stop_with_service() -> None:
            while os.read(0, 1024):
                pass
            program.terminate()
            try:
                program.wait(_GRACE)
            except subprocess.TimeoutExpired:
                program.kill()

        threading.Thread(target=stop_with_service, daemon=True).start()
        status = program.wait()
        return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
