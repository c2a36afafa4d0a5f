"""The engine port on Valkey with valkey-search or RediSearch, through valkey-glide. Knows no gRPC."""

from memory_service.engine.connection import Address, ConnectionSettings, Connections
from memory_service.engine.valkey import ValkeyEngine

__all__ = ["Address", "ConnectionSettings", "Connections", "ValkeyEngine"]
