"""Admission of a call: authenticate the caller, apply its limits and reserve memory for the request."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from memory_service.access.callers import Caller, Verifier, authenticate
from memory_service.access.limits import CallLimits
from memory_service.domain.errors import InvalidRequest, Reason
from memory_service.domain.fairness import FairBudget, Flow, Grant, set_flow
from memory_service.rpc.authorization import is_batch
from memory_service.rpc.grpc_types import Context
from memory_service.rpc.sizes import MAX_MESSAGE_BYTES
from memory_service.telemetry.calls import current_call

_MAX_WAIT = 5.0
"""The longest time that a call waits for memory, in seconds."""
_UPLOAD_TIMEOUT = 20.0
"""Seconds that a request may take to arrive once memory is reserved for it."""
_BYTES_PER_REQUEST_BYTE = 3
"""Bytes of memory that a call takes for each byte of its request, while it is parsed, checked and written."""
_BYTES_PER_CALL = 10_000


class CallAdmission:
    """Decides which calls are read and processed."""

    def __init__(self, verifiers: Sequence[Verifier], limits: CallLimits, request_memory: FairBudget) -> None:
        """`request_memory` is the memory for requests, in bytes. Without verifiers every caller is admitted."""
        self._verifiers = verifiers
        self._limits = limits
        self._request_memory = request_memory

    @asynccontextmanager
    async def admit(self, context: Context, method: str) -> AsyncIterator[tuple[Caller, Grant]]:
        """Yield the caller and the memory that is reserved for its call while the context is open.

        Raises:
            Unauthenticated: the credential is missing or not valid.
            Unavailable: the credential cannot be verified now.
            ResourceExhausted: the caller or the service is at a limit.
        """
        caller = await self._authenticate(context)
        with self._limits.admit(caller.name):
            set_flow(Flow(caller.name, batch=is_batch(method)))
            async with self._request_memory.reserve(MAX_MESSAGE_BYTES, max_wait=_MAX_WAIT) as grant:
                yield caller, grant

    async def _authenticate(self, context: Context) -> Caller:
        authorization = None
        if self._verifiers:
            authorization = dict(context.invocation_metadata() or ()).get("authorization")
        caller = await authenticate(authorization if isinstance(authorization, str) else None, self._verifiers)
        current_call().caller = caller.name
        return caller


async def read_request(context: Context, grant: Grant) -> bytes:
    """Return the request as it arrived. Shrinks the reservation to what the request needs.

    Raises:
        InvalidRequest: the client sent no message.
        TimeoutError: the message did not arrive in time.
    """
    async with asyncio.timeout(_UPLOAD_TIMEOUT):
        serialized = await context.read()
    if not isinstance(serialized, bytes):
        raise InvalidRequest(Reason.INVALID_REQUEST, "the call has no request: send exactly one message")
    grant.shrink(_BYTES_PER_REQUEST_BYTE * len(serialized) + _BYTES_PER_CALL)
    return serialized
