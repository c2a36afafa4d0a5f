"""Tells telemetry of every call. The outermost interceptor: what it sees is what the caller gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc

from memory_service.rpc.call_interceptor import Context, Handler
from memory_service.telemetry.calls import Call
from memory_service.telemetry.telemetry import REQUEST_ID, Telemetry

_RESULTS: dict[str, Callable[[Any], int]] = {
    "Search": lambda response: len(response.hits),
    "List": lambda response: len(response.memories),
    "BatchStore": lambda response: len(response.results),
    "Delete": lambda response: len(response.deleted_ids),
    "DeleteMatching": lambda response: int(response.count),
    "ListIndexes": lambda response: len(response.indexes),
    "DropIndex": lambda response: int(response.deleted_memory_count),
}
"""How many memories or indexes an answer tells of."""


class TelemetryInterceptor(grpc.aio.ServerInterceptor):
    """Watches the calls of one service."""

    def __init__(self, service: str, telemetry: Telemetry) -> None:
        self._prefix = f"/{service}/"
        self._telemetry = telemetry
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The watched handler of a method of our service; any other service's own."""
        method = handler_call_details.method
        if (wrapped := self._wrapped.get(method)) is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(self._prefix):
            return handler
        wrapped = self._wrapped[method] = self._wrap(handler, method.removeprefix(self._prefix))
        return wrapped

    def _wrap(self, handler: Handler, method: str) -> Handler:
        results = _RESULTS.get(method)
        one: Any = handler.stream_unary
        many: Any = handler.stream_stream

        async def unary(request: Any, context: Context) -> Any:
            with self._call(method, context) as call:
                response = await one(request, context)
                if results is not None:
                    call.results = results(response)
                return response

        async def streaming(request: Any, context: Context) -> AsyncIterator[Any]:
            with self._call(method, context) as call:
                call.results = 0
                # Closed here and now when the client goes: a generator that is left alone ends when it is collected.
                async with aclosing(many(request, context)) as responses:
                    async for response in responses:
                        call.mark_first_response()
                        if results is not None:
                            call.results += results(response)
                        yield response

        if handler.response_streaming:
            make: Any = grpc.stream_stream_rpc_method_handler
            return make(streaming, handler.request_deserializer, handler.response_serializer)  # type: ignore[no-any-return]
        make = grpc.stream_unary_rpc_method_handler
        return make(unary, handler.request_deserializer, handler.response_serializer)  # type: ignore[no-any-return]

    @contextmanager
    def _call(self, method: str, context: Context) -> Iterator[Call]:
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
    """The status of a call that ends with this error."""
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode) and code is not grpc.StatusCode.OK:
        return code
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        # The client has gone, or its deadline has passed.
        return grpc.StatusCode.DEADLINE_EXCEEDED if context.time_remaining() == 0 else grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN
