"""The queue of texts to embed: fair between callers and their users, and each text embedded once."""

import asyncio

import pytest

from memory_service.domain.errors import ResourceExhausted
from memory_service.domain.fairness import Flow, set_flow
from memory_service.embedding.fair_queue import FairQueue
from tests.support.event_loop import let_tasks_run


def submit(queue: FairQueue[str], key: str, caller: str, user: str = "") -> "asyncio.Task[str]":
    async def run() -> str:
        set_flow(Flow(caller, user))
        return await queue.run(key)

    return asyncio.create_task(run())


class Work:
    """Work that a test completes, one item at a time."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.go = asyncio.Semaphore(0)

    async def __call__(self, key: str) -> str:
        await self.go.acquire()
        self.done.append(key)
        return key.upper()


async def test_another_caller_waits_for_one_item_only() -> None:
    work = Work()
    queue = FairQueue(work, concurrency=1, per_flow=1, capacity=2000)
    many = [submit(queue, f"m{n}", "mallory") for n in range(1000)]
    await let_tasks_run()
    bob = submit(queue, "b", "bob")
    await let_tasks_run()
    for _ in range(3):
        work.go.release()
        await let_tasks_run()
    assert "b" in work.done
    assert await bob == "B"
    for one in many:
        one.cancel()
    work.go.release()


async def test_another_user_of_the_same_caller_waits_for_one_item_only() -> None:
    work = Work()
    queue = FairQueue(work, concurrency=1, per_flow=1, capacity=2000)
    many = [submit(queue, f"m{n}", "backend", "mallory") for n in range(1000)]
    await let_tasks_run()
    bob = submit(queue, "b", "backend", "bob")
    await let_tasks_run()
    for _ in range(3):
        work.go.release()
        await let_tasks_run()
    assert await bob == "B"
    for one in many:
        one.cancel()
    work.go.release()


async def test_shared_work_runs_at_the_first_turn_of_its_waiters() -> None:
    work = Work()
    queue = FairQueue(work, concurrency=1, per_flow=1, capacity=2000)
    many = [submit(queue, f"m{n}", "mallory") for n in range(100)]
    await let_tasks_run()
    bob = submit(queue, "m99", "bob")
    await let_tasks_run()
    for _ in range(3):
        work.go.release()
        await let_tasks_run()
    assert await bob == "M99"
    assert await many[99] == "M99"
    assert work.done.count("m99") == 1
    for one in many:
        one.cancel()
    work.go.release()


async def test_work_without_waiters_is_dropped() -> None:
    work = Work()
    queue = FairQueue(work, concurrency=1, per_flow=1, capacity=10)
    first = submit(queue, "first", "a")
    await let_tasks_run()
    abandoned, shared = submit(queue, "abandoned", "a"), [submit(queue, "shared", who) for who in ("a", "b", "c")]
    last = submit(queue, "last", "a")
    await let_tasks_run()
    for one in (abandoned, shared[0], shared[1]):
        one.cancel()
    await let_tasks_run()
    assert queue.waiting == 2
    for _ in range(4):
        work.go.release()
    assert [await one for one in (first, shared[2], last)] == ["FIRST", "SHARED", "LAST"]
    assert "abandoned" not in work.done
    assert work.done.count("shared") == 1


async def test_running_work_continues_for_remaining_waiters() -> None:
    work = Work()
    queue = FairQueue(work, concurrency=1, per_flow=1, capacity=10)
    first, second = submit(queue, "key", "a"), submit(queue, "key", "b")
    await let_tasks_run()
    first.cancel()
    work.go.release()
    assert await second == "KEY"


async def test_a_full_queue_refuses_the_caller_with_the_most_texts() -> None:
    work = Work()
    queue = FairQueue(work, concurrency=1, per_flow=1, capacity=4)
    many = [submit(queue, f"m{n}", "mallory") for n in range(6)]
    await let_tasks_run()
    assert [one.done() for one in many] == [False] * 5 + [True]
    others = [submit(queue, f"b{n}", "bob") for n in range(3)]
    await let_tasks_run()
    assert [one.done() for one in others] == [False, False, True]
    refused = [one for one in [*many, *others] if one.done()]
    assert len(refused) == 4
    for one in refused:
        with pytest.raises(ResourceExhausted) as caught:
            await one
        assert caught.value.retry_after
    assert queue.waiting == 4
    for one in [*many, *others]:
        one.cancel()
    work.go.release()


async def test_a_failure_reaches_all_waiters_and_the_next_call_retries() -> None:
    failures = [OSError("once")]

    async def work(key: str) -> str:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return key

    queue = FairQueue(work, concurrency=1, per_flow=1, capacity=10)
    outcomes = await asyncio.gather(*(submit(queue, "key", who) for who in "abc"), return_exceptions=True)
    assert [type(one) for one in outcomes] == [OSError] * 3
    assert await submit(queue, "key", "a") == "key"


async def test_one_flow_leaves_capacity_for_another() -> None:
    work = Work()
    queue = FairQueue(work, concurrency=2, per_flow=1, capacity=10)
    many = [submit(queue, f"m{n}", "mallory") for n in range(5)]
    await let_tasks_run()
    assert queue.waiting == 4
    bob = submit(queue, "b", "bob")
    await let_tasks_run()
    assert queue.waiting == 4, "bob's text is embedded beside mallory's"
    for _ in range(6):
        work.go.release()
    assert await bob == "B"
    assert await asyncio.gather(*many) == [f"M{n}" for n in range(5)]
