"""The embedded engine: a Valkey server with its modules as a child process, all of it from PyPI wheels."""

from memory_service.embedded.process import DataDirInUse, EmbeddedValkey, embedded_engine

__all__ = ["DataDirInUse", "EmbeddedValkey", "embedded_engine"]
