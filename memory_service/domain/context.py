"""What was said around memories: stretches of their sessions, and windows of some memories before and after."""

from collections.abc import Sequence
from dataclasses import replace

from memory_service.domain.types import Candidate, Memory, Span

NEIGHBORHOOD = 3_600_000_000
"""How far in time, in microseconds: what was said an hour later is another conversation."""


def spans(memories: Sequence[Memory]) -> list[Span]:
    """The surroundings of memories in their sessions, the first memory's first; those that overlap are one."""
    found: list[Span] = []
    for memory in memories:
        if not memory.session_id:
            continue
        start, end = memory.timestamp - NEIGHBORHOOD, memory.timestamp + NEIGHBORHOOD + 1
        for place, span in enumerate(found):
            same = (span.user_id, span.session_id) == (memory.user_id, memory.session_id)
            if same and span.start <= end and start <= span.end:
                found[place] = replace(span, start=min(start, span.start), end=max(end, span.end))
                break
        else:
            found.append(Span(memory.user_id, memory.session_id, start, end))
    return found


def window(slot: str, nearby: Sequence[Candidate], before: int, after: int) -> list[Candidate]:
    """The `before` memories before the one at `slot`, itself, and the `after` after it, in the order of time (those of
    the same time in the order of their ids). Empty when it is not among those nearby."""
    ordered = sorted({one.slot: one for one in nearby}.values(), key=_place)
    place = next((i for i, one in enumerate(ordered) if one.slot == slot), None)
    return [] if place is None else ordered[max(0, place - before) : place + after + 1]


def joined(windows: Sequence[Sequence[Candidate]]) -> list[tuple[int, tuple[Candidate, ...]]]:
    """For each window the number of the one that brings it, and what that one brings: windows that share a memory are
    one, brought by the first of them."""
    groups: list[tuple[int, dict[str, Candidate]]] = []
    bringer: dict[int, int] = {}
    for number, found in enumerate(windows):
        slots = {one.slot: one for one in found}
        touched = [group for group in groups if not slots.keys().isdisjoint(group[1])]
        first = min((group[0] for group in touched), default=number)
        for group in touched:
            slots |= group[1]
            groups.remove(group)
            for member, brings in bringer.items():
                if brings == group[0]:
                    bringer[member] = first
        bringer[number] = first
        groups.append((first, slots))
    brought = {first: tuple(sorted(slots.values(), key=_place)) for first, slots in groups}
    return [(bringer[number], brought.get(number, ())) for number in range(len(windows))]


def _place(candidate: Candidate) -> tuple[int, str, str]:
    return candidate.place
