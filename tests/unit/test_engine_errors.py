"""What GLIDE and the engine say, and what it means."""

import pytest

from memory_service.domain.errors import FailedPrecondition, Unavailable
from memory_service.valkey.errors import CommandRefused, meaning, says_not_connected

GONE = ["Broken: pipe", "Connection: reset by peer", "Connection refused (os error 111)"]
NOT_NOW = [
    "OOM: command not allowed when used memory > 'maxmemory'.",
    "LOADING: Valkey is loading the dataset in memory",
]
REFUSED = ["Unknown: index name 'x'", "WRONGTYPE: Operation against a key holding the wrong kind of value"]
OPERATORS = ["NOPERM: User default has no permissions to run the 'ft.search' command", "unknown command 'FT.SEARCH'"]


@pytest.mark.parametrize("text", GONE)
def test_a_connection_that_broke_is_worth_another_try(text: str) -> None:
    assert isinstance(meaning(text), Unavailable)
    assert says_not_connected(text)


@pytest.mark.parametrize("text", NOT_NOW)
def test_an_engine_that_cannot_just_now_is_worth_another_try(text: str) -> None:
    assert isinstance(meaning(text), Unavailable)
    assert not says_not_connected(text)


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_is_none(text: str) -> None:
    assert isinstance(meaning(text), CommandRefused)
    assert not says_not_connected(text)


@pytest.mark.parametrize("text", OPERATORS)
def test_what_the_operator_must_fix_says_so(text: str) -> None:
    error = meaning(text)
    assert isinstance(error, FailedPrecondition)
    assert "operator" in error.message
    assert not says_not_connected(text)
