"""Describes the errors of a call: what is wrong with which option, and what to do."""

import re
from collections.abc import Iterator

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from memory_service.addresses import is_loopback

Line = tuple[str, str]
"""The subject of a line, and its text."""

_OPTIONS = {
    "user_id": "--user",
    "all_users": "--all-users",
    "session_id": "--session",
    "session_ids": "--session",
    "exclude_session_ids": "--exclude-session",
    "start_time": "--since",
    "end_time": "--until",
    "any_labels": "--any-label",
    "all_labels": "--all-label",
    "expire_time": "--expires-at",
    "near_duplicate_min_score": "--near-duplicates",
    "min_score": "--min-score",
    "text_weight": "--text-weight",
    "neighbor_weight": "--neighbors",
    "exclude_ids": "--exclude-id",
    "ef_runtime": "--ef-runtime",
    "embedding_model": "--model",
    "query_text": "query",
}
"""Options for names that are fields wherever they occur."""
_FIELD_OPTIONS = {
    **_OPTIONS,
    "role": "--role",
    "roles": "--role",
    "timestamp": "--at",
    "ttl": "--ttl",
    "labels": "--label",
    "metadata": "--metadata",
    "k": "-k",
    "mode": "--mode",
    "recency": "--recency",
    "recency.half_life": "--recency",
    "recency.weight": "--recency-weight",
    "diversity": "--diversity",
    "context.before": "--before",
    "context.after": "--after",
    "dimension": "--dimension",
    "algorithms": "--algorithm",
    "layout": "--layout",
}
"""Options for fields of requests. Some of these names are ordinary words, so texts keep them."""
_FIELD = re.compile(rf"\b({'|'.join(_OPTIONS)})\b")

_UNKNOWN_HOST = re.compile(r"lookup error|lookup failed|name not found|DNS resolution failed|not known", re.IGNORECASE)
_TLS_HINTS = {
    "CERTIFICATE_VERIFY_FAILED": "no trusted authority signed the server's certificate: name the PEM file of its "
    "authority with --ca (MEMORY_CA)",
    "WRONG_VERSION_NUMBER": "the server speaks plaintext: leave out --tls and --ca (MEMORY_TLS, MEMORY_CA)",
    "Hostname Verification": "the server's certificate has other names: use one of them in --address",
}
"""Hints for texts of failed handshakes."""
_HINTS = {
    grpc.StatusCode.UNAUTHENTICATED: "give an API key or token: memory-service --token …, or MEMORY_TOKEN",
    grpc.StatusCode.UNIMPLEMENTED: "check --address: it is another kind of server, or an older version of this one",
}


def describe_error(error: grpc.aio.AioRpcError) -> Iterator[Line]:
    """Yield the lines of an error with the names of the API: code and message, each field that is wrong, and a hint."""
    yield error.code().name, str(error.details())
    for field, description in _violations(error):
        yield f"  {field or 'request'}", description
    if hint := _hint(error, ""):
        yield "hint", hint


def describe_for_command(error: grpc.aio.AioRpcError, address: str) -> Iterator[Line]:
    """Yield the lines of an error with the names of options, each violation once, then a hint."""
    violations = list(_violations(error))
    message = str(error.details())
    lines = [(_option(field), _with_options(description)) for field, description in violations]
    if _repeats(message, violations):
        if len(lines) == 1:
            yield error.code().name, ": ".join(filter(None, lines[0]))
            return
        yield error.code().name, f"{len(lines)} values are refused"
    else:
        yield error.code().name, _with_options(message)
        lines = [line for line, (_, description) in zip(lines, violations, strict=True) if description not in message]
    for option, description in lines:
        yield f"  {option or 'request'}", description
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        yield "hint", "allow more time with --timeout SECONDS"
    elif hint := _hint(error, address):
        yield "hint", hint


def _violations(error: grpc.aio.AioRpcError) -> Iterator[Line]:
    """Yield each field that the server reports, with its description."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        bad, unmet = error_details_pb2.BadRequest(), error_details_pb2.PreconditionFailure()
        if detail.Unpack(bad):
            yield from ((violation.field, violation.description) for violation in bad.field_violations)
        elif detail.Unpack(unmet):
            yield from ((violation.subject, violation.description) for violation in unmet.violations)


def _repeats(message: str, violations: list[Line]) -> bool:
    """Return whether the message only lists the first violations, as the message of an invalid request does."""
    first = "; ".join(": ".join(filter(None, violation)) for violation in violations[:3])
    return bool(violations) and message.startswith(first)


def _option(field: str) -> str:
    """Return the option that sets a field: `--session (value 2)` for `filter.session_ids[1]`."""
    path, bracket, position = field.removeprefix("filter.").removesuffix("]").partition("[")
    option = _FIELD_OPTIONS.get(path, path)
    if not bracket:
        return option
    return f"{option} (value {int(position) + 1})" if position.isdecimal() else f"{option} {position}"


def _with_options(text: str) -> str:
    return _FIELD.sub(lambda found: _OPTIONS[found[1]], text)


def _hint(error: grpc.aio.AioRpcError, address: str) -> str | None:
    """Return what to do about an error that gRPC itself reports. Errors of a server contain their advice."""
    cause = error.debug_error_string()
    if not cause or rpc_status.from_call(error) is not None:
        return None
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return _connect_hint(cause, address)
    return _HINTS.get(error.code())


def _connect_hint(cause: str, address: str) -> str:
    option = f"--address (MEMORY_ADDRESS), which is {address}" if address else "--address (MEMORY_ADDRESS)"
    if _UNKNOWN_HOST.search(cause):
        return f"there is no such host: check {option}"
    for text, hint in _TLS_HINTS.items():
        if text in cause:
            return hint
    if "Connection refused" not in cause and "timeout" not in cause.lower():
        return (
            "the server may need TLS (--tls, or --ca with its authority) or a client certificate (--cert and --key), "
            f"or be of another kind: check {option}"
        )
    if not address or _is_local(address):
        return f"start a server with: memory-service serve; or check {option}"
    return f"check that a server runs there and can be reached from here, and check {option}"


def _is_local(address: str) -> bool:
    try:
        return is_loopback(address)
    except ValueError:  # Another scheme, or several addresses.
        return False
