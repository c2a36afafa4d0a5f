"""What was said around hits: a window of each hit's session, overlapping ones joined."""

from collections.abc import Sequence

from memory_service.memory.types import Candidate, Memory


def window(slot: str, nearby: Sequence[Candidate], before: int, after: int) -> list[Candidate]:
    """The `before` memories before the one at `slot`, itself, and the `after` after it, in the order of time (those of
    the same time in the order of their slots). Empty when it is not among those nearby."""
    ordered = sorted({one.slot: one for one in nearby}.values(), key=_place)
    place = next((i for i, one in enumerate(ordered) if one.slot == slot), None)
    return [] if place is None else ordered[max(0, place - before) : place + after + 1]


def joined(windows: Sequence[Sequence[Candidate]]) -> list[tuple[int, tuple[Memory, ...]]]:
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
    brought = {first: tuple(one.memory for one in sorted(slots.values(), key=_place)) for first, slots in groups}
    return [(bringer[number], brought.get(number, ())) for number in range(len(windows))]


def _place(candidate: Candidate) -> tuple[int, str]:
    return (candidate.memory.timestamp, candidate.slot)
