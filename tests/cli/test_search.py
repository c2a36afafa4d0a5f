"""Output of `search`: the parts of a score, the context of a hit, and the summary."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from memory_service.rpc.server import RpcServer
from tests.cli.in_process import run_command_for
from tests.support.api import TIMEOUT, Stub, store_request

Search = Callable[..., Any]
TURNS = ["Hello", "The canary died", "Why did it?", "The gas"]


@pytest.fixture
async def search(stub: Stub, server: RpcServer, user: str) -> Search:
    """Return the output lines of a search in a chat of four messages."""
    for number, content in enumerate(TURNS):
        request = store_request(user, content, "mine")
        request.id = f"turn {number}"
        request.timestamp.CopyFrom(Timestamp(seconds=number))
        await stub.Store(request, timeout=TIMEOUT)

    async def lines(query: str, *options: str) -> list[str]:
        done = await run_command_for(server.address, "search", query, "-u", user, *options)
        return done.stdout.splitlines()

    return lines


async def test_a_plain_search_has_a_line_for_each_hit(search: Search) -> None:
    *hits, summary = await search("canaries")
    assert len(hits) == 4
    assert hits[0].split(maxsplit=1)[1] == "mine       user      The canary died"
    assert summary.startswith("4 hits")
    assert "terms" not in summary


async def test_a_rank_of_one_score_has_no_second_line(search: Search) -> None:
    hit, summary = await search("canaries", "--mode", "text")
    assert hit.endswith("The canary died")
    assert summary.endswith("terms canari")


async def test_the_parts_of_a_rank_are_below_the_hit(search: Search) -> None:
    both = ["--mode", "hybrid", "--text-weight", "0.7", "--recency", "12h", "--recency-weight", "0.1"]
    hit, parts, _ = await search("canaries", *both, "--diversity", "0.2", "-k", "1")
    assert "The canary died" in hit
    assert [part.split()[0] for part in parts.split("·")] == ["score", "text", "recency"]


async def test_a_search_for_unknown_words_says_so(search: Search) -> None:
    [summary] = await search("zebra", "--mode", "text")
    assert summary.startswith("no memory that matches the filter contains a word of the query")


async def test_excluded_memories_and_sessions_are_omitted(search: Search) -> None:
    assert not [
        line for line in await search("canaries", "--exclude-id", "turn 1", "--neighbors", "0.5") if "died" in line
    ]
    [summary] = await search("canaries", "--exclude-session", "mine", "--partial")
    assert summary.startswith("no memory matches the filter")


async def test_the_context_of_a_hit_is_below_it_in_order_of_time(search: Search) -> None:
    lines = await search("canary died", "-k", "4", "--before", "1", "--after", "1")
    assert [line.split("user")[1].strip() for line in lines[:5]] == ["The canary died", *TURNS]
    assert all(line.startswith("        mine") for line in lines[1:5])
    assert lines[5].startswith("+")
    assert "context: see above" in lines[6]
