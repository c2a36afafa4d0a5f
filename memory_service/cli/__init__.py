"""The command `memory-service`."""

from memory_service.cli.app import main

__all__ = ["main"]
