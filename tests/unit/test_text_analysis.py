"""Terms of texts: stems, order and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.text_analysis import MAX_TERMS, terms


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("We deployed; she deploys, I'm deploying!", ["deploy", "deploy", "deploy"]),
        ("Caroline's dog and the dogs’ food", ["carolin", "dog", "dog", "food"]),
        ("the of and to", []),
        ("", []),
        ("E-Mail: ada@example.com, v2.10", ["e", "mail", "ada", "exampl", "com", "v2", "10"]),
        ("Straße STRASSE ﬁne fine", ["strass", "strass", "fine", "fine"]),
        ("Ünïcode naïve", ["ünïcode", "naïv"]),
        ("東京都へ", ["東京", "京都", "都へ"]),
        ("猫", ["猫"]),
        ("東京2024年", ["東京", "2024", "年"]),
        ("_private_ __init__", ["privat", "init"]),
        ("don't can't isn't", []),
    ],
)
def test_terms_are_the_stems_of_the_words(text: str, stems: list[str]) -> None:
    assert terms(text) == stems


@given(st.text())
def test_stems_are_short_limited_in_number_and_never_empty(text: str) -> None:
    found = terms(text)
    assert len(found) <= MAX_TERMS
    assert all(0 < len(one.encode()) <= 64 for one in found)


@given(st.text(st.characters(categories=["L", "N", "Zs"])))
def test_letter_case_does_not_matter(text: str) -> None:
    assert terms(text.casefold()) == terms(text.casefold().casefold())


@given(st.lists(st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1), max_size=20))
def test_words_keep_their_order_and_number(words: list[str]) -> None:
    assert terms(" ".join(words)) == [stem for word in words for stem in terms(word)]


def test_a_long_text_has_a_limited_number_of_terms() -> None:
    assert len(terms("word " * 10_000)) == MAX_TERMS


def test_a_long_word_is_truncated_between_characters() -> None:
    [stem] = terms("é" * 200)
    assert stem == "é" * 32
