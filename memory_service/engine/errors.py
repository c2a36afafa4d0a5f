"""What the engine's refusals mean."""

from memory_service.engine.connection import CommandRefused
from memory_service.memory.errors import FailedPrecondition, Reason, engine_unavailable

_MISSING_INDEX = ("no such index", "not found", "unknown index name")


def says_missing(error: CommandRefused) -> bool:
    """Tell whether the refusal says that there is no such index."""
    # GLIDE takes the first word for an error code and puts a colon after it: "Unknown: index name".
    text = error.text.replace(":", "")
    return any(words in text for words in _MISSING_INDEX)


def says_incomplete(error: CommandRefused) -> bool:
    """Tell whether the refusal says that a search did not hear from every shard in time."""
    return any(word in error.text for word in ("timeout", "deadline", "cancelled", "unable to contact"))


def incomplete() -> Exception:
    """The error of a search that did not hear from every shard in time."""
    return engine_unavailable("did not answer in time from every shard")


def misconfigured(error: CommandRefused) -> Exception:
    """The error for what only the operator can mend, a module that is missing or an ACL that is too tight; any other
    refusal as it is, for it is a bug of ours."""
    if "unknown command" in error.text:
        hint = "Valkey lacks a module: load valkey-search and valkey-json (image valkey/valkey-bundle)"
    elif any(word in error.text for word in ("noperm", "permission", "noauth", "wrongpass", "username-password")):
        hint = "Valkey refuses this service's user: check user, password and ACL in MEMORY_VALKEY_URL"
    else:
        return error
    return FailedPrecondition(Reason.SERVER_MISCONFIGURED, f"{hint}; this is for the server's operator")
