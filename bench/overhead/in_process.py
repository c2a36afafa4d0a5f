"""Store and Search in the caller's process: the service's commands through GLIDE, and the Valkey cookbook's code."""

import json
import struct
import time
import uuid
from collections.abc import Sequence
from typing import Any

import glide

from bench.harness.rounds import Call
from bench.overhead.workload import CONTENT, DIMENSION, INDEX, USERS, K
from memory_service.domain.types import Embedding, Filter, Layout, Memory, Role
from memory_service.valkey import Connections
from memory_service.valkey.documents import MEMORY_FIELDS, encode_fields
from memory_service.valkey.layouts import layout_of
from memory_service.valkey.queries import SearchTarget, filter_text, knn_command
from memory_service.valkey.replies import parse_search
from memory_service.valkey.url import parse_url


def glide_calls(connections: Connections, embeddings: Sequence[Embedding]) -> dict[str, Call]:
    """Return calls that send the service's commands through the service's connection pool, by method."""

    async def store(n: int) -> object:
        memory_id = uuid.uuid4().hex
        memory = Memory(memory_id, f"user{n % USERS}", "s", Role.USER, CONTENT, n)
        fields = encode_fields(memory, ["messag", "word"], own_id=False)
        embedding = embeddings[n % len(embeddings)]
        return await connections.run(layout_of(Layout.JSON).insert(f"mem_{INDEX}:{memory_id}", fields, embedding))

    async def search(n: int) -> object:
        target = SearchTarget(f"{INDEX}_flat", 5000, all_shards=False)
        where = filter_text(Filter(f"user{n % USERS}"))
        embedding = embeddings[n % len(embeddings)]
        reply = await connections.run(knn_command(target, where, embedding, K, ef_runtime=None, returned=MEMORY_FIELDS))
        return parse_search(reply, f"mem_{INDEX}:")

    return {"Store": store, "Search": search}


def cookbook_calls(client: Any, embeddings: Sequence[Embedding]) -> dict[str, Call]:
    """Return calls as the Valkey cookbook makes them, with one connection, by method."""

    async def store(n: int) -> object:
        document = {
            "session_id": "s",
            "user_id": f"user{n % USERS}",
            "role": "user",
            "content": CONTENT,
            "timestamp": time.time(),
            "embedding": [float(number) for number in embeddings[n % len(embeddings)]],
        }
        return await glide.glide_json.set(client, f"mem_{INDEX}:{uuid.uuid4()}", "$", json.dumps(document))

    async def search(n: int) -> object:
        query = f"(@user_id:{{user{n % USERS}}})=>[KNN {K} @embedding $vec AS score]"
        vec = struct.pack(f"{DIMENSION}f", *embeddings[n % len(embeddings)])
        command = ["FT.SEARCH", f"{INDEX}_flat", query, "PARAMS", "2", "vec", vec, "LIMIT", "0", str(K), "DIALECT", "2"]
        reply = await client.custom_command(command)
        return [(json.loads(fields[b"$"]), 1 - float(fields[b"score"])) for fields in reply[1].values()]

    return {"Store": store, "Search": search}


async def cookbook_client(url: str) -> glide.GlideClient:
    """Connect as the cookbook does, but by RESP2, for RediSearch."""
    settings = parse_url(url)
    password = settings.password
    return await glide.GlideClient.create(
        glide.GlideClientConfiguration(
            [glide.NodeAddress(address.host, address.port) for address in settings.addresses],
            credentials=None if password is None else glide.ServerCredentials(password, settings.username),
            protocol=glide.ProtocolVersion.RESP2,
            request_timeout=10_000,
        )
    )
