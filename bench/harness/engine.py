"""The Valkey that a benchmark runs on."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from memory_service.embedded import EmbeddedValkey


@contextlib.asynccontextmanager
async def embedded_engine(appendfsync: str = "no") -> AsyncIterator[str]:
    """Run an empty embedded Valkey while the context is open. Yield its URL."""
    with tempfile.TemporaryDirectory() as folder:
        valkey = EmbeddedValkey(Path(folder), appendfsync=appendfsync)
        await valkey.start()
        yield f"valkey://:{valkey.password}@127.0.0.1:{valkey.port}"
        await valkey.stop()
