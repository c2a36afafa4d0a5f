"""The engine port on Valkey with valkey-search or RediSearch, through valkey-glide. Knows no gRPC."""

from memory_service.engine.connection import Address, Connections, ConnectionSettings
from memory_service.engine.valkey import ValkeyEngine

__all__ = ["Address", "ConnectionSettings", "Connections", "ValkeyEngine"]
