"""The command `memory-service`."""

import sys

from memory_service import distribution

__all__ = ["main"]


def main() -> None:
    """Run the command."""
    try:
        from memory_service.cli.app import main as run  # noqa: PLC0415 - fails where the client's module is another's
    except Exception as error:
        if (why := distribution.wrong_module(error)) is None:
            raise
        sys.stderr.write(f"error: {why}\n")
        sys.exit(1)
    run()
