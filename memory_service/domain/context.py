"""The conversation around a memory: spans of sessions, and windows of memories before and after a hit."""

from collections.abc import Sequence
from dataclasses import replace

from memory_service.domain.types import Candidate, Memory, Span

NEIGHBORHOOD = 3_600_000_000
"""The reach of a neighborhood in time, in microseconds. After an hour, another conversation is assumed to begin."""


def spans(memories: Sequence[Memory]) -> list[Span]:
    """Return the neighborhoods of memories in their sessions, in the order of the memories. Overlapping neighborhoods
    become one span. Memories without a session have none."""
    result: list[Span] = []
    for memory in memories:
        if not memory.session_id:
            continue
        start, end = memory.timestamp - NEIGHBORHOOD, memory.timestamp + NEIGHBORHOOD + 1
        for position, span in enumerate(result):
            same = (span.user_id, span.session_id) == (memory.user_id, memory.session_id)
            if same and span.start <= end and start <= span.end:
                result[position] = replace(span, start=min(start, span.start), end=max(end, span.end))
                break
        else:
            result.append(Span(memory.user_id, memory.session_id, start, end))
    return result


def window(storage_id: str, nearby: Sequence[Candidate], before: int, after: int) -> list[Candidate]:
    """Return the memory at `storage_id` with up to `before` memories before it and `after` after it, oldest first.

    Memories with the same timestamp are ordered by id. The window is empty if the memory is not in `nearby`.
    """
    ordered = sorted({candidate.storage_id: candidate for candidate in nearby}.values(), key=_sort_key)
    position = next((i for i, candidate in enumerate(ordered) if candidate.storage_id == storage_id), None)
    return [] if position is None else ordered[max(0, position - before) : position + after + 1]


def merge_windows(windows: Sequence[Sequence[Candidate]]) -> list[tuple[int, tuple[Candidate, ...]]]:
    """Merge windows that share a memory.

    Returns, for each window, the number of the first window in its group, and the merged memories, oldest first. Only
    the first window of a group has the memories; the others have none.
    """
    groups: list[tuple[int, dict[str, Candidate]]] = []
    first_of: dict[int, int] = {}
    for number, candidates in enumerate(windows):
        members = {candidate.storage_id: candidate for candidate in candidates}
        overlapping = [group for group in groups if not members.keys().isdisjoint(group[1])]
        first = min((group[0] for group in overlapping), default=number)
        for group in overlapping:
            members |= group[1]
            groups.remove(group)
            for member, group_first in first_of.items():
                if group_first == group[0]:
                    first_of[member] = first
        first_of[number] = first
        groups.append((first, members))
    merged = {first: tuple(sorted(members.values(), key=_sort_key)) for first, members in groups}
    return [(first_of[number], merged.get(number, ())) for number in range(len(windows))]


def _sort_key(candidate: Candidate) -> tuple[int, str, str]:
    return candidate.sort_key
