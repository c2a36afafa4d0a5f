"""The terms of texts and the words of queries, in many scripts."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.earlier_text_analysis import terms as earlier_terms
from memory_service.domain.text_analysis import MAX_TERMS, query_words, stored_terms
from memory_service.domain.words import split_words


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("We deployed; she deploys, I'm deploying!", ["deploy", "deploy", "deploy"]),
        ("Caroline's dog and the dogs’ food", ["carolin", "dog", "dog", "food"]),
        ("the of and to", []),
        ("", []),
        ("E-Mail: ada@example.com, v2.10", ["e", "mail", "ada", "exampl", "com", "v2", "10"]),
        ("_private_ __init__", ["privat", "init"]),
        ("don't can't isn't", []),
        ("Straße STRASSE ﬁne fine", ["strass", "strass", "fine", "fine"]),
        ("soft\u00adhyphen", ["softhyphen"]),
        ("東京2024年", ["東京", "_東", "_京", "2024", "年", "_年"]),
        ("猫", ["猫", "_猫"]),
        ("שָׁלוֹם", ["שלום"]),
        ("مُحَمَّد", ["محمد"]),
    ],
)
def test_terms_are_the_stems_of_the_words(text: str, stems: list[str]) -> None:
    assert stored_terms(text) == stems


@pytest.mark.parametrize(
    ("stored", "query"),
    [
        ("Elle a visité l'hôpital de Lyon", "hôpital"),
        ("Elle a visité l’hôpital de Lyon", "hopital"),
        ("O'Brien called at noon", "OBrien"),
        ("O'Brien called at noon", "brien"),
        ("Studia all'università di Bologna, vicino alla stazione", "universita"),
        ("我昨天养了一只猫", "猫"),
        ("我昨天养了一只猫", "昨天"),
        ("मैंने किताबें ख़रीदीं", "किताब"),
        ("Мы купили новые книги в магазине", "книга"),
        ("Мы нарядили ёлку", "елка"),
        ("Los perros corrían por la playa con sus dueños", "perro"),
        ("Die Häuser in dieser Straße sind sehr alt und schön", "haus"),
        ("İSTANBUL'da kaldık", "istanbul"),
        ("Το βιβλίο των μαθητών είναι στο τραπέζι", "μαθητής"),
        ("ΟΔΟΣ", "οδός"),
        ("ฉันไปกรุงเทพ", "กรุงเทพ"),
        ("Łódź is a city", "lodz"),
    ],
)
def test_a_query_finds_another_form_of_a_word(stored: str, query: str) -> None:
    terms = stored_terms(stored)
    assert any(not set(word).isdisjoint(terms) for word in query_words(query)), (terms, query_words(query))


@given(st.text())
def test_terms_are_short_and_never_empty(text: str) -> None:
    assert all(0 < len(term.encode()) <= 64 for term in stored_terms(text))
    assert all(word and all(word) for word in query_words(text))


letters = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Mn", "Mc", "Nd", "Zs"]), max_size=40)


@given(letters)
def test_a_text_is_found_by_itself(text: str) -> None:
    terms = set(stored_terms(text))
    assert all(not terms.isdisjoint(word) for word in query_words(text))


@given(letters)
def test_memories_of_earlier_versions_are_found(text: str) -> None:
    earlier = set(earlier_terms(text))
    found = {term for word in query_words(text, has_earlier_terms=True) for term in word}
    assert earlier <= found


@given(letters)
def test_normal_forms_of_a_text_have_the_same_terms(text: str) -> None:
    forms = {form: stored_terms(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert forms["NFC"] == forms["NFD"] == forms["NFKC"] == forms["NFKD"]


@given(st.text(st.characters(categories=["Lo", "Mn", "Mc"]), min_size=1, max_size=20))
def test_no_grapheme_is_split(text: str) -> None:
    whole = "".join(word.text for word in split_words(text))
    joined = "".join(character for word in split_words(text) for character in regex.findall(r"\X", word.text))
    assert joined == whole


@given(st.text(st.characters(categories=["Lo"]), min_size=1, max_size=20))
def test_letters_are_always_words(text: str) -> None:
    visible = regex.sub(r"\p{Default_Ignorable_Code_Point}", "", unicodedata.normalize("NFKC", text))
    assert bool(list(split_words(text))) == any(unicodedata.category(letter).startswith("L") for letter in visible)


@pytest.mark.parametrize(
    "text",
    [
        "Los perros corrían por la playa con sus dueños",
        "Les chevaux couraient dans la prairie avec leurs poulains",
        "Die Häuser in dieser Straße sind sehr alt und schön",
        "Kedilerimiz bahçede oynuyorlar ve çok mutlular",
        "Copiii se jucau în grădină cu bunicii lor",
    ],
)
def test_each_word_of_a_text_finds_it(text: str) -> None:
    terms = set(stored_terms(text))
    for word in text.split():
        assert all(not terms.isdisjoint(of_query) for of_query in query_words(word)), word


@pytest.mark.parametrize("text", ["word " * 10_000, "猫犬" * 25_000, "ا" + "\u064b" * 20_000])
def test_a_long_text_has_a_limited_number_of_terms(text: str) -> None:
    assert len(stored_terms(text)) <= MAX_TERMS


def test_a_long_word_is_truncated_between_characters() -> None:
    terms = stored_terms("漢" + "ж" * 200)
    assert "ж" * 32 in terms
