"""The command `memory-service`."""

import os
import sys

from memory_service import distribution

__all__ = ["main"]


def main() -> None:
    """Run the command."""
    # gRPC reads this when it is imported. Its lines about failed handshakes would repeat the errors of commands and
    # interrupt the JSON log of a server.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        from memory_service.cli.app import main as run  # noqa: PLC0415 - fails if `semantic_memory` is another module
    except Exception as error:
        if (reason := distribution.explain_import_error(error)) is None:
            raise
        sys.stderr.write(f"error: {reason}\n")
        sys.exit(1)
    run()
