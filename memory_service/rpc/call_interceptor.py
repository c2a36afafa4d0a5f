"""What happens around every call: its deadline, its caller and what that may, its validation, and the status of its
errors.

Nothing else leaves a handler: grpc.aio would send a raw exception's text to the client, and leave a client waiting for
its own deadline after a stray CancelledError (grpc#29248).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from memory_service.access.callers import Caller, Verifier, authenticate
from memory_service.access.limits import CallLimits
from memory_service.domain.deadline import set_deadline
from memory_service.domain.errors import InvalidRequest, MemoryServiceError, Reason, deadline_exceeded
from memory_service.domain.fairness import FairBudget, Flow, Grant, set_flow
from memory_service.rpc.authorization import authorize, flow_of, is_batch
from memory_service.rpc.errors import internal, to_status
from memory_service.rpc.sizes import MAX_MESSAGE_BYTES, check_size
from memory_service.rpc.validation import RequestValidator
from memory_service.telemetry.calls import current_call
from memory_service.telemetry.telemetry import REQUEST_ID

_log = structlog.get_logger(__name__)

_MAX_WAIT = 5.0
"""Seconds that a call waits for memory."""
_UPLOAD_TIMEOUT = 20.0
"""Seconds in which a request must arrive, once there is memory for it."""
_BYTES_PER_REQUEST_BYTE = 3
"""Bytes that a call takes for each byte of its request, while it is parsed, checked and written."""
_BYTES_PER_CALL = 10_000

Parse: TypeAlias = "Callable[[bytes], Any] | None"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of one service."""

    def __init__(
        self,
        service: str,
        validator: RequestValidator,
        *,
        verifiers: Sequence[Verifier],
        limits: CallLimits,
        request_memory: FairBudget,
        default_deadline: float,
    ) -> None:
        """`request_memory` is the memory for requests in bytes. `default_deadline` in seconds holds for calls that have none.
        Without verifiers everyone is let in."""
        self._prefix = f"/{service}/"
        self._validator = validator
        self._verifiers = verifiers
        self._limits = limits
        self._request_memory = request_memory
        self._default_deadline = default_deadline
        # grpc.aio asks for the handler of every call anew: wrapping each method once is enough.
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The wrapped handler of a method of our service; any other service's own."""
        method = handler_call_details.method
        if (wrapped := self._wrapped.get(method)) is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(self._prefix):
            return handler
        wrapped = self._wrapped[method] = self._wrap(handler, method)
        return wrapped

    def _wrap(self, handler: Handler, method: str) -> Handler:
        # As if requests were streams, which look the same to a client: so the one message is read only once there is
        # memory for it, and parsed here (grpc.aio would show a parser's exception to the client).
        if handler.response_streaming:
            make: Any = grpc.stream_stream_rpc_method_handler
            behaviour: Any = self._streaming(handler.unary_stream, handler.request_deserializer, method)
        else:
            make = grpc.stream_unary_rpc_method_handler
            behaviour = self._unary(handler.unary_unary, handler.request_deserializer, method)
        wrapped: Handler = make(behaviour, response_serializer=handler.response_serializer)
        return wrapped

    def _unary(self, handle: Any, parse: Parse, method: str) -> Any:
        async def unary(_: Any, context: Context) -> Any:
            try:
                async with (
                    asyncio.timeout(self._set_deadline(context)),
                    self._admit(context, method) as (caller, grant),
                ):
                    request = self._check_request(parse, await self._read(context, grant), caller, method)
                    response = await handle(request, context)
                    check_size(response)
                    return response
            except BaseException as error:  # noqa: BLE001 - every one becomes a status
                await _abort(error, context, method)

        return unary

    def _streaming(self, handle: Any, parse: Parse, method: str) -> Any:
        async def streaming(_: Any, context: Context) -> AsyncIterator[Any]:
            try:
                async with (
                    asyncio.timeout(self._set_deadline(context)),
                    self._admit(context, method) as (caller, grant),
                ):
                    request = self._check_request(parse, await self._read(context, grant), caller, method)
                    async with aclosing(handle(request, context)) as responses:
                        async for response in responses:
                            check_size(response)
                            yield response
            except BaseException as error:  # noqa: BLE001 - every one becomes a status
                await _abort(error, context, method)

        return streaming

    @asynccontextmanager
    async def _admit(self, context: Context, method: str) -> AsyncIterator[tuple[Caller, Grant]]:
        """The caller of a call, within its limits and with memory for its request."""
        caller = await self._authenticate(context)
        with self._limits.admit(caller.name):
            set_flow(Flow(caller.name, batch=is_batch(method.removeprefix(self._prefix))))
            async with self._request_memory.reserve(MAX_MESSAGE_BYTES, max_wait=_MAX_WAIT) as grant:
                yield caller, grant

    async def _read(self, context: Context, grant: Grant) -> bytes:
        """The message of the call. From then on it holds as much memory as its processing takes."""
        async with asyncio.timeout(_UPLOAD_TIMEOUT):
            serialized: Any = await context.read()
        if not isinstance(serialized, bytes):
            raise InvalidRequest(Reason.INVALID_REQUEST, "the call has no request: send one message")
        grant.shrink(_BYTES_PER_REQUEST_BYTE * len(serialized) + _BYTES_PER_CALL)
        return serialized

    async def _authenticate(self, context: Context) -> Caller:
        authorization = None
        if self._verifiers:
            authorization = dict(context.invocation_metadata() or ()).get("authorization")
        caller = await authenticate(authorization if isinstance(authorization, str) else None, self._verifiers)
        current_call().caller = caller.name
        return caller

    def _check_request(self, parse: Parse, serialized: bytes, caller: Caller, method: str) -> Message:
        assert parse is not None  # noqa: S101 - generated handlers all have one
        try:
            request: Message = parse(serialized)
        except DecodeError as error:
            message = "the request is no message of this method: generate the client from the contract"
            raise InvalidRequest(Reason.INVALID_REQUEST, message) from error
        authorize(caller, method.removeprefix(self._prefix), request)
        self._validator.check(request, serialized)
        set_flow(flow_of(caller, method.removeprefix(self._prefix), request))
        return request

    def _set_deadline(self, context: Context) -> float:
        client_deadline = context.time_remaining()
        seconds = (
            self._default_deadline if client_deadline is None else min(client_deadline, self._default_deadline * 10)
        )
        set_deadline(seconds)
        return seconds


async def _abort(error: BaseException, context: Context, method: str) -> None:
    """End the call with the status of an error. Returns only by raising."""
    if isinstance(error, GeneratorExit) or (
        isinstance(error, asyncio.CancelledError) and _is_cancelled_by_client(context)
    ):
        raise error  # There is no one to tell.
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, TimeoutError):
        error = deadline_exceeded()
    call = current_call()
    if not isinstance(error, MemoryServiceError):
        _log.error("bug", method=method, request_id=call.request_id, exc_info=error)
        error = internal(call.request_id)
    elif error.__cause__ is not None:
        call.cause = repr(error.__cause__)[:300]
    call.reason = error.reason
    status = to_status(error)
    await context.abort(status.code, status.details, (*status.trailing_metadata, (REQUEST_ID, call.request_id)))


def _is_cancelled_by_client(context: Context) -> bool:
    """Whether a cancellation comes from gRPC, which cancels the call's task when its client has gone or its deadline
    has passed, and is no stray one out of our work."""
    left, task = context.time_remaining(), asyncio.current_task()
    return context.cancelled() or (left is not None and left <= 0) or (task is not None and task.cancelling() > 0)
