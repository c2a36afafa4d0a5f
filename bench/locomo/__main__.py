"""How well each way to search finds the evidence of LoCoMo's questions, through the gRPC API, at turn level.

    python -m bench.locomo --data PATH [--picture bench/locomo.png] [--one-user 10000] [--valkey URL]

LoCoMo (Maharana et al., ACL 2024) is read from where it lies. Every turn of a conversation is stored as
`speaker: text`, with the local model, the user being the conversation; every question is asked of its conversation's
turns. Printed are hit@k (some evidence turn among the first k), recall@10 (share of the evidence turns among the first
ten) and MRR (of the first evidence turn), averaged over questions; the time of a query, asked by one caller, with the
embedding of its text; and how many of the exactly nearest ten VECTOR finds.

`--one-user N` then stores the turns again and again as one user's until there are N, and compares the times of modes
side by side, each asked in turn. `--valkey` names another engine than an embedded one.
"""

import argparse
import contextlib
import itertools
import json
import logging
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from matplotlib.figure import Figure
from pydantic import SecretStr
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli.client import Stub, connect
from memory_service.embedded import EmbeddedValkey
from memory_service.embedding.local import LocalEmbedder
from memory_service.logs import log_to_stderr
from memory_service.server import run_server
from memory_service.settings import Settings

DEPTH = 20
TIMEOUT = 60
MODES: dict[str, dict[str, Any]] = {
    "VECTOR": {"mode": pb.SEARCH_MODE_VECTOR},
    "VECTOR, neighbors": {"mode": pb.SEARCH_MODE_VECTOR, "neighbor_weight": 0.5},
    "TEXT": {"mode": pb.SEARCH_MODE_TEXT},
    "TEXT, neighbors": {"mode": pb.SEARCH_MODE_TEXT, "neighbor_weight": 0.5},
    "HYBRID": {"mode": pb.SEARCH_MODE_HYBRID},
    "HYBRID, neighbors": {"mode": pb.SEARCH_MODE_HYBRID, "neighbor_weight": 0.5},
}
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}


@dataclass(frozen=True)
class Answer:
    """The ranks of a question's evidence turns, from 0, `inf` beyond DEPTH; and the seconds it took."""

    category: int
    ranks: list[float]
    seconds: float


def hit(answers: Sequence[Answer], k: int) -> float:
    """Share of questions with some evidence among the first k."""
    return statistics.fmean(min(one.ranks) < k for one in answers)


def recall(answers: Sequence[Answer], k: int) -> float:
    """Mean share of a question's evidence among the first k."""
    return statistics.fmean(statistics.fmean(rank < k for rank in one.ranks) for one in answers)


def mrr(answers: Sequence[Answer]) -> float:
    """Mean of 1 / (1 + rank of the first evidence), 0 beyond DEPTH."""
    return statistics.fmean(1 / (1 + min(one.ranks)) for one in answers)


async def main(conversations: list[dict[str, Any]], picture: Path | None, one_user: int, valkey: str) -> None:
    """Store, ask, and print."""
    async with contextlib.AsyncExitStack() as stack:
        url = valkey or await stack.enter_async_context(embedded())
        memories = await stack.enter_async_context(served(url))
        for conversation in conversations:
            await store(memories, turns(conversation, conversation["sample_id"]))
        answers = {name: await ask(memories, conversations, options) for name, options in MODES.items()}
        print_quality(answers)
        if picture is not None:
            draw(answers, picture)
        await print_exactness(memories, conversations)
        if one_user:
            await print_times(memories, conversations, one_user)


@contextlib.asynccontextmanager
async def embedded(appendfsync: str = "no") -> AsyncIterator[str]:
    """A new engine."""
    with tempfile.TemporaryDirectory() as folder:
        valkey = EmbeddedValkey(Path(folder), appendfsync=appendfsync)
        await valkey.start()
        yield f"valkey://:{valkey.password}@127.0.0.1:{valkey.port}"
        await valkey.stop()


@contextlib.asynccontextmanager
async def served(url: str) -> AsyncIterator[Stub]:
    """A client of a new server on this engine, with an index of its own while it lasts."""
    settings = Settings(listen="127.0.0.1:0", valkey_url=SecretStr(url), drain=0, index="bench_locomo")
    async with run_server(settings) as server, connect(server.address) as memories:
        await memories.EnsureIndex(pb.EnsureIndexRequest(), timeout=TIMEOUT)
        yield memories
        await memories.DropIndex(pb.DropIndexRequest(index="bench_locomo", delete_memories=True), timeout=TIMEOUT)


def turns(conversation: dict[str, Any], user: str) -> Iterator[pb.StoreRequest]:
    """What is stored of a conversation: its turns, half a minute apart."""
    place: dict[str, int] = {}
    for turn in conversation["turns"]:
        number = place[turn["session"]] = place.get(turn["session"], -1) + 1
        start = datetime.strptime(turn["session_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        request = pb.StoreRequest(
            id=turn["dia_id"],
            user_id=user,
            session_id=turn["session"],
            role=memory_pb2.ROLE_USER,
            content=f"{turn['speaker']}: {turn['text']}",
        )
        request.timestamp.FromSeconds(int(start.timestamp()) + 30 * number)
        yield request


async def store(memories: Stub, requests: Iterator[pb.StoreRequest]) -> None:
    """Store all of these, a hundred at a time."""
    while batch := list(itertools.islice(requests, 100)):
        response = await memories.BatchStore(pb.BatchStoreRequest(memories=batch), timeout=TIMEOUT)
        assert all(one.HasField("stored") for one in response.results), response


async def ask(memories: Stub, conversations: list[dict[str, Any]], options: dict[str, Any]) -> list[Answer]:
    """Every question of every conversation, one after the other."""
    answers = []
    for conversation in conversations:
        where = memory_pb2.MemoryFilter(user_id=conversation["sample_id"])
        for one in conversation["qa"]:
            request = pb.SearchRequest(query_text=one["question"], filter=where, k=DEPTH, **options)
            found, seconds = await search(memories, request)
            ranks = [float(found.index(id_)) if id_ in found else float("inf") for id_ in one["evidence"]]
            answers.append(Answer(one["category"], ranks, seconds))
    return answers


async def search(memories: Stub, request: pb.SearchRequest) -> tuple[list[str], float]:
    """The ids of the hits, and the seconds that they took."""
    started = time.perf_counter()
    ids = [hit.memory.id async for response in memories.Search(request, timeout=TIMEOUT) for hit in response.hits]
    return ids, time.perf_counter() - started


def print_quality(answers: dict[str, list[Answer]]) -> None:
    """The table of modes, in all and per category."""
    count = len(next(iter(answers.values())))
    print(f"{count} questions, turn level\n")
    print("| mode | hit@1 | hit@5 | hit@10 | hit@20 | recall@10 | MRR | ms a query |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, all_of in answers.items():
        # A mode that comes first embeds the questions, which the cache then has for the others.
        milliseconds = statistics.median(one.seconds for one in all_of) * 1000
        hits = " | ".join(f"{hit(all_of, k):.3f}" for k in (1, 5, 10, 20))
        print(f"| {name} | {hits} | {recall(all_of, 10):.3f} | {mrr(all_of):.3f} | {milliseconds:.1f} |")
    print("\nhit@10 / recall@10 / MRR of each category\n")
    print(f"| mode | {' | '.join(CATEGORIES.values())} |\n| --- |{' --- |' * len(CATEGORIES)}")
    for name, all_of in answers.items():
        columns = []
        for category in CATEGORIES:
            some = [one for one in all_of if one.category == category]
            columns.append(f"{hit(some, 10):.3f} / {recall(some, 10):.3f} / {mrr(some):.3f}" if some else "-")
        print(f"| {name} | {' | '.join(columns)} |")


def draw(answers: dict[str, list[Answer]], picture: Path) -> None:
    """Recall against k, a line for each mode."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    depths = range(1, DEPTH + 1)
    for name, all_of in answers.items():
        colour = {"V": "C0", "T": "C1", "H": "C2"}[name[0]]
        style = "-" if "neighbors" in name else "--"
        axes.plot(depths, [recall(all_of, k) for k in depths], style, color=colour, label=name)
    axes.set(xlabel="k", ylabel="recall@k", ylim=(0, 1), xlim=(1, DEPTH), xticks=[1, 5, 10, 15, 20])
    axes.set_title("LoCoMo, turn level: share of the evidence among the first k", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(picture, dpi=130)


async def print_exactness(memories: Stub, conversations: list[dict[str, Any]]) -> None:
    """How many of the exactly nearest ten VECTOR finds, within each user and over everyone."""
    embedder = LocalEmbedder()
    stored = {one["sample_id"]: await embeddings(memories, one["sample_id"]) for one in conversations}
    everyone = {(user, id_): vector for user, of_user in stored.items() for id_, vector in of_user.items()}
    within, over_all = [], []
    for conversation in conversations:
        user = conversation["sample_id"]
        for one in conversation["qa"][::5]:
            query = (await embedder.embed(one["question"])).embedding
            where = memory_pb2.MemoryFilter(user_id=user)
            found, _ = await search(memories, pb.SearchRequest(query_text=one["question"], filter=where, k=10))
            within.append(len(set(found) & set(nearest(stored[user], query))) / 10)
            request = pb.SearchRequest(query_text=one["question"], filter=memory_pb2.MemoryFilter(all_users=True), k=10)
            hits = [hit async for response in memories.Search(request, timeout=TIMEOUT) for hit in response.hits]
            named = {(hit.memory.user_id, hit.memory.id) for hit in hits}
            over_all.append(len(named & set(nearest(everyone, query))) / 10)
    embedder.close()
    print(f"\nrecall@10 of VECTOR against brute force, {len(within)} questions: ", end="")
    print(f"{statistics.fmean(within):.4f} within a user, {statistics.fmean(over_all):.4f} over everyone")


async def embeddings(memories: Stub, user: str) -> dict[str, np.ndarray[Any, Any]]:
    """The embeddings of a user's memories by their ids, as List tells them."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    request = pb.ListRequest(filter=memory_pb2.MemoryFilter(user_id=user), include_embeddings=True, page_size=1000)
    while True:
        page = await memories.List(request, timeout=TIMEOUT)
        found |= {one.id: np.frombuffer(one.embedding, "<f4") for one in page.memories}
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def nearest(stored: dict[Any, np.ndarray[Any, Any]], query: np.ndarray[Any, Any]) -> list[Any]:
    """The ten with the highest cosine similarity."""
    ids = list(stored)
    order = np.argsort(-(np.stack(list(stored.values())) @ query), kind="stable")
    return [ids[row] for row in order[:10]]


async def print_times(memories: Stub, conversations: list[dict[str, Any]], count: int) -> None:
    """Times of modes among many memories of one user, each question asked in every mode in turn."""
    stored = 0
    for copy in itertools.count():
        for conversation in conversations:
            requests = list(turns(conversation, "everything"))[: count - stored]
            for request in requests:
                request.id = f"{copy} {conversation['sample_id']} {request.id}"
                request.session_id = f"{copy} {conversation['sample_id']} {request.session_id}"
            await store(memories, iter(requests))
            stored += len(requests)
        if stored == count:
            break
    questions = [one["question"] for conversation in conversations for one in conversation["qa"]][::5]
    where = memory_pb2.MemoryFilter(user_id="everything")
    seconds: dict[str, list[float]] = {name: [] for name in MODES}
    for number, question in enumerate(questions):
        order = list(MODES)[number % len(MODES) :] + list(MODES)[: number % len(MODES)]
        for name in order:
            # Spaces make a new text for the cache of embeddings and the same one for the model.
            text = question + " " * (1 + list(MODES).index(name))
            query = pb.SearchRequest(query_text=text, filter=where, k=10, **MODES[name])
            seconds[name].append((await search(memories, query))[1])
    base = seconds["VECTOR"]
    print(f"\n{count} memories of one user, {len(questions)} questions, k = 10, embedding of the text included\n")
    print("| mode | median ms | 90 % ms | ratio to VECTOR, median of pairs |\n| --- | --- | --- | --- |")
    for name, times in seconds.items():
        ratio = statistics.median(one / other for one, other in zip(times, base, strict=True))
        high = statistics.quantiles(times, n=10)[-1]
        print(f"| {name} | {statistics.median(times) * 1000:.1f} | {high * 1000:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="locomo_turns.json")
    parser.add_argument("--picture", type=Path, help="where to write the picture of recall against k (PNG)")
    parser.add_argument("--one-user", type=int, default=0, help="also compare times at so many memories of one user")
    parser.add_argument("--valkey", default="", help="an engine's URL; a new embedded one when left out")
    arguments = parser.parse_args()
    log_to_stderr(logging.ERROR)
    conversations = json.loads(arguments.data.read_text())
    uvloop.run(main(conversations, arguments.picture, arguments.one_user, arguments.valkey))
