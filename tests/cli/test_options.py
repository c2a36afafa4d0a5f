"""Times and durations on the command line, and options that are refused before any call."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from memory_service.cli.options import parse_duration, parse_time
from tests.cli.in_process import run_command


@given(st.integers(0, 999_999_999), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]))
def test_a_duration_is_a_number_and_a_unit(number: int, unit: tuple[str, int]) -> None:
    name, seconds = unit
    assert parse_duration(f"{number}{name}").seconds == number * seconds


@given(st.text())
def test_text_that_is_no_duration_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        parse_duration(f"{text}!")


@given(st.datetimes(timezones=st.none() | st.just(UTC) | st.just(timezone(timedelta(hours=-7)))))
def test_a_time_is_exact_and_in_utc_by_default(time: datetime) -> None:
    expected = time if time.tzinfo else time.replace(tzinfo=UTC)
    parsed = parse_time(time.isoformat())
    assert parsed.seconds * 10**6 + parsed.nanos // 1000 == (expected - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )


def test_a_printed_time_can_be_parsed() -> None:
    printed = "2026-01-02T03:04:05.123456Z"
    assert parse_time(printed).ToJsonString() == printed
    assert parse_time("2026-01-02").ToJsonString() == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"])
def test_text_that_is_no_time_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["store", "c", "-u", "a", "--ttl", "soon"],
        ["store", "c", "-u", "a", "--ttl", "1d", "--expires-at", "2126-01-01"],
        ["store", "c", "-u", "a", "--metadata", "pair"],
        ["search", "q", "-u", "a", "--since", "yesterday"],
        ["search", "q", "-u", "a", "--recency-weight", "0.5"],
    ],
)
def test_invalid_options_are_refused_by_name(arguments: list[str]) -> None:
    refused = run_command(*arguments, status=2).stderr
    assert arguments[-2] in refused
    assert "Traceback" not in refused
