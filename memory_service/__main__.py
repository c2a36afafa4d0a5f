"""`python -m memory_service` is `memory-service`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - a checkout runs without pip, which would refuse this Python
    sys.exit(f"error: memory-service needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}")

from memory_service.cli import main

main()
