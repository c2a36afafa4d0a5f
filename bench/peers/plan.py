"""What each round measures, and the form of its results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.peers.workload import Workload, memory_id

CALLERS = 16


@dataclass(frozen=True)
class Plan:
    """How many calls each round makes."""

    rounds: int
    searches: int
    stores: int
    alone: int
    """Calls of one caller, of either method. The others are calls of sixteen callers."""

    @property
    def stored(self) -> int:
        """How many memories all rounds store together."""
        return self.rounds * (self.stores + self.alone)

    def stores_of(self, work: Workload, number: int) -> tuple[range, range]:
        """Return the memories that this round stores, from one caller and from sixteen."""
        first = work.initial + number * (self.stores + self.alone)
        return range(first, first + self.alone), range(first + self.alone, first + self.alone + self.stores)

    def searches_of(self, work: Workload) -> tuple[list[int], list[int]]:
        """Return the queries of each round, from one caller and from sixteen."""
        queries = work.queries
        return (
            [queries[n % len(queries)] for n in range(self.alone)],
            [queries[n % len(queries)] for n in range(self.searches)],
        )


@dataclass(frozen=True)
class Measurement:
    """The results of one method in one round; times in seconds."""

    rate: float
    """Calls a second of sixteen callers; for Store, until all memories can be found."""
    alone: tuple[float, float]
    """One caller's median and 99th percentile."""
    together: tuple[float, float]
    """Sixteen callers' median and 99th percentile."""
    cpu: float
    """CPU seconds a call of the server, or of the process that calls a library."""
    all_cpu: float
    """The same with everything behind it: the engine and, for our client, our server."""
    quality: float
    """For Search, recall@10; for Store, how many of the memories a search does not find afterwards."""


class Product(Protocol):
    """A service or a library under measurement."""

    title: str
    about: str
    """Version, settings and patches, for the report."""

    async def fill(self) -> None:
        """Store the initial memories."""

    async def search_round(self) -> Measurement:
        """Measure one round of Search."""

    async def store_round(self, number: int) -> Measurement:
        """Measure the round of Store with this number."""


def count_missing(numbers: Sequence[int], results: Sequence[Sequence[str]]) -> int:
    """Count the memories that a search by their own embedding did not return."""
    return sum(memory_id(number) not in ids for number, ids in zip(numbers, results, strict=True))
