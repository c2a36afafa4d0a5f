"""The prose check finds the phrases that it knows, and only whole phrases."""

import pytest

from scripts.check_prose import findings


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("near duplicates are told when asked for", "told"),
        ("Whoever shows one is let in", "Whoever"),
        ("nothing while the index is not whole", "not whole"),
        ("the index is made again", "made again"),
        ("an embedder that is away", "is away"),
        ("a memory whose time is over", "time is over"),
    ],
)
def test_a_known_phrase_is_found_on_its_line(text: str, phrase: str) -> None:
    found = list(findings(f"first line\n{text}\n"))
    assert (2, phrase) in [(number, match) for number, match, _ in found]


def test_a_line_with_a_reason_is_exempt() -> None:
    assert not list(findings('"told": 1  # prose: a published name'))


def test_plain_english_passes() -> None:
    assert not list(findings("Return the memories that match the filter, oldest first.\nThe whole page is read."))
