"""Load on the service by the product's client, as from an application that retries failed calls."""

import itertools
import threading
import time
from collections import Counter
from typing import Self

from grpc import StatusCode
from semantic_memory import MemoryClient, MemoryServiceError

from scripts.compose.docker import CheckError, require

ADDRESS = "127.0.0.1:50051"
DEADLINE = 60.0
"""Seconds for a call with all its retries."""
_THREADS = 4
_STALL = 120.0


class Load:
    """Threads that store memories and search for them, while the context is open."""

    def __init__(self, user: str) -> None:
        self._user = user
        self._numbers = itertools.count()
        self._acknowledged: dict[str, str] = {}
        self._errors: Counter[str] = Counter()
        self._failed: list[str] = []
        self._slowest = 0.0
        self._calls = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * DEADLINE + 10)  # a Store, then a Search

    def wait(self, memories: int = 100) -> None:
        """Wait until this number of further memories is acknowledged."""
        goal, limit = len(self._acknowledged) + memories, time.monotonic() + _STALL
        while len(self._acknowledged) < goal:
            if self._failed or time.monotonic() > limit:
                raise CheckError(f"the load has stopped: {self.summary()} {self._failed[:3]}")
            time.sleep(0.1)

    def require_complete(self) -> None:
        """Check that no call failed, and that exactly the acknowledged memories are stored."""
        require(not self._failed, f"{len(self._failed)} calls failed, such as {self._failed[:3]}")
        hanging = sum(thread.is_alive() for thread in self._threads)
        require(not hanging, f"{hanging} calls did not end at their deadline; {self.summary()}")
        stored: dict[str, str] = {}
        token = ""
        with MemoryClient(ADDRESS) as client:
            while True:
                page = client.list(user_id=self._user, page_size=200, page_token=token)
                stored |= {memory.id: memory.content for memory in page.memories}
                if not (token := page.next_page_token):
                    break
        lost, added = self._acknowledged.keys() - stored.keys(), stored.keys() - self._acknowledged.keys()
        require(stored == self._acknowledged, f"{len(lost)} lost, {len(added)} never acknowledged; {self.summary()}")

    def summary(self) -> str:
        """Return the figures in one line."""
        retried = ", ".join(f"{count} {name}" for name, count in sorted(self._errors.items())) or "nothing"
        return (
            f"{self._calls} calls, {len(self._acknowledged)} memories stored, {len(self._failed)} calls failed; "
            f"retried {retried}; slowest {self._slowest:.1f} s"
        )

    def _work(self) -> None:
        with MemoryClient(ADDRESS) as client:
            while not self._stop.is_set():
                content = f"{self._user} writes note {next(self._numbers)}"
                began = time.monotonic()
                try:
                    memory_id = self._store(client, content, began + DEADLINE)
                    with self._lock:
                        self._acknowledged[memory_id] = content
                    self._search(client, content, time.monotonic() + DEADLINE)
                except MemoryServiceError as error:
                    self._failed.append(f"{time.monotonic() - began:.1f} s: {error}")
                with self._lock:
                    self._calls += 2
                    self._slowest = max(self._slowest, time.monotonic() - began)

    def _store(self, client: MemoryClient, content: str, deadline: float) -> str:
        request_id = content.replace(" ", "-")
        while True:
            try:
                left = deadline - time.monotonic()
                return client.store(content, user_id=self._user, role="user", request_id=request_id, timeout=left).id
            except MemoryServiceError as error:
                self._pause(error, deadline)

    def _search(self, client: MemoryClient, content: str, deadline: float) -> None:
        while True:
            try:
                list(client.search(content, user_id=self._user, k=3, timeout=deadline - time.monotonic()))
            except MemoryServiceError as error:
                self._pause(error, deadline)
            else:
                return

    def _pause(self, error: MemoryServiceError, deadline: float) -> None:
        """Wait before a retry, or raise the error if a retry makes no sense."""
        if error.code != StatusCode.UNAVAILABLE or time.monotonic() + 0.5 > deadline:
            raise error
        with self._lock:
            self._errors[error.code.name] += 1
        time.sleep(0.5)
