"""Ends a failed call: turns every exception into a gRPC status.

Without this, grpc.aio would send the text of an unknown exception to the client. After a stray CancelledError, it would
leave the client waiting until its own deadline (grpc#29248).
"""

import asyncio

import grpc
import structlog

from memory_service.domain.errors import MemoryServiceError, deadline_exceeded
from memory_service.rpc.errors import internal, to_status
from memory_service.rpc.grpc_types import Context
from memory_service.telemetry.calls import current_call
from memory_service.telemetry.telemetry import REQUEST_ID

_log = structlog.get_logger(__name__)

_MAX_CAUSE_CHARACTERS = 300


async def abort(error: BaseException, context: Context, method: str) -> None:
    """End the call with the status of an error. Always raises.

    An unexpected exception is logged as `bug` and becomes INTERNAL. `method` is the full name, for the log.
    """
    if isinstance(error, GeneratorExit) or (isinstance(error, asyncio.CancelledError) and _cancelled_by_grpc(context)):
        raise error  # The client no longer waits for a status.
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, TimeoutError):
        error = deadline_exceeded()
    call = current_call()
    if not isinstance(error, MemoryServiceError):
        _log.error("bug", method=method, request_id=call.request_id, exc_info=error)
        error = internal(call.request_id)
    elif error.__cause__ is not None:
        call.cause = repr(error.__cause__)[:_MAX_CAUSE_CHARACTERS]
    call.reason = error.reason
    status = to_status(error)
    await context.abort(status.code, status.details, (*status.trailing_metadata, (REQUEST_ID, call.request_id)))


def _cancelled_by_grpc(context: Context) -> bool:
    """Return whether gRPC cancelled the call's task: the client disconnected or its deadline passed.

    Otherwise the CancelledError leaked out of our own work.
    """
    seconds, task = context.time_remaining(), asyncio.current_task()
    return context.cancelled() or (seconds is not None and seconds <= 0) or (task is not None and task.cancelling() > 0)
