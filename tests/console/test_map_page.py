"""The map page on the real service and engine."""

import re
from collections import Counter

import httpx
import pytest

from memory_service.console import map_view
from tests.support.api import TIMEOUT, Stub, packed_embedding, store_request
from tests.support.console_pages import get_page, store_messages


def point_count(html: str) -> int:
    return html.count('tabindex="-1" aria-labelledby="memory-')


def legend(html: str) -> list[tuple[str, str, int]]:
    """Colour class, name and number of memories of each group."""
    entries = re.findall(
        r'class="(g\d)" data-group="\d+"><svg.*?<bdi>(.*?)</bdi> <span class="hint">([\d,]+)</span>', html
    )
    return [(colour, name, int(count.replace(",", ""))) for colour, name, count in entries]


async def test_map_has_a_point_and_a_table_row_for_each_memory(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    assert "This user has no memories" in await get_page(http, "/map", user=user)
    await store_messages(stub, user, "single message")
    assert point_count(await get_page(http, "/map", user=user)) == 1
    ids = await store_messages(stub, user, "tomatoes and basil", "basil and tomatoes", session="s2")
    html = await get_page(http, "/map", user=user)
    assert point_count(html) == 3
    assert point_count(await get_page(http, "/map", user=user, session="s1")) == 1
    rows = re.findall(r'<tr><td class="text" id="memory-(\d)" dir="auto"><a href="([^"]+)">(.*?)</a>', html)
    assert {text for _, _, text in rows} == {"single message", "tomatoes and basil", "basil and tomatoes"}
    assert sum(f"id={id_}" in href for _, href, _ in rows for id_ in ids) == 2
    # Points are named by their table row.
    assert set(re.findall(r'aria-labelledby="memory-(\d)"', html)) == {number for number, _, _ in rows}


async def test_map_of_many_sessions_has_few_colours(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    for number in range(9):
        await store_messages(stub, user, *["small talk"] * (1 + (number < 2)), session=f"s{number}")
    by_session = legend(await get_page(http, "/map", user=user, colour="session"))
    assert [colour for colour, _, _ in by_session] == ["g0", "g1", "g2", "g3", "g4", "g5", "g6"]
    assert {name for _, name, _ in by_session[:2]} == {"s0", "s1"}
    assert by_session[-1] == ("g6", "3 other sessions", 3)
    by_content = legend(await get_page(http, "/map", user=user))
    assert sum(count for _, _, count in by_content) == 11
    assert len(by_content) <= 6


async def test_map_is_coloured_by_label(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    for labels in (["ops", "urgent"], ["ops"], ["garden"], []):
        request = store_request(user, f"message with {labels}")
        request.labels.extend(labels)
        await stub.Store(request, timeout=TIMEOUT)
    html = await get_page(http, "/map", user=user, colour="label")
    assert legend(html) == [("g0", "ops", 2), ("g1", "garden", 1), ("g6", "no label", 1)]
    assert f'href="/map?any_label=garden&amp;user={user}"' in html
    assert point_count(await get_page(http, "/map", user=user, any_label="garden")) == 1


async def test_similar_memories_share_a_colour(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    garden = ["Tomatoes need sun", "Water the tomatoes", "Basil needs sun", "Plant tomatoes in May"]
    alarms = [
        "The p99 latency alarm fired",
        "Latency alarm again",
        "The alarm for latency is flaky",
        "p99 alarm resolved",
    ]
    await store_messages(stub, user, *garden, *alarms)
    html = await get_page(http, "/map", user=user)
    groups = re.findall(r'<tr><td class="text"[^>]*><a [^>]*>(.*?)</a></td><td>(\d)', html)
    numbers = dict(groups)
    assert len({numbers[text] for text in garden}) == 1
    assert len({numbers[text] for text in alarms}) == 1
    assert numbers[garden[0]] != numbers[alarms[0]]
    assert {name for _, name, _ in legend(html)} <= set(garden + alarms)


async def test_outlier_is_drawn_at_the_edge(http: httpx.AsyncClient, stub: Stub, user: str) -> None:
    for number in range(25):
        request = store_request(user, f"message {number}")
        # The last embedding is at a right angle to the others, which differ by a few degrees.
        request.embedding = (
            packed_embedding(0, 0, 1)
            if number == 24
            else packed_embedding(1, 0.01 * (number % 5), 0, 0.01 * (number % 7))
        )
        request.embedding_model = "all-minilm-l6-v2-int8"
        await stub.Store(request, timeout=TIMEOUT)
    html = await get_page(http, "/map", user=user)
    assert "1 outlier is drawn at the edge" in html
    points = re.findall(r'<a( class="outlier")? href="[^"]+" [^>]*translate\(([-\d.]+) ([-\d.]+)\)', html)
    distances = {bool(outlier): set[float]() for outlier, _, _ in points}
    for outlier, x, y in points:
        distances[bool(outlier)].add(max(abs(float(x)), abs(float(y))))
    assert distances[True] == {1.0}
    # The other points use the space.
    assert max(distances[False]) > 0.6


async def test_older_memories_are_on_further_maps(
    http: httpx.AsyncClient, stub: Stub, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_view, "MAP_LIMIT", 3)
    await store_messages(stub, user, *[f"message {number}" for number in range(7)])
    shown: Counter[str] = Counter()
    html = await get_page(http, "/map", user=user, colour="session")
    assert "3 memories, the newest." in html
    counts = []
    while True:
        counts.append(point_count(html))
        shown.update(re.findall(r">(message \d)</a></td>", html))
        links = re.findall(r'<a href="([^"]+)" rel="next">Show older memories', html)
        if not links:
            break
        assert "colour=session" in links[0]
        html = (await http.get(links[0].replace("&amp;", "&"))).text
    assert counts == [3, 3, 1]
    assert shown == {f"message {number}": 1 for number in range(7)}


async def test_map_shows_an_error_of_the_api(http: httpx.AsyncClient) -> None:
    html = await get_page(http, "/map", 400, user="u", older="no token")
    assert "page_token" in html
    assert "INVALID_ARGUMENT" in html
