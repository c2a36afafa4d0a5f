"""A client of semantic_memory.v1.MemoryService, sync and asyncio. Its messages are in semantic_memory.v1."""

from semantic_memory.aio import AsyncHits, AsyncMemoryClient
from semantic_memory.client import MemoryClient
from semantic_memory.connection import TLS
from semantic_memory.embeddings import pack, unpack
from semantic_memory.errors import MemoryServiceError
from semantic_memory.hits import Hits

__all__ = ["TLS", "AsyncHits", "AsyncMemoryClient", "Hits", "MemoryClient", "MemoryServiceError", "pack", "unpack"]
