"""Translates error replies of the engine, and errors of GLIDE, into errors of the domain."""

import re
from typing import Any

import structlog

from memory_service.domain.errors import FailedPrecondition, Reason, engine_unavailable

_log = structlog.get_logger(__name__)

_NOT_NOW = {
    re.compile(r"\boom\b"): "has no memory left",
    re.compile(r"\breadonly\b"): "accepts no writes: it is a replica",
    re.compile(r"no primary node"): "has no primary at its address",
    re.compile(r"\b(busy)?loading\b"): "is loading its data",
    re.compile(r"\b(clusterdown|tryagain|masterdown|misconf|noreplicas|busy)\b|maximum inflight"): "is not ready",
}
"""Replies that mean "not now", with the text for callers ("Valkey …"). GLIDE puts its own words before the engine's
error code."""

_NOT_CONNECTED = re.compile(
    r"connect failed|failed to create|ioerror|no connection|connection:? (refused|reset|aborted)|broken:? pipe"
)
"""Texts of the plain RequestError that GLIDE raises when a lazy client cannot connect, or when the node of a batch is
gone. In the latter case a colon follows the first word, as if it were an error code."""

_ACCESS_DENIED = re.compile(
    "no permissions|permissiondenied|wrongpass|noauth|invalid username-password|authenticationfailed"
)
"""Texts of failed connections which mean that Valkey is available but refuses this user."""

_MISSING_INDEX = ("no such index", "not found", "unknown index name")


NOT_PERMITTED = "Valkey refuses the user of this service"


class CommandRefused(Exception):
    """The engine answered with an error. `text` is in lower case, for comparison only."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text.lower()


def translate(text: str) -> Exception:
    """Return the error for an error text of GLIDE.

    That is Unavailable if the text means "not now", FailedPrecondition if the operator must act, and otherwise
    CommandRefused.
    """
    lower = text.lower()
    for pattern, what in _NOT_NOW.items():
        if pattern.search(lower):
            _log.warning("engine_not_ready", reply=text[:200])
            return engine_unavailable(what)
    if is_not_connected(text):
        return engine_unavailable("cannot be reached")
    return _misconfigured(lower) or CommandRefused(text)


def is_not_connected(text: str) -> bool:
    """Return whether an error text of GLIDE means that a connection broke or could not be opened."""
    lower = text.lower()
    return _NOT_CONNECTED.search(lower) is not None and _ACCESS_DENIED.search(lower) is None


def is_missing_index(error: CommandRefused) -> bool:
    """Return whether the refusal means that the index does not exist."""
    # GLIDE takes the first word for an error code and adds a colon: "Unknown: index name".
    text = error.text.replace(":", "")
    return any(words in text for words in _MISSING_INDEX)


def is_wrong_type(error: CommandRefused) -> bool:
    """Return whether the refusal means that the key is not a document of this layout."""
    return any(words in error.text.replace(":", "") for words in ("wrongtype", "wrong redis type", "wrong kind"))


def document_or_none(reply: Any) -> Any:
    """Return the reply to a read of a document; None if the key is not a document of this layout."""
    if not isinstance(reply, CommandRefused):
        return reply
    if not is_wrong_type(reply):
        raise reply
    return None


def is_null_field(error: CommandRefused) -> bool:
    """Return whether GLIDE could not convert the reply to a search because a document has null in a returned field."""
    return "incompatible type" in error.text and "nil" in error.text


def is_unsortable(error: CommandRefused) -> bool:
    """Return whether RediSearch could not sort because a document has no number in the field."""
    return "converting string" in error.text


def is_incomplete(error: CommandRefused) -> bool:
    """Return whether the refusal means that a shard did not answer a search in time."""
    return any(word in error.text for word in ("timeout", "deadline", "cancelled", "unable to contact"))


def incomplete_search() -> Exception:
    """Return the error for a search that a shard did not answer in time."""
    return engine_unavailable("did not answer in time from every shard")


def _misconfigured(text: str) -> FailedPrecondition | None:
    """Return the error for what only the operator can fix: a missing module or missing rights."""
    if "unknown command" in text:
        hint = "a Valkey module is missing: load valkey-search and valkey-json (image valkey/valkey-bundle)"
    elif any(word in text for word in ("noperm", "permission", "noauth", "wrongpass", "username-password")):
        hint = f"{NOT_PERMITTED}: check user, password and ACL in MEMORY_VALKEY_URL"
    else:
        return None
    return FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{hint}. Only the operator of the server can fix this")
