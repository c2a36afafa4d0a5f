"""The rule in deploy/valkey.acl allows every call of the service, and nothing else."""

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.settings import Settings
from memory_service.valkey import Connections
from tests.support.api import TIMEOUT, packed_embedding, search
from tests.support.credentials import server_with_auth, stub_with_credential

pytestmark = pytest.mark.slow

RULE = Path(__file__).parents[2].joinpath("deploy", "valkey.acl").read_text().split()[2:]
COMMANDS = [word for word in RULE if word.startswith("+")]
CLUSTER_COMMANDS = {"+cluster|slots"}
SINGLE_NODE_COMMANDS = {"+info"}
"""GLIDE asks a single node whether it is the primary."""
OPTIONAL_COMMANDS = {"+client|setname", "+client|setinfo"}
"""GLIDE works without the right to set its name and version, but every connection would log a refusal."""


@asynccontextmanager
async def user_with_rule(engine: Connections, url: str, rule: list[str]) -> AsyncIterator[str]:
    """Yield the engine's URL for a new user with this rule."""
    name = f"acl_{uuid.uuid4().hex[:8]}"
    words = [">secret" if word.startswith(">") else word for word in rule]
    # For RediSearch, unlike valkey-search, an index name is a key.
    await engine.run(["ACL", "SETUSER", name, *words, "~test_*"])
    scheme, rest = url.split("://")
    try:
        yield f"{scheme}://{name}:secret@{rest.rpartition('@')[2]}"
    finally:
        await engine.run(["ACL", "DELUSER", name])


async def every_call_in_both_layouts(settings: Settings, url: str) -> None:
    """Make every call on a new index in each layout."""
    for layout in (index_pb2.LAYOUT_JSON, index_pb2.LAYOUT_HASH):
        await every_call(settings, url, layout)


async def every_call(settings: Settings, url: str, layout: index_pb2.Layout) -> None:
    """Make every call on a new index."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    alice = memory_pb2.MemoryFilter(user_id="alice")
    async with (
        server_with_auth(settings, valkey_url=SecretStr(url), index=name) as server,
        stub_with_credential(server) as stub,
    ):
        await stub.EnsureIndex(pb.EnsureIndexRequest(layout=layout), timeout=TIMEOUT)
        item = pb.StoreRequest(
            user_id="alice",
            role=memory_pb2.ROLE_USER,
            content="apple",
            embedding=packed_embedding(1.0),
            ttl=Duration(seconds=60),
        )
        stored = await stub.Store(item, timeout=TIMEOUT)
        await stub.BatchStore(pb.BatchStoreRequest(memories=[item, item]), timeout=TIMEOUT)
        for mode in (pb.SEARCH_MODE_VECTOR, pb.SEARCH_MODE_HYBRID):
            query = pb.SearchRequest(query_embedding=packed_embedding(1.0), filter=alice, mode=mode, diversity=0.1)
            query.query_text = "apple" if mode == pb.SEARCH_MODE_HYBRID else ""
            query.context.before = 1
            assert len((await search(stub, query))[0]) == 3
        await stub.Get(pb.GetRequest(user_id="alice", id=stored.id), timeout=TIMEOUT)
        page = await stub.List(pb.ListRequest(filter=alice, page_size=1), timeout=TIMEOUT)
        assert page.next_page_token
        await stub.Delete(pb.DeleteRequest(user_id="alice", ids=[stored.id]), timeout=TIMEOUT)
        await stub.DeleteMatching(pb.DeleteMatchingRequest(filter=alice), timeout=TIMEOUT)
        await stub.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)
        await stub.Store(item, timeout=TIMEOUT)
        dropped = await stub.DropIndex(pb.DropIndexRequest(index=name, delete_memories=True), timeout=TIMEOUT)
        assert dropped.deleted_memory_count == 1


async def test_the_acl_rule_allows_every_call(settings: Settings, engine: Connections, valkey_url: str) -> None:
    async with user_with_rule(engine, valkey_url, RULE) as url:
        await every_call_in_both_layouts(settings, url)


@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in OPTIONAL_COMMANDS | {"+ping"}])
async def test_every_command_of_the_acl_rule_is_needed(
    settings: Settings, engine: Connections, valkey_url: str, command: str
) -> None:
    cluster = "cluster=true" in urlsplit(valkey_url).query
    if command in (SINGLE_NODE_COMMANDS if cluster else CLUSTER_COMMANDS):
        pytest.skip("only the other kind of engine needs this command")
    async with user_with_rule(engine, valkey_url, [word for word in RULE if word != command]) as url:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await every_call_in_both_layouts(settings, url)
    assert failed.value.code() in {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNAVAILABLE}
    if command not in CLUSTER_COMMANDS:
        assert "ACL" in str(failed.value.details())


@pytest.mark.parametrize("key", ["session:1", "other", "mem", "membership:1", "semantic"])
async def test_the_acl_rule_denies_keys_of_other_software(engine: Connections, key: str) -> None:
    name = f"acl_{uuid.uuid4().hex[:8]}"
    await engine.run(["ACL", "SETUSER", name, *[">secret" if word.startswith(">") else word for word in RULE]])
    try:
        reply = bytes(await engine.run(["ACL", "DRYRUN", name, "GET", key]))
        assert re.search(rb"no permissions to access", reply)
        assert await engine.run(["ACL", "DRYRUN", name, "GET", "semantic_memory:secret"]) in {b"OK", "OK"}
    finally:
        await engine.run(["ACL", "DELUSER", name])


async def test_an_unreadable_index_does_not_hide_others(
    settings: Settings, engine: Connections, valkey_url: str
) -> None:
    name = f"other_{uuid.uuid4().hex[:8]}"
    await engine.run(["FT.CREATE", name, "ON", "HASH", "PREFIX", "1", f"{name}:", "SCHEMA", "a", "AS", "a", "NUMERIC"])
    try:
        async with (
            user_with_rule(engine, valkey_url, RULE) as url,
            server_with_auth(settings, valkey_url=SecretStr(url)) as server,
            stub_with_credential(server) as stub,
        ):
            await stub.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
            answer = await stub.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)
        assert settings.index in {one.name for one in answer.indexes}
        assert name not in {one.name for one in answer.indexes}
    finally:
        await engine.run(["FT.DROPINDEX", name])
