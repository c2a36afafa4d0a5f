"""Time windows below the engine's count limit.

Engines sort everything that matches before they return the first result, and valkey-search counts and sorts a limited
number of memories (EngineCapabilities.count_limit). Larger ranges are therefore processed in parts.
"""

import itertools
import math

from memory_service.domain.ports import MemorySearch
from memory_service.domain.types import EARLIEST, LATEST, Filter, IndexInfo, now

_SECOND = 1_000_000
_EXACT = 2**53
"""Integers below this are exact as doubles."""
_FIRST, _LAST = EARLIEST - _SECOND, LATEST + _SECOND
"""One second beyond the supported times: as doubles, the last times are rounded up."""
_STEPS = 9
"""Cuts of the first split: distances from 1 to 16 ** 8 seconds (136 years) from the anchor."""
_PARTS = 16
"""Equal parts of every further split."""


class TimeWindows:
    """Splits the time range of a filter by counting, with several counts in one round trip."""

    def __init__(self, search: MemorySearch) -> None:
        self._search = search

    async def count(self, index: IndexInfo, where: Filter) -> int:
        """Return the exact number of memories that match the filter."""
        [count] = await self._search.counts(index, [where])
        if count < index.capabilities.count_limit:
            return count
        cuts = [*_cuts_around(where, now())]
        return sum([await self._count_between(index, where, *pair) for pair in itertools.pairwise(cuts)])

    async def _count_between(self, index: IndexInfo, where: Filter, first: int, last: int) -> int:
        part = where.between(first, last)
        if part is None:
            return 0
        [count] = await self._search.counts(index, [part])
        if count < index.capabilities.count_limit or last - first <= 1:
            return count
        cuts = [first, *_equal_cuts(first, last), last]
        return sum([await self._count_between(index, where, *pair) for pair in itertools.pairwise(cuts)])

    async def first(
        self, index: IndexInfo, where: Filter, *, at_least: int, at_most: int, newest_first: bool
    ) -> Filter:
        """Return the filter narrowed to the first window that matches at least `at_least` memories.

        The window matches at most `at_most` memories, unless they share one microsecond. A filter that matches no more
        than `at_most` is returned unchanged.
        """
        [total] = await self._search.counts(index, [where])
        if total <= at_most:
            return where

        def up_to(cut: int) -> Filter | None:
            return where.between(cut, None) if newest_first else where.between(None, cut)

        anchor = where.end if newest_first else where.start
        near, *cuts, far = sorted(_cuts_around(where, now() if anchor is None else anchor), reverse=newest_first)
        while cuts:
            windows = [(cut, window) for cut in cuts if (window := up_to(cut)) is not None]
            counts = await self._search.counts(index, [window for _, window in windows])
            for (cut, _), count in zip(windows, counts, strict=True):
                if count >= at_least:
                    far = cut
                    if count <= at_most:
                        cuts = []
                    break
                near = cut
            cuts = cuts and _equal_cuts(near, far)
        return up_to(far) or where


def within_supported_times(where: Filter) -> Filter | None:
    """Return the filter limited to the contract's times. Documents of other software may have times outside them."""
    return where.between(_FIRST, _LAST)


def rounding_range(timestamp: int) -> tuple[int, int]:
    """Return the half-open range of times that an engine may not distinguish from this one.

    Engines compare seconds as doubles, which distinguish microseconds from the year 1697 to 2242.
    """
    first = last = timestamp
    while (first - 1) / _SECOND == timestamp / _SECOND:
        first -= 1
    while (last + 1) / _SECOND == timestamp / _SECOND:
        last += 1
    if abs(timestamp) >= _EXACT:
        # RedisJSON sometimes reads numbers with more digits as the double next to the nearest one.
        adjacent = math.ceil(math.ulp(timestamp / _SECOND) * _SECOND)
        first, last = first - adjacent, last + adjacent
    return first, last + 1


def _cuts_around(where: Filter, anchor: int) -> list[int]:
    """Return the bounds of the filter's time range and cuts between them, denser towards the anchor."""
    first = _FIRST if where.start is None else where.start
    last = _LAST if where.end is None else where.end
    distances = [_SECOND * 16**step for step in range(_STEPS)]
    between = {anchor, *(anchor - distance for distance in distances), *(anchor + distance for distance in distances)}
    return [first, *sorted(cut for cut in between if first < cut < last), last]


def _equal_cuts(first: int, last: int) -> list[int]:
    """Return cuts that split the range into equal parts, ordered from `first` to `last`."""
    cuts = dict.fromkeys(first + (last - first) * part // _PARTS for part in range(1, _PARTS))
    return [cut for cut in cuts if cut not in {first, last}]
