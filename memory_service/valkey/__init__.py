"""The ports of the domain on Valkey with valkey-search or RediSearch, through valkey-glide. Does not depend on gRPC."""

from memory_service.valkey.client import Address, ConnectionSettings
from memory_service.valkey.connections import Connections
from memory_service.valkey.indexes import ValkeyIndexes
from memory_service.valkey.memories import ValkeyMemories
from memory_service.valkey.probe import EngineProbe
from memory_service.valkey.searches import ValkeySearches

__all__ = [
    "Address",
    "ConnectionSettings",
    "Connections",
    "EngineProbe",
    "ValkeyIndexes",
    "ValkeyMemories",
    "ValkeySearches",
]
