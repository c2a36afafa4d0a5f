"""The result of a check."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The result in one word."""

    GOOD = "ok"
    RISK = "risk"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """The subject of a check, its state, the facts, and what to do."""

    subject: str
    state: State
    summary: str
    advice: str = ""
