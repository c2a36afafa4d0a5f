"""Stretches of time that hold not too many memories. Engines put all that passes a filter in order before they return
the first of it, and valkey-search counts and orders a hundred thousand at most: what is larger is taken in parts."""

import itertools
import math

from memory_service.domain.ports import COUNT_LIMIT, MemorySearch
from memory_service.domain.types import EARLIEST, LATEST, Filter, IndexInfo, now

_SECOND = 1_000_000
_EXACT = 2**53
"""Whole numbers below this are doubles."""
_FIRST, _LAST = EARLIEST - _SECOND, LATEST + _SECOND
"""A second beyond what there can be: as doubles the last times are rounded up."""
_RUNGS = 9
"""Distances from 1 to 16 ** 8 seconds (136 years) at which a first look is taken."""
_PARTS = 16
"""Even parts for every further look."""


class Windows:
    """Finds such stretches by counting, several counts in one round trip."""

    def __init__(self, search: MemorySearch) -> None:
        self._search = search

    async def count(self, index: IndexInfo, where: Filter) -> int:
        """How many memories pass the filter, however many that are."""
        [found] = await self._search.counts(index, [where])
        if found < COUNT_LIMIT:
            return found
        edges = [*_edges(where, now())]
        return sum([await self._count_within(index, where, *pair) for pair in itertools.pairwise(edges)])

    async def _count_within(self, index: IndexInfo, where: Filter, first: int, last: int) -> int:
        part = where.between(first, last)
        if part is None:
            return 0
        [found] = await self._search.counts(index, [part])
        if found < COUNT_LIMIT or last - first <= 1:
            return found
        edges = [first, *_even(first, last), last]
        return sum([await self._count_within(index, where, *pair) for pair in itertools.pairwise(edges)])

    async def first(
        self, index: IndexInfo, where: Filter, *, at_least: int, at_most: int, newest_first: bool
    ) -> Filter:
        """The filter, ended where it holds `at_least` memories and, but for those of one microsecond, no more than
        `at_most`; the whole of it where that holds no more anyway."""
        [found] = await self._search.counts(index, [where])
        if found <= at_most:
            return where

        def upto(edge: int) -> Filter | None:
            return where.between(edge, None) if newest_first else where.between(None, edge)

        anchor = where.end if newest_first else where.start
        near, *cuts, far = sorted(_edges(where, now() if anchor is None else anchor), reverse=newest_first)
        while cuts:
            windows = [(cut, upto(cut)) for cut in cuts]
            counts = await self._search.counts(index, [window for _, window in windows if window is not None])
            for cut, count in zip([cut for cut, window in windows if window is not None], counts, strict=True):
                if count >= at_least:
                    far = cut
                    if count <= at_most:
                        cuts = []
                    break
                near = cut
            cuts = cuts and _even(near, far)
        return upto(far) or where


def in_contract(where: Filter) -> Filter | None:
    """The filter within the times that the contract knows; documents of other software can have others."""
    return where.between(_FIRST, _LAST)


def moment(timestamp: int) -> tuple[int, int]:
    """The times that engines may not tell from this one, as a half-open range. They compare seconds as doubles: from
    1697 to 2242 each microsecond is one of its own."""
    first = last = timestamp
    while (first - 1) / _SECOND == timestamp / _SECOND:
        first -= 1
    while (last + 1) / _SECOND == timestamp / _SECOND:
        last += 1
    if abs(timestamp) >= _EXACT:
        # RedisJSON reads numbers of more digits as the double beside the nearest, now and then.
        beside = math.ceil(math.ulp(timestamp / _SECOND) * _SECOND)
        first, last = first - beside, last + beside
    return first, last + 1


def _edges(where: Filter, anchor: int) -> list[int]:
    """The ends of a filter's times and some times between them, the denser the nearer they are to the anchor."""
    first = _FIRST if where.start is None else where.start
    last = _LAST if where.end is None else where.end
    distances = [_SECOND * 16**rung for rung in range(_RUNGS)]
    between = {anchor, *(anchor - one for one in distances), *(anchor + one for one in distances)}
    return [first, *sorted(one for one in between if first < one < last), last]


def _even(first: int, last: int) -> list[int]:
    """Times that part the stretch between two evenly, in the order from the first to the last."""
    cuts = dict.fromkeys(first + (last - first) * part // _PARTS for part in range(1, _PARTS))
    return [cut for cut in cuts if cut not in {first, last}]
