"""Wrappers that measure the domain's ports. The use cases do not depend on them."""

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
    """Return a port of the engine whose operations are measured, for the current call and by operation name."""
    return cast("Port", _InstrumentedPort(port, metrics))


class _InstrumentedPort:
    """Offers every attribute of the port; its public coroutine methods are measured."""

    def __init__(self, port: object, metrics: Metrics | None) -> None:
        self._port = port
        for name, operation in inspect.getmembers(port, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                setattr(self, name, _measured(name, operation, metrics))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def _measured(name: str, operation: Callable[..., Any], metrics: Metrics | None) -> Callable[..., Any]:
    observe = metrics.engine_seconds.labels(name).observe if metrics else None

    @functools.wraps(operation)
    async def measured(*args: Any, **kwargs: Any) -> Any:
        started_at = time.perf_counter()
        try:
            with current_call().measure(Stage.ENGINE, name):
                return await operation(*args, **kwargs)
        finally:
            if observe:
                observe(time.perf_counter() - started_at)

    return measured


class InstrumentedEmbedder:
    """Measures how long the current call waits for its embedding, including the cache and the queue."""

    def __init__(self, embedder: Embedder) -> None:
        self.model = embedder.model
        self.dimension = embedder.dimension
        self._embedder = embedder

    async def embed(self, text: str) -> EmbeddedText:
        """Return the unit-length embedding of a text."""
        with current_call().measure(Stage.EMBED, self.model):
            return await self._embedder.embed(text)


class MeteredEmbedder:
    """Counts and times the calls that reach the embedder itself, which may cost money and be throttled."""

    def __init__(self, embedder: Embedder, metrics: Metrics) -> None:
        self.model = embedder.model
        self.dimension = embedder.dimension
        self._embedder = embedder
        self._metrics = metrics

    async def embed(self, text: str) -> EmbeddedText:
        """Return the unit-length embedding of a text."""
        started_at = time.perf_counter()
        outcome: str = "OK"
        try:
            return await self._embedder.embed(text)
        except BaseException as error:
            outcome = error.reason if isinstance(error, MemoryServiceError) else Reason.INTERNAL
            raise
        finally:
            self._metrics.embedder_calls.labels(outcome).inc()
            self._metrics.embedder_seconds.observe(time.perf_counter() - started_at)
