"""Error messages of GLIDE and the engine, and the errors that they become."""

import pytest

from memory_service.domain.errors import FailedPrecondition, Unavailable
from memory_service.valkey.errors import CommandRefused, is_not_connected, translate

BROKEN_CONNECTION = ["Broken: pipe", "Connection: reset by peer", "Connection refused (os error 111)"]
TEMPORARY = [
    "OOM: command not allowed when used memory > 'maxmemory'.",
    "LOADING: Valkey is loading the dataset in memory",
]
REFUSED_COMMAND = ["Unknown: index name 'x'", "WRONGTYPE: Operation against a key holding the wrong kind of value"]
OPERATOR = [
    "NOPERM: User default has no permissions to run the 'ft.search' command",
    "unknown command 'FT.SEARCH'",
]


@pytest.mark.parametrize("text", BROKEN_CONNECTION)
def test_a_broken_connection_is_unavailable(text: str) -> None:
    assert isinstance(translate(text), Unavailable)
    assert is_not_connected(text)


@pytest.mark.parametrize("text", TEMPORARY)
def test_an_engine_that_is_loading_or_full_is_unavailable(text: str) -> None:
    assert isinstance(translate(text), Unavailable)
    assert not is_not_connected(text)


@pytest.mark.parametrize("text", REFUSED_COMMAND)
def test_a_refused_command_is_not_unavailable(text: str) -> None:
    assert isinstance(translate(text), CommandRefused)
    assert not is_not_connected(text)


@pytest.mark.parametrize("text", OPERATOR)
def test_a_missing_permission_or_module_names_the_operator(text: str) -> None:
    error = translate(text)
    assert isinstance(error, FailedPrecondition)
    assert "operator" in error.message
    assert not is_not_connected(text)
