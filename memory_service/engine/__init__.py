"""The ports of the domain on Valkey with valkey-search or RediSearch, through valkey-glide. Knows no gRPC."""

from memory_service.engine.client import Address, ConnectionSettings
from memory_service.engine.connection import Connections
from memory_service.engine.indexes import ValkeyIndexes
from memory_service.engine.memories import ValkeyMemories
from memory_service.engine.probe import EngineProbe
from memory_service.engine.searches import ValkeySearches

__all__ = [
    "Address",
    "ConnectionSettings",
    "Connections",
    "EngineProbe",
    "ValkeyIndexes",
    "ValkeyMemories",
    "ValkeySearches",
]
