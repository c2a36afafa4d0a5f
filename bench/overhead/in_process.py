"""Store and Search in the caller's process: straight through GLIDE, and as the Valkey cookbook does it."""

import json
import struct
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import glide

from memory_service.domain.types import Embedding, Filter, Layout, Memory, Role
from memory_service.valkey import Connections
from memory_service.valkey.documents import MEMORY_FIELDS, encode_fields
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.queries import SearchTarget, filter_text, knn_command
from memory_service.valkey.replies import parse_search
from memory_service.valkey.url import parse_url

DIMENSION, USERS, K = 1536, 100, 10
INDEX = "bench_overhead"
CONTENT = "a message of some words about this and that"
Work = Callable[[int], Awaitable[object]]


def works_directly(connections: Connections, embeddings: Sequence[Embedding]) -> dict[str, Work]:
    """The same commands without a service, through the same pool."""

    async def store(n: int) -> object:
        slot = uuid.uuid4().hex
        memory = Memory(slot, f"user{n % USERS}", "s", Role.USER, CONTENT, n)
        fields = encode_fields(memory, ["messag", "word"], own_id=False)
        embedding = embeddings[n % len(embeddings)]
        return await connections.run(layout_of(Layout.JSON).insert(f"mem_{INDEX}:{slot}", fields, embedding))

    async def search(n: int) -> object:
        searching = SearchTarget(f"{INDEX}_flat", 5000, all_shards=False)
        where = filter_text(Filter(f"user{n % USERS}"))
        embedding = embeddings[n % len(embeddings)]
        reply = await connections.run(
            knn_command(searching, where, embedding, K, ef_runtime=None, returned=MEMORY_FIELDS)
        )
        return parse_search(reply, f"mem_{INDEX}:")

    return {"Store": store, "Search": search}


def works_by_the_book(client: Any, embeddings: Sequence[Embedding]) -> dict[str, Work]:
    """As the Valkey cookbook does it, with one connection."""

    async def store(n: int) -> object:
        document = {
            "session_id": "s",
            "user_id": f"user{n % USERS}",
            "role": "user",
            "content": CONTENT,
            "timestamp": time.time(),
            "embedding": [float(one) for one in embeddings[n % len(embeddings)]],
        }
        return await glide.glide_json.set(client, f"mem_{INDEX}:{uuid.uuid4()}", "$", json.dumps(document))

    async def search(n: int) -> object:
        query = f"(@user_id:{{user{n % USERS}}})=>[KNN {K} @embedding $vec AS score]"
        vec = struct.pack(f"{DIMENSION}f", *embeddings[n % len(embeddings)])
        command = ["FT.SEARCH", f"{INDEX}_flat", query, "PARAMS", "2", "vec", vec, "LIMIT", "0", str(K), "DIALECT", "2"]
        found = await client.custom_command(command)
        return [(json.loads(one[b"$"]), 1 - float(one[b"score"])) for one in found[1].values()]

    return {"Store": store, "Search": search}


async def one_connection(url: str) -> glide.GlideClient:
    """A client as the cookbook makes it; RESP2, for RediSearch."""
    settings = parse_url(url)
    password = settings.password
    return await glide.GlideClient.create(
        glide.GlideClientConfiguration(
            [glide.NodeAddress(one.host, one.port) for one in settings.addresses],
            credentials=None if password is None else glide.ServerCredentials(password, settings.username),
            protocol=glide.ProtocolVersion.RESP2,
            request_timeout=10_000,
        )
    )
