"""The embedded engine: a Valkey server with its modules as a child process, installed from wheels."""

from memory_service.embedded.directory import DataDirInUse
from memory_service.embedded.supervisor import EmbeddedValkey, embedded_engine

__all__ = ["DataDirInUse", "EmbeddedValkey", "embedded_engine"]
