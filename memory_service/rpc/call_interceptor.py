"""Everything that happens around a handler: deadline, admission, authorization, validation and errors.

The steps of a call, in their order:

1. Set the deadline.
2. Authenticate the caller, apply its limits, reserve memory and read the request: rpc/call_admission.py.
3. Parse the request, authorize the caller (rpc/authorization.py) and validate the fields (rpc/validation.py).
4. Run the handler: rpc/servicer.py.
5. Turn any exception into a status: rpc/abort.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from memory_service.access.callers import Caller
from memory_service.domain.deadline import set_deadline
from memory_service.domain.errors import InvalidRequest, Reason
from memory_service.domain.fairness import set_flow
from memory_service.rpc.abort import abort
from memory_service.rpc.authorization import authorize, flow_of
from memory_service.rpc.call_admission import CallAdmission, read_request
from memory_service.rpc.grpc_types import Context, Deserializer, Handler
from memory_service.rpc.sizes import check_size
from memory_service.rpc.validation import RequestValidator

_MAX_DEADLINE_FACTOR = 10
"""A call may run at most this many times the default deadline, even if its client sets a longer one."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of one service."""

    def __init__(
        self, service: str, admission: CallAdmission, validator: RequestValidator, *, default_deadline: float
    ) -> None:
        """`default_deadline`, in seconds, applies to calls without a deadline."""
        self._prefix = f"/{service}/"
        self._admission = admission
        self._validator = validator
        self._default_deadline = default_deadline
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
        wrapped = self._wrapped[method] = self._wrap(handler, method)
        return wrapped

    def _wrap(self, handler: Handler, method: str) -> Handler:
        # The wrapped handlers take a stream of requests, which looks the same to a client. So a request is read only
        # once memory is reserved for it. It is parsed here: grpc.aio would show a parser's exception to the client.
        if handler.response_streaming:
            make: Any = grpc.stream_stream_rpc_method_handler
            behaviour: Any = self._streaming(handler.unary_stream, handler.request_deserializer, method)
        else:
            make = grpc.stream_unary_rpc_method_handler
            behaviour = self._unary(handler.unary_unary, handler.request_deserializer, method)
        wrapped: Handler = make(behaviour, response_serializer=handler.response_serializer)
        return wrapped

    def _unary(self, handle: Any, deserialize: Deserializer, method: str) -> Any:
        name = method.removeprefix(self._prefix)

        async def unary(_: Any, context: Context) -> Any:
            try:
                async with (
                    asyncio.timeout(self._set_deadline(context)),
                    self._admission.admit(context, name) as (caller, grant),
                ):
                    request = self._check(deserialize, await read_request(context, grant), caller, name)
                    response = await handle(request, context)
                    check_size(response)
                    return response
            except BaseException as error:  # noqa: BLE001 - every one becomes a status
                await abort(error, context, method)

        return unary

    def _streaming(self, handle: Any, deserialize: Deserializer, method: str) -> Any:
        name = method.removeprefix(self._prefix)

        async def streaming(_: Any, context: Context) -> AsyncIterator[Any]:
            try:
                async with (
                    asyncio.timeout(self._set_deadline(context)),
                    self._admission.admit(context, name) as (caller, grant),
                ):
                    request = self._check(deserialize, await read_request(context, grant), caller, name)
                    async with aclosing(handle(request, context)) as responses:
                        async for response in responses:
                            check_size(response)
                            yield response
            except BaseException as error:  # noqa: BLE001 - every one becomes a status
                await abort(error, context, method)

        return streaming

    def _check(self, deserialize: Deserializer, serialized: bytes, caller: Caller, method: str) -> Message:
        """Return the parsed request once the caller is authorized and every field is valid."""
        assert deserialize is not None  # noqa: S101 - generated handlers all have one
        try:
            request: Message = deserialize(serialized)
        except DecodeError as error:
            message = "the request is not a valid message of this method: generate the client from the contract"
            raise InvalidRequest(Reason.INVALID_REQUEST, message) from error
        authorize(caller, method, request)
        self._validator.check(request, serialized)
        set_flow(flow_of(caller, method, request))
        return request

    def _set_deadline(self, context: Context) -> float:
        """Set the deadline of the call; return the seconds until the deadline."""
        remaining = context.time_remaining()
        seconds = self._default_deadline
        if remaining is not None:
            seconds = min(remaining, self._default_deadline * _MAX_DEADLINE_FACTOR)
        set_deadline(seconds)
        return seconds
