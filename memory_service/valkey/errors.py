"""What the engine's refusals mean."""

import re
from typing import Any

import structlog

from memory_service.domain.errors import FailedPrecondition, Reason, engine_unavailable

_log = structlog.get_logger(__name__)

_NOT_NOW = {
    re.compile(r"\boom\b"): "has no memory left",
    re.compile(r"\breadonly\b"): "takes no writes here: it is a replica",
    re.compile(r"no primary node"): "has no primary at its address",
    re.compile(r"\b(busy)?loading\b"): "is loading its data",
    re.compile(r"\b(clusterdown|tryagain|masterdown|misconf|noreplicas|busy)\b|maximum inflight"): "is not ready",
}
"""What replies that mean "not now" say, and what callers read; GLIDE adds words of its own before the engine's error
code."""

_NOT_CONNECTED = re.compile(
    r"connect failed|failed to create|ioerror|no connection|connection:? (refused|reset|aborted)|broken:? pipe"
)
"""What GLIDE says, as a plain RequestError, when a client that connects with its first command cannot, and of a batch
whose node has gone: then with a colon after the first word, as if that were a code of the engine's."""

_NOT_LET_IN = re.compile(
    "no permissions|permissiondenied|wrongpass|noauth|invalid username-password|authenticationfailed"
)
"""Of such connections, what says that Valkey is there and refuses this user."""

_MISSING_INDEX = ("no such index", "not found", "unknown index name")


NOT_PERMITTED = "Valkey refuses this service's user"


class CommandRefused(Exception):
    """The engine answered with an error of its own; `text` is in lower case, for comparison only."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text.lower()


def meaning(text: str) -> Exception:
    """The error for what GLIDE says that the engine has answered: Unavailable where it means "not now",
    FailedPrecondition where the operator must act, CommandRefused otherwise."""
    lower = text.lower()
    for reply, what in _NOT_NOW.items():
        if reply.search(lower):
            _log.warning("engine_not_ready", reply=text[:200])
            return engine_unavailable(what)
    if says_not_connected(text):
        return engine_unavailable("cannot be reached")
    return _misconfigured(lower) or CommandRefused(text)


def says_not_connected(text: str) -> bool:
    """Tell whether what GLIDE says is of a connection that broke, or that could not be made."""
    lower = text.lower()
    return _NOT_CONNECTED.search(lower) is not None and _NOT_LET_IN.search(lower) is None


def says_missing(error: CommandRefused) -> bool:
    """Tell whether the refusal says that there is no such index."""
    # GLIDE takes the first word for an error code and puts a colon after it: "Unknown: index name".
    text = error.text.replace(":", "")
    return any(words in text for words in _MISSING_INDEX)


def says_wrong_type(error: CommandRefused) -> bool:
    """Tell whether the refusal says that the key holds something else than a document of this layout."""
    return any(words in error.text.replace(":", "") for words in ("wrongtype", "wrong redis type", "wrong kind"))


def document_or_none(reply: Any) -> Any:
    """The reply to a read of a document; None where the key holds something else than a document of this layout."""
    if not isinstance(reply, CommandRefused):
        return reply
    if not says_wrong_type(reply):
        raise reply
    return None


def says_null_field(error: CommandRefused) -> bool:
    """Tell whether GLIDE could not convert the reply to a search, because a document has null in a returned field."""
    return "incompatible type" in error.text and "nil" in error.text


def says_unsortable(error: CommandRefused) -> bool:
    """Tell whether RediSearch could not sort, because a document has something else than a number in the field."""
    return "converting string" in error.text


def says_incomplete(error: CommandRefused) -> bool:
    """Tell whether the refusal says that a search did not hear from every shard in time."""
    return any(word in error.text for word in ("timeout", "deadline", "cancelled", "unable to contact"))


def incomplete() -> Exception:
    """The error of a search that did not hear from every shard in time."""
    return engine_unavailable("did not answer in time from every shard")


def _misconfigured(text: str) -> FailedPrecondition | None:
    """The error for what only the operator can fix: a missing module, or an ACL that is too tight."""
    if "unknown command" in text:
        hint = "Valkey lacks a module: load valkey-search and valkey-json (image valkey/valkey-bundle)"
    elif any(word in text for word in ("noperm", "permission", "noauth", "wrongpass", "username-password")):
        hint = f"{NOT_PERMITTED}: check user, password and ACL in MEMORY_VALKEY_URL"
    else:
        return None
    return FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{hint}; this is for the server's operator")
