"""Reports every call to telemetry. This is the outermost interceptor, so it sees exactly what the caller gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc

from memory_service.rpc.grpc_types import Context, Handler
from memory_service.telemetry.calls import Call
from memory_service.telemetry.telemetry import REQUEST_ID, Telemetry

_RESULT_COUNTS: dict[str, Callable[[Any], int]] = {
    "Search": lambda response: len(response.hits),
    "List": lambda response: len(response.memories),
    "BatchStore": lambda response: len(response.results),
    "Delete": lambda response: len(response.deleted_ids),
    "DeleteMatching": lambda response: int(response.count),
    "ListIndexes": lambda response: len(response.indexes),
    "DropIndex": lambda response: int(response.deleted_memory_count),
}
"""The number of memories or indexes that a response reports, by method."""


class TelemetryInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of one service, which the inner interceptors have turned into handlers of request streams."""

    def __init__(self, service: str, telemetry: Telemetry) -> None:
        self._prefix = f"/{service}/"
        self._telemetry = telemetry
        # grpc.aio calls intercept_service for every call. Each handler is wrapped only once.
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the wrapped handler of a method of our service. Handlers of other services are returned unchanged."""
        method = handler_call_details.method
        if (wrapped := self._wrapped.get(method)) is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(self._prefix):
            return handler
        wrapped = self._wrapped[method] = self._wrap(handler, method.removeprefix(self._prefix))
        return wrapped

    def _wrap(self, handler: Handler, method: str) -> Handler:
        count_results = _RESULT_COUNTS.get(method)
        handle_unary: Any = handler.stream_unary
        handle_streaming: Any = handler.stream_stream

        async def unary(request: Any, context: Context) -> Any:
            with self._observe(method, context) as call:
                response = await handle_unary(request, context)
                if count_results is not None:
                    call.results = count_results(response)
                return response

        async def streaming(request: Any, context: Context) -> AsyncIterator[Any]:
            with self._observe(method, context) as call:
                call.results = 0
                # Without aclosing, a generator that a client abandons would end only when it is garbage collected.
                async with aclosing(handle_streaming(request, context)) as responses:
                    async for response in responses:
                        call.mark_first_response()
                        if count_results is not None:
                            call.results += count_results(response)
                        yield response

        if handler.response_streaming:
            make: Any = grpc.stream_stream_rpc_method_handler
            return make(streaming, handler.request_deserializer, handler.response_serializer)  # type: ignore[no-any-return]
        make = grpc.stream_unary_rpc_method_handler
        return make(unary, handler.request_deserializer, handler.response_serializer)  # type: ignore[no-any-return]

    @contextmanager
    def _observe(self, method: str, context: Context) -> Iterator[Call]:
        call = self._telemetry.start_call(method, dict(context.invocation_metadata() or ()))
        context.set_trailing_metadata(((REQUEST_ID, call.request_id),))
        try:
            yield call
        except BaseException as error:
            call.code = _code(error, context).name
            raise
        finally:
            self._telemetry.finish_call(call)


def _code(error: BaseException, context: Context) -> grpc.StatusCode:
    """Return the status of a call that ended with this error."""
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode) and code is not grpc.StatusCode.OK:
        return code
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        # The client disconnected or its deadline passed.
        return grpc.StatusCode.DEADLINE_EXCEEDED if context.time_remaining() == 0 else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN
