"""The waiting list and the memory budget, which are fair between callers and their users."""

import asyncio
from contextvars import copy_context
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.errors import ResourceExhausted
from memory_service.domain.fairness import FairBudget, FairWaitingList, Flow, set_flow
from tests.support.event_loop import let_tasks_run

FLOWS = st.builds(Flow, st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans())


def add_for(line: FairWaitingList[int], item: int, flow: Flow) -> int | None:
    """Add an item for a flow; return the item that lost its place, or -1 if the new item was refused."""

    def add() -> int | None:
        set_flow(flow)
        try:
            return line.add(item)
        except ResourceExhausted:
            return -1

    return copy_context().run(add)


@given(st.lists(FLOWS, max_size=60), st.integers(1, 60))
def test_callers_take_turns(flows: list[Flow], capacity: int) -> None:
    line: FairWaitingList[int] = FairWaitingList(capacity, "a turn")
    waiting = {}
    for item, flow in enumerate(flows):
        if (lost := add_for(line, item, flow)) != -1:
            waiting[item] = flow
        if lost is not None and lost != -1:
            del waiting[lost]
        assert len(line) == len(waiting) <= capacity
    served = []
    while (first := line.first()) is not None:
        line.pop(first)
        served.append(first)
    assert sorted(served) == sorted(waiting)
    for place, after in enumerate(served[1:], 1):
        before, flow, left = waiting[served[place - 1]], waiting[after], [waiting[one] for one in served[place:]]
        if before.caller == flow.caller:
            assert all(one.caller == flow.caller for one in left), "no caller is served twice while another waits"
    for flow in set(waiting.values()):
        own = [one for one in served if waiting[one] == flow]
        assert own == sorted(own), "items of one flow keep their order"


@given(st.lists(FLOWS, min_size=1, max_size=60), st.integers(1, 20))
def test_a_full_list_refuses_only_callers_with_the_most_items(flows: list[Flow], capacity: int) -> None:
    line: FairWaitingList[int] = FairWaitingList(capacity, "a turn")
    waiting: dict[int, Flow] = {}

    def of_caller(flow: Flow) -> int:
        return sum(one.caller == flow.caller for one in waiting.values())

    for item, flow in enumerate(flows):
        lost = add_for(line, item, flow)
        most = max((of_caller(one) for one in waiting.values()), default=0)
        if lost == -1:
            assert len(waiting) == capacity
            assert of_caller(flow) + 1 >= most
            continue
        if lost is not None:
            loser = waiting.pop(lost)
            assert loser.caller == flow.caller or of_caller(loser) > of_caller(flow)
        waiting[item] = flow


async def holding(budget: FairBudget, size: int, caller: str, holders: list[str], go: asyncio.Event) -> None:
    set_flow(Flow(caller))
    async with budget.reserve(size):
        holders.append(caller)
        await go.wait()


async def test_callers_take_turns_in_holding_a_budget() -> None:
    budget, holders = FairBudget(10, capacity=100, what="memory"), list[str]()
    gates = [asyncio.Event() for _ in range(6)]
    sizes = [("a", 6), ("a", 6), ("a", 6), ("b", 4), ("c", 100), ("a", 1)]
    calls = [
        asyncio.create_task(holding(budget, size, caller, holders, gate))
        for (caller, size), gate in zip(sizes, gates, strict=True)
    ]
    await let_tasks_run()
    assert holders == ["a"], "the second caller needs more than the 4 that are left"
    gates[0].set()
    await let_tasks_run()
    assert holders == ["a", "a", "b"]
    gates[1].set()
    gates[3].set()
    await let_tasks_run()
    assert holders == ["a", "a", "b", "c"], "a size above the budget gets all of it"
    for gate in gates:
        gate.set()
    await asyncio.gather(*calls)
    assert holders == ["a", "a", "b", "c", "a", "a"]
    assert budget.waiting == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 12), st.integers(0, 3)), max_size=25), st.randoms())
async def test_a_budget_is_never_exceeded_and_never_lost(steps: list[tuple[str, int, int]], random: Random) -> None:
    budget = FairBudget(10, capacity=8, what="memory")
    in_use = 0

    async def call(caller: str, size: int, pauses: int) -> None:
        nonlocal in_use
        set_flow(Flow(caller))
        async with budget.reserve(size):
            in_use += min(size, 10)
            try:
                assert in_use <= 10
                for _ in range(pauses):
                    await asyncio.sleep(0)
            finally:
                in_use -= min(size, 10)

    calls = []
    for step in steps:
        calls.append(asyncio.create_task(call(*step)))
        await asyncio.sleep(0)
        if random.random() < 0.3:
            random.choice(calls).cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(one is None or isinstance(one, ResourceExhausted | asyncio.CancelledError) for one in outcomes), outcomes
    async with asyncio.timeout(1), budget.reserve(10):
        assert budget.waiting == 0, "the budget is complete again"


async def test_a_long_wait_for_a_budget_ends_in_resource_exhausted() -> None:
    budget = FairBudget(10, capacity=8, what="memory")
    async with budget.reserve(10):
        with pytest.raises(ResourceExhausted) as caught:
            async with budget.reserve(1, max_wait=0.01):
                pass
    assert caught.value.retry_after
    async with budget.reserve(10):
        pass
