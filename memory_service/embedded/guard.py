"""Runs a program for as long as its own standard input stays open.

The service holds the other end: when it dies, even by kill -9, the operating system closes it, and the program is
told to end. Should this guard be killed itself, Linux ends the program through its parent-death signal. Uses only the
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


def _die_with_guard() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main(command: list[str]) -> int:
    """Run `command`; return its exit status."""
    # Not a shell and no other thread yet, so preexec_fn is safe here.
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_guard) as program:  # noqa: S603, PLW1509

        def end_with_service() -> None:
            while os.read(0, 1024):
                pass
            program.terminate()
            try:
                program.wait(_GRACE)
            except subprocess.TimeoutExpired:
                program.kill()

        threading.Thread(target=end_with_service, daemon=True).start()
        return program.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
