"""Access by API key: every method with every right, over a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.access import reloading_files
from memory_service.access.api_keys import read_keys
from memory_service.domain.errors import FailedPrecondition
from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.support.api import TIMEOUT
from tests.support.authorization_cases import CALLS, KEYS, drain, status_of, store
from tests.support.credentials import api_key, error_reason, server_with_auth, stub_with_credential
from tests.support.scale import examples


@pytest.fixture(scope="module")
async def server_with_keys(
    settings: Settings, server: RpcServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RpcServer]:
    """A server with the API keys of KEYS."""
    assert server, "the index exists"
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text("\n".join(entry for _, entry in KEYS.values()))
    async with server_with_auth(settings, api_keys=file) as one:
        yield one


MAY = {
    "backend": {"read", "write", "read and write", "delete", "admin", "read everyone"},
    "alice": {"read", "write", "read and write", "delete"},
    "reader": {"read"},
    "writer": {"write"},
}


def test_the_call_table_covers_every_method_of_the_contract() -> None:
    methods = {one.name for one in pb.DESCRIPTOR.services_by_name["MemoryService"].methods}
    assert {name.split(",")[0] for name in CALLS} == methods


@pytest.mark.parametrize("who", KEYS)
@pytest.mark.parametrize("name", CALLS)
async def test_a_caller_can_do_only_what_its_rights_allow(server_with_keys: RpcServer, who: str, name: str) -> None:
    right, call = CALLS[name]
    async with stub_with_credential(server_with_keys, KEYS[who][0]) as stub:
        code = await status_of(call(stub, "alice"))
    if right in MAY[who]:
        assert code in {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}
    else:
        assert code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("user", ["bob", "nobody at all", None])
@pytest.mark.parametrize("name", [name for name, (right, _) in CALLS.items() if right in MAY["alice"]])
async def test_a_caller_learns_nothing_about_other_users(
    server_with_keys: RpcServer, name: str, user: str | None
) -> None:
    async with stub_with_credential(server_with_keys, KEYS["backend"][0]) as stub:
        await stub.Store(store("bob"), timeout=TIMEOUT)
    async with stub_with_credential(server_with_keys, KEYS["alice"][0]) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CALLS[name][1](stub, user)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error_reason(caught.value) == "PERMISSION_DENIED"
    assert "bob" not in str(caught.value.details())
    assert "secret" not in str(caught.value.details())
    expected = "this API key or token has no access to the users of this call: set a user_id that it is for"
    assert caught.value.details() == expected


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer smk_unknown", "Bearer nonsense", "Bearer a.b.c"]
)
async def test_a_call_without_a_valid_credential_is_unauthenticated(
    server_with_keys: RpcServer, header: str | None
) -> None:
    metadata = () if header is None else (("authorization", header),)
    async with grpc.aio.insecure_channel(server_with_keys.address) as channel:
        search: Any = channel.unary_unary("/semantic_memory.v1.MemoryService/Search")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await search(b"\xff not even a message", metadata=metadata, timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, "the request is not parsed before"
    assert error_reason(caught.value) == "UNAUTHENTICATED"
    assert "smk_" not in str(caught.value.details())


async def test_access_is_checked_before_the_request_is_validated(server_with_keys: RpcServer) -> None:
    invalid = pb.SearchRequest(query_text="x", filter=memory_pb2.MemoryFilter(user_id="bob", session_ids=[""]))
    async with stub_with_credential(server_with_keys, KEYS["alice"][0]) as stub:
        assert await status_of(drain(stub.Search(invalid, timeout=TIMEOUT))) is grpc.StatusCode.PERMISSION_DENIED


async def test_health_needs_no_credential(server_with_keys: RpcServer) -> None:
    async with grpc.aio.insecure_channel(server_with_keys.address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_keys_are_added_and_removed_without_a_restart(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading_files, "_CHECK_INTERVAL", 0.0)
    file = tmp_path / "keys.toml"
    (old, old_entry), (new, new_entry) = KEYS["reader"], api_key("new", ["alice"], "read")
    file.write_text(old_entry)

    async def accepts(key: str) -> bool:
        async with stub_with_credential(one, key) as stub:
            return await status_of(CALLS["List"][1](stub, "alice")) is grpc.StatusCode.OK

    async with server_with_auth(settings, api_keys=file) as one:
        assert [await accepts(old), await accepts(new)] == [True, False]
        file.write_text(new_entry)
        assert [await accepts(old), await accepts(new)] == [False, True]
        file.write_text("[[keys]]\nname = 'half writ")
        assert await accepts(new), "an invalid file changes nothing"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("keys = 3", "[[keys]]"),
        ("[[keys]]\nsha256 = 'x'", "no name"),
        ("[[keys]]\nname = 'a'\nsha256 = 'x'", "64 hexadecimal digits"),
        (f"[[keys]]\nname = 'a'\nsha256 = '{'0' * 64}'\nrights = []", "users must be"),
        (f"[[keys]]\nname = 'a'\nsha256 = '{'0' * 64}'\nusers = []\nrights = []", "users must be"),
        (f"[[keys]]\nname = 'a'\nsha256 = '{'0' * 64}'\nusers = '*'\nrights = ['fly']", "rights must be"),
        (f"[[keys]]\nname = 'a'\nsha256 = '{'0' * 64}'\nusers = '*'\nrights = []\nkey = 'k'", "unknown entry"),
    ],
)
async def test_an_invalid_key_file_stops_the_start_with_a_reason(
    settings: Settings, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(content)
    with pytest.raises(FailedPrecondition) as stopped:
        async with server_with_auth(settings, api_keys=file):
            pass
    assert "MEMORY_API_KEYS" in stopped.value.message
    assert message in stopped.value.message


@given(st.text(min_size=1), st.none() | st.lists(st.text(min_size=1), min_size=1, max_size=3, unique=True))
def test_a_key_entry_reads_back_as_its_caller(name: str, users: list[str] | None) -> None:
    _, entry = api_key(name, users, "read", "admin")
    [caller] = read_keys(entry.encode("utf-8", "surrogatepass") if entry.isascii() else entry.encode()).values()
    assert caller.name == name
    assert caller.users == (None if users is None else frozenset(users))


@examples(30)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(lambda one: one != "alice"))
async def test_a_caller_cannot_read_any_other_user_id(server_with_keys: RpcServer, user: str) -> None:
    async with stub_with_credential(server_with_keys, KEYS["alice"][0]) as stub:
        assert await status_of(CALLS["List"][1](stub, user)) is grpc.StatusCode.PERMISSION_DENIED
