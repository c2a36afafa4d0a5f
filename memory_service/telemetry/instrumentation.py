"""The ports of the domain, watched: the same objects to the use cases, which know nothing of it."""

import functools
import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from memory_service.domain.embeddings import EmbeddedText
from memory_service.domain.errors import MemoryServiceError, Reason
from memory_service.domain.ports import Embedder
from memory_service.telemetry.calls import Stage, current_call
from memory_service.telemetry.metrics import Metrics

Port = TypeVar("Port")


def instrumented(port: Port, metrics: Metrics | None) -> Port:
    """The engine's port, each of whose operations is timed, for the call that it is for and by its name."""
    return cast("Port", _InstrumentedPort(port, metrics))


class _InstrumentedPort:
    def __init__(self, port: object, metrics: Metrics | None) -> None:
        self._port = port
        for name, operation in inspect.getmembers(port, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                setattr(self, name, _timed(name, operation, metrics))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def _timed(name: str, operation: Callable[..., Any], metrics: Metrics | None) -> Callable[..., Any]:
    observe = metrics.engine_seconds.labels(name).observe if metrics else None

    @functools.wraps(operation)
    async def timed(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            with current_call().measure(Stage.ENGINE, name):
                return await operation(*arguments, **options)
        finally:
            if observe:
                observe(time.perf_counter() - started)

    return timed


class InstrumentedEmbedder:
    """What a call waits for: an embedder with its cache."""

    def __init__(self, embedder: Embedder) -> None:
        self.model = embedder.model
        self.dimension = embedder.dimension
        self._embedder = embedder

    async def embed(self, text: str) -> EmbeddedText:
        """The unit-length embedding of a text."""
        with current_call().measure(Stage.EMBED, self.model):
            return await self._embedder.embed(text)


class MeteredEmbedder:
    """What the cache could not answer: the embedder itself, whose calls take time, cost money and may be throttled."""

    def __init__(self, embedder: Embedder, metrics: Metrics) -> None:
        self.model = embedder.model
        self.dimension = embedder.dimension
        self._embedder = embedder
        self._metrics = metrics

    async def embed(self, text: str) -> EmbeddedText:
        """The unit-length embedding of a text."""
        started = time.perf_counter()
        outcome: str = "OK"
        try:
            return await self._embedder.embed(text)
        except BaseException as error:
            outcome = error.reason if isinstance(error, MemoryServiceError) else Reason.INTERNAL
            raise
        finally:
            self._metrics.embedder_calls.labels(outcome).inc()
            self._metrics.embedder_seconds.observe(time.perf_counter() - started)
