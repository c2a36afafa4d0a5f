"""The version of each peer, what to install with it, and every patch: the one place that lists them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A package to install, and what it needs."""

    package: str
    version: str
    extra_packages: Sequence[str] = ()
    """Installed with it."""
    dependencies: Sequence[str] = ()
    """Installed instead of the package's own dependencies, if those cannot be installed."""
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    patches: Sequence[str] = ()
    """Changes without which it does not work, in words, for the report."""


AGENT_MEMORY_SERVER = Peer(
    "agent-memory-server",
    "0.15.2",
    # The versions of its own lock file, except litellm: the package requires less than 1.82.7.
    dependencies=(
        *("agent-memory-client==0.14.0", "anthropic==0.75.0", "bcrypt==5.0.0", "cachetools==6.2.2", "click==8.3.1"),
        *("cryptography==48.0.1", "fastapi==0.138.2", "httpx==0.28.1", "litellm==1.82.6", "mcp==1.23.1"),
        *("numpy==2.3.5", "openai==2.44.0", "pydantic==2.12.5", "pydantic-settings==2.14.2", "pydocket==0.18.2"),
        *("python-dotenv==1.2.2", "python-jose[cryptography]==3.5.0", "python-ulid==3.1.0", "PyYAML==6.0.3"),
        *("redis==6.4.0", "redisvl==0.12.1", "sniffio==1.3.1", "starlette==1.3.1", "structlog==25.5.0"),
        *("tiktoken==0.12.0", "transformers==4.57.3", "uvicorn==0.38.0"),
    ),
    python="3.12",
    patches=("installed without its own dependencies: it requires agent-memory-client 0.14.1, which is not published",),
)
CHROMA = Peer("chromadb", "1.5.9")
BETTERDB = Peer("betterdb-agent-memory", "0.7.0", extra_packages=("numpy==2.4.6", "valkey==6.2.0"))
MEM0 = Peer(
    "mem0ai",
    "2.2.1",
    extra_packages=("numpy==2.4.6", "pytz==2026.6", "valkey==6.2.0"),
    patches=(
        "`_create_index` only sends its own FT.CREATE: it does not recognize RediSearch's error for a missing index",
        "`_execute_search` sorts by distance: valkey-search does so by default, RediSearch returns any ten of sixty",
    ),
)
LANGGRAPH = Peer(
    "langgraph-checkpoint-aws", "1.2.6", extra_packages=("numpy==2.4.6", "valkey==6.2.0", "orjson==3.13.0")
)
