"""What GLIDE and the engine say, and what it means."""

import pytest

from memory_service.domain.errors import FailedPrecondition, Unavailable
from memory_service.valkey.errors import CommandRefused, is_not_connected, translate

GONE = ["Broken: pipe", "Connection: reset by peer", "Connection refused (os error 111)"]
NOT_NOW = [
    "OOM: command not allowed when used memory > 'maxmemory'.",
    "LOADING: Valkey is loading the dataset in memory",
]
REFUSED = ["Unknown: index name 'x'", "WRONGTYPE: Operation against a key holding the wrong kind of value"]
OPERATORS = ["NOPERM: User default has no permissions to run the 'ft.search' command", "unknown command 'FT.SEARCH'"]


@pytest.mark.parametrize("text", GONE)
def test_a_broken_connection_is_unavailable(text: str) -> None:
    assert isinstance(translate(text), Unavailable)
    assert is_not_connected(text)


@pytest.mark.parametrize("text", NOT_NOW)
def test_an_engine_that_is_loading_or_full_is_unavailable(text: str) -> None:
    assert isinstance(translate(text), Unavailable)
    assert not is_not_connected(text)


@pytest.mark.parametrize("text", REFUSED)
def test_a_refused_command_is_not_unavailable(text: str) -> None:
    assert isinstance(translate(text), CommandRefused)
    assert not is_not_connected(text)


@pytest.mark.parametrize("text", OPERATORS)
def test_a_missing_permission_or_module_names_the_operator(text: str) -> None:
    error = translate(text)
    assert isinstance(error, FailedPrecondition)
    assert "operator" in error.message
    assert not is_not_connected(text)
