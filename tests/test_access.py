"""Who is let in, and to what: every method, every right, every kind of credential, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import jwt
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.access import tokens, watched
from memory_service.access.keys import read_keys
from memory_service.memory.errors import FailedPrecondition
from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.guarded import AUDIENCE, EVERYTHING, ISSUER, SIGNERS, api_key, guarded, jwks, reason, showing, token
from tests.world import TIMEOUT, Stub, packed

ALICE = memory_pb2.MemoryFilter(user_id="alice")
BOB = memory_pb2.MemoryFilter(user_id="bob")
EVERYONE = memory_pb2.MemoryFilter(all_users=True)

KEYS = {
    "backend": api_key("backend", None, "read", "write", "delete", "admin"),
    "alice": api_key("alice", ["alice"], "read", "write", "delete"),
    "reader": api_key("reader", ["alice"], "read"),
    "writer": api_key("writer", ["alice"], "write"),
}


@pytest.fixture(scope="module")
async def keyed(
    settings: Settings, server: RpcServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RpcServer]:
    """A server that knows the callers of KEYS."""
    assert server, "its index is there"
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text("\n".join(entry for _, entry in KEYS.values()))
    async with guarded(settings, api_keys=file) as one:
        yield one


async def drained(stream: Any) -> None:
    async for _ in stream:
        pass


def store(user: str, **more: Any) -> pb.StoreRequest:
    return pb.StoreRequest(
        user_id=user, role=memory_pb2.ROLE_USER, content="secret", embedding=packed(1.0), id="a", **more
    )


def where(user: str | None) -> memory_pb2.MemoryFilter:
    return memory_pb2.MemoryFilter(user_id=user or "", all_users=user is None)


CALLS: dict[str, tuple[str, Callable[[Stub, str | None], Awaitable[Any]]]] = {
    "Store": ("write", lambda m, user: m.Store(store(user or "anyone"), timeout=TIMEOUT)),
    "Store, telling near duplicates": (
        "read and write",
        lambda m, user: m.Store(store(user or "anyone", near_duplicate_min_score=0.5), timeout=TIMEOUT),
    ),
    "BatchStore": (
        "write",
        lambda m, user: m.BatchStore(
            pb.BatchStoreRequest(memories=[store("alice"), store(user or "anyone")]), timeout=TIMEOUT
        ),
    ),
    "Search": (
        "read",
        lambda m, user: drained(
            m.Search(pb.SearchRequest(query_embedding=packed(1.0), filter=where(user)), timeout=TIMEOUT)
        ),
    ),
    "List": ("read", lambda m, user: m.List(pb.ListRequest(filter=where(user), page_size=1), timeout=TIMEOUT)),
    "Get": (
        "read",
        lambda m, user: m.Get(pb.GetRequest(user_id=user or "", all_users=user is None, id="none"), timeout=TIMEOUT),
    ),
    "Delete": (
        "delete",
        lambda m, user: m.Delete(
            pb.DeleteRequest(user_id=user or "", all_users=user is None, ids=["none"]), timeout=TIMEOUT
        ),
    ),
    "DeleteMatching": (
        "delete",
        lambda m, user: m.DeleteMatching(
            pb.DeleteMatchingRequest(
                filter=memory_pb2.MemoryFilter(user_id=user or "", all_users=user is None, session_ids=["none"])
            ),
            timeout=TIMEOUT,
        ),
    ),
    "GetIndex": ("read everyone", lambda m, _: m.GetIndex(pb.GetIndexRequest(), timeout=TIMEOUT)),
    "ListIndexes": ("read everyone", lambda m, _: m.ListIndexes(pb.ListIndexesRequest(), timeout=TIMEOUT)),
    "EnsureIndex": ("admin", lambda m, _: m.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)),
    "DropIndex": ("admin", lambda m, _: m.DropIndex(pb.DropIndexRequest(index="test_none"), timeout=TIMEOUT)),
}
MAY = {
    "backend": {"read", "write", "read and write", "delete", "admin", "read everyone"},
    "alice": {"read", "write", "read and write", "delete"},
    "reader": {"read"},
    "writer": {"write"},
}


async def outcome(call: Awaitable[Any]) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_every_method_of_the_contract_is_tried_here() -> None:
    methods = {one.name for one in pb.DESCRIPTOR.services_by_name["MemoryService"].methods}
    assert {name.split(",")[0] for name in CALLS} == methods


@pytest.mark.parametrize("who", KEYS)
@pytest.mark.parametrize("name", CALLS)
async def test_a_caller_does_what_it_has_a_right_to_and_nothing_else(keyed: RpcServer, who: str, name: str) -> None:
    right, call = CALLS[name]
    async with showing(keyed, KEYS[who][0]) as memories:
        code = await outcome(call(memories, "alice"))
    if right in MAY[who]:
        assert code in {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}
    else:
        assert code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("user", ["bob", "nobody at all", None])
@pytest.mark.parametrize("name", [name for name, (right, _) in CALLS.items() if right in MAY["alice"]])
async def test_a_caller_learns_nothing_of_other_users(keyed: RpcServer, name: str, user: str | None) -> None:
    async with showing(keyed, KEYS["backend"][0]) as memories:
        await memories.Store(store("bob"), timeout=TIMEOUT)
    async with showing(keyed, KEYS["alice"][0]) as memories:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await CALLS[name][1](memories, user)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert reason(caught.value) == "PERMISSION_DENIED"
    assert "bob" not in str(caught.value.details())
    assert "secret" not in str(caught.value.details())
    assert caught.value.details() == "this key or token is for other users: name a user_id that it is for"


@pytest.mark.parametrize(
    "shown", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer smk_unknown", "Bearer nonsense", "Bearer a.b.c"]
)
async def test_without_a_good_credential_nobody_is_let_in(keyed: RpcServer, shown: str | None) -> None:
    metadata = () if shown is None else (("authorization", shown),)
    async with grpc.aio.insecure_channel(keyed.address) as channel:
        search: Any = channel.unary_unary("/semantic_memory.v1.MemoryService/Search")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await search(b"\xff not even a message", metadata=metadata, timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, "before anything is read of the request"
    assert reason(caught.value) == "UNAUTHENTICATED"
    assert "smk_" not in str(caught.value.details())


async def test_access_is_judged_before_validity(keyed: RpcServer) -> None:
    invalid = pb.SearchRequest(query_text="x", filter=memory_pb2.MemoryFilter(user_id="bob", session_ids=[""]))
    async with showing(keyed, KEYS["alice"][0]) as memories:
        assert await outcome(drained(memories.Search(invalid, timeout=TIMEOUT))) is grpc.StatusCode.PERMISSION_DENIED


async def test_health_needs_no_credential(keyed: RpcServer) -> None:
    async with grpc.aio.insecure_channel(keyed.address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_keys_come_and_go_without_a_restart(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "_LOOK_EVERY", 0.0)
    file = tmp_path / "keys.toml"
    (old, old_entry), (new, new_entry) = KEYS["reader"], api_key("new", ["alice"], "read")
    file.write_text(old_entry)

    async def lets_in(key: str) -> bool:
        async with showing(one, key) as memories:
            return await outcome(CALLS["List"][1](memories, "alice")) is grpc.StatusCode.OK

    async with guarded(settings, api_keys=file) as one:
        assert [await lets_in(old), await lets_in(new)] == [True, False]
        file.write_text(new_entry)
        assert [await lets_in(old), await lets_in(new)] == [False, True]
        file.write_text("[[keys]]\nname = 'half writ")
        assert await lets_in(new), "a file that is wrong changes nothing"


@pytest.mark.parametrize(
    ("content", "told"),
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
async def test_a_wrong_file_of_keys_stops_the_start_with_a_reason(
    settings: Settings, tmp_path: Path, content: str, told: str
) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(content)
    with pytest.raises(FailedPrecondition) as stopped:
        async with guarded(settings, api_keys=file):
            pass
    assert "MEMORY_API_KEYS" in stopped.value.message
    assert told in stopped.value.message


@given(st.text(min_size=1), st.none() | st.lists(st.text(min_size=1), min_size=1, max_size=3, unique=True))
def test_an_entry_reads_back_as_its_caller(name: str, users: list[str] | None) -> None:
    _, entry = api_key(name, users, "read", "admin")
    [caller] = read_keys(entry.encode("utf-8", "surrogatepass") if entry.isascii() else entry.encode()).values()
    assert caller.name == name
    assert caller.users == (None if users is None else frozenset(users))


@pytest.fixture(scope="module")
async def tokened(
    settings: Settings, server: RpcServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RpcServer]:
    """A server that takes tokens whose keys lie in a file."""
    assert server
    file = tmp_path_factory.mktemp("jwks") / "jwks.json"
    file.write_text(json.dumps(jwks()))
    async with guarded(settings, jwt_jwks=str(file), jwt_issuer=ISSUER, jwt_audience=AUDIENCE) as one:
        yield one


@pytest.mark.parametrize("algorithm", SIGNERS)
async def test_a_good_token_lets_its_user_in(tokened: RpcServer, algorithm: str) -> None:
    async with showing(tokened, token(algorithm)) as memories:
        assert await outcome(CALLS["Search"][1](memories, "alice")) is grpc.StatusCode.OK
        assert await outcome(CALLS["Store"][1](memories, "alice")) is grpc.StatusCode.OK
        assert await outcome(CALLS["Delete"][1](memories, "alice")) is grpc.StatusCode.PERMISSION_DENIED
        assert await outcome(CALLS["Search"][1](memories, "bob")) is grpc.StatusCode.PERMISSION_DENIED
        assert await outcome(CALLS["Search"][1](memories, None)) is grpc.StatusCode.PERMISSION_DENIED


async def test_claims_say_which_users_and_rights(tokened: RpcServer) -> None:
    async def may(call: str, user: str | None, **claims: Any) -> bool:
        async with showing(tokened, token(**claims)) as memories:
            return await outcome(CALLS[call][1](memories, user)) in {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}

    assert await may("Search", "bob", sub=None, scope=EVERYTHING)
    assert await may("Search", None, scope=EVERYTHING)
    assert await may("EnsureIndex", None, scope=EVERYTHING)
    assert not await may("Search", "alice", scope=None), "without rights there is none"
    assert not await may("Search", "alice", scope="read write"), "words of other services mean nothing here"
    assert not await may("Search", "alice", sub=None), "a token for no user is for none"


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "expired": lambda: token(exp=1),
    "not yet": lambda: token(nbf=4_000_000_000),
    "without an end": lambda: token(exp=None),
    "of another issuer": lambda: token(iss="https://evil.test"),
    "for another audience": lambda: token(aud="other-service"),
    "without an audience": lambda: token(aud=None),
    "of an unknown key": lambda: token(kid="unknown"),
    "signed by another key": lambda: token("RS256", kid="ES256"),
    "not signed": lambda: jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": 4e9, "sub": "alice"}, "", "none"),
    "signed with a shared secret": lambda: token("HS256", key="a-shared-secret-of-thirty-two-bytes", kid="RS256"),
    "tampered with": lambda: token()[:-4] + "AAAA",
    "no token": lambda: "a.b.c",
}


@pytest.mark.parametrize("case", BAD_TOKENS)
async def test_a_bad_token_lets_nobody_in(tokened: RpcServer, case: str) -> None:
    shown = BAD_TOKENS[case]()
    async with showing(tokened, shown) as memories:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await memories.List(pb.ListRequest(filter=ALICE), timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert shown not in str(caught.value.details())


class Provider:
    """An identity provider's URL of keys."""

    def __init__(self) -> None:
        self.keys = jwks()
        self.asked = 0
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(provider.keys).encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/jwks"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


async def test_keys_of_a_provider_rotate_and_made_up_ones_do_not_burden_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider()
    provider.keys = jwks("ES256")
    async with guarded(settings, jwt_jwks=provider.url, jwt_issuer=ISSUER, jwt_audience=AUDIENCE) as one:

        async def code(shown: str) -> grpc.StatusCode:
            async with showing(one, shown) as memories:
                return await outcome(CALLS["List"][1](memories, "alice"))

        assert await code(token("ES256")) is grpc.StatusCode.OK
        assert [await code(token(kid=f"made up {n}")) for n in range(20)] == [grpc.StatusCode.UNAUTHENTICATED] * 20
        assert provider.asked == 1
        provider.keys = jwks()
        monkeypatch.setattr(tokens, "_PAUSE", 0.0)
        assert await code(token("EdDSA")) is grpc.StatusCode.OK, "a new key is fetched when it is first met"
        provider.stop()
        monkeypatch.setattr(tokens, "_FRESH", 0.0)
        assert await code(token("RS256")) is grpc.StatusCode.OK, "while the provider is away the known keys hold"


async def test_a_provider_that_never_answered_is_unavailable(settings: Settings) -> None:
    nowhere = "http://127.0.0.1:9/jwks"
    async with (
        guarded(settings, jwt_jwks=nowhere, jwt_issuer=ISSUER, jwt_audience=AUDIENCE) as one,
        showing(one, token()) as memories,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await memories.List(pb.ListRequest(filter=ALICE), timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(caught.value) == "ACCESS_UNAVAILABLE"


def retry_delay(error: grpc.aio.AioRpcError) -> float:
    status = rpc_status.from_call(error)
    info = error_details_pb2.RetryInfo()
    assert status is not None
    assert any(one.Unpack(info) for one in status.details)
    return float(info.retry_delay.ToTimedelta().total_seconds())


async def test_a_caller_has_a_rate_and_others_are_not_touched_by_it(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text("\n".join(entry for _, entry in KEYS.values()))
    async with guarded(settings, api_keys=file, caller_rate=5.0) as one:
        async with showing(one, KEYS["alice"][0]) as memories:
            calls = [memories.List(pb.ListRequest(filter=ALICE, page_size=1), timeout=TIMEOUT) for _ in range(40)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
        shed = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
        assert 20 < len(shed) < 40
        assert {error.code() for error in shed} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert 0 < retry_delay(shed[0]) <= 1
        async with showing(one, KEYS["reader"][0]) as memories:
            assert await outcome(CALLS["List"][1](memories, "alice")) is grpc.StatusCode.OK


async def test_a_caller_has_so_many_calls_in_flight(settings: Settings) -> None:
    async with guarded(settings, caller_in_flight=2) as one, showing(one) as memories:
        calls = [memories.Store(pb.StoreRequest(user_id="in flight", role=1, content=f"{n}" * 500)) for n in range(20)]  # type: ignore[arg-type]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        shed = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
        assert shed
        assert {error.code() for error in shed} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert retry_delay(shed[0]) > 0
        await memories.List(pb.ListRequest(filter=ALICE), timeout=TIMEOUT)


async def test_answers_are_held_within_a_budget(settings: Settings, user: str) -> None:
    async with guarded(settings, answer_bytes=2**20) as one, showing(one) as memories:
        items = [store(user) for _ in range(20)]
        for number, item in enumerate(items):
            item.id, item.content = f"{number}", "x" * 20_000
        await memories.BatchStore(pb.BatchStoreRequest(memories=items), timeout=TIMEOUT)
        request = pb.SearchRequest(query_embedding=packed(1.0), filter=memory_pb2.MemoryFilter(user_id=user), k=20)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drained(memories.Search(request, timeout=TIMEOUT))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        request.k = 5
        await drained(memories.Search(request, timeout=TIMEOUT))


@settings(max_examples=30)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(lambda one: one != "alice"))
async def test_no_other_id_is_within_a_callers_users(keyed: RpcServer, user: str) -> None:
    async with showing(keyed, KEYS["alice"][0]) as memories:
        assert await outcome(CALLS["List"][1](memories, user)) is grpc.StatusCode.PERMISSION_DENIED
