"""Runs a program for as long as its own standard input stays open.

The service holds the other end: when it dies, even by kill -9, the operating system closes it, and the program is
told to end. If this guard is killed itself, Linux kills the program through its parent-death signal. Uses only the
standard library: it starts before anything else is loaded.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1
_GRACE = 20.0
"""Seconds that the program has to save its data before it is killed."""


def main(command: list[str]) -> int:
    """Run `command`; return its exit status, 128 plus the number of the signal that ended it."""
    guard = os.getpid()

    def die_with_guard() -> None:
        if sys.platform == "linux":
            # Not SIGTERM: a program that hangs would stay, with nobody left to kill it.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guard:
                os._exit(1)

    # There is no shell, and no other thread yet, so preexec_fn is safe here. The program inherits the lock of its data.
    with subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_guard,  # noqa: PLW1509
        close_fds=False,
    ) as program:

        def end_with_service() -> None:
            while os.read(0, 1024):
                pass
            program.terminate()
            try:
                program.wait(_GRACE)
            except subprocess.TimeoutExpired:
                program.kill()

        threading.Thread(target=end_with_service, daemon=True).start()
        status = program.wait()
        return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
