"""Text analysis for the search by words: the terms that are stored with a memory, and the words of a query.

A memory is stored with one term for each word: its stem by the stemmer of its language. Further forms have a mark, and
do not count for the length of the memory: the English stem without accents, because a query in English may contain a
word of another language, and single characters of scripts without spaces.

A query does not show its language reliably. So a word of a query is a set of terms, any of which matches: the stems of
the languages that the query may be in, the further forms, and the term that earlier versions stored.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise, zip_longest

import regex

from memory_service.domain import earlier_text_analysis
from memory_service.domain.earlier_text_analysis import STOP_WORDS
from memory_service.domain.languages import ENGLISH, possible_languages, stem, text_language
from memory_service.domain.words import split_words

QueryWord = tuple[str, ...]
"""Terms of which any matches; the first one stands for the word in results."""

_FURTHER = "_"
"""The mark of a further form. No word begins with it."""
MAX_TERMS = 8192
"""Upper bound on the terms of one memory. A search reads those of each candidate. Later words are not searchable."""
_LONGEST = 64
"""Bytes of a term. Nobody searches for longer words (hashes, encoded data), and each would take memory."""
_GRAPHEME = regex.compile(r"\X")
_LATIN = regex.compile(r"\p{Latin}")
_LETTERS_WITHOUT_MARKS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})


def stored_terms(text: str) -> list[str]:
    """Return the terms of a memory, in order and with repetitions; at most MAX_TERMS."""
    terms: list[str] = []
    language = ""
    for word, unspaced in split_words(text):
        if len(terms) >= MAX_TERMS:
            break
        if unspaced:
            characters = _GRAPHEME.findall(word[:MAX_TERMS])
            for character, pair in zip_longest(characters, _pairs(characters) or characters):
                terms += [pair, _further(character)] if pair else [_further(character)]
        elif word not in STOP_WORDS:
            language = language or text_language(text)
            terms.append(own := stem(word, language))
            if (language != ENGLISH or not word.isascii()) and (plain := _plain(word)) != own:
                terms.append(_further(plain))
    return _cut(terms[:MAX_TERMS])


def term_count(terms: Iterable[str]) -> int:
    """Return the length of a memory: the number of its terms without further forms."""
    return sum(not term.startswith(_FURTHER) for term in terms)


def query_words(text: str, *, has_earlier_terms: bool = False) -> list[QueryWord]:
    """Return the distinct words of a query, in order. With `has_earlier_terms`, some memories may have the terms of an
    earlier version."""
    earlier = dict.fromkeys(earlier_text_analysis.terms(text)) if has_earlier_terms else {}
    words = dict.fromkeys(tuple(_cut(word)) for word in _words_of_query(text, earlier))
    known = {term for word in words for term in word}
    return [*words, *((term,) for term in earlier if term not in known)]


def _words_of_query(text: str, earlier: dict[str, None]) -> Iterator[Iterable[str]]:
    languages: list[str] = []
    for word, unspaced in split_words(text):
        if unspaced:
            characters = _GRAPHEME.findall(word)
            yield from ([pair] for pair in _pairs(characters))
            if len(characters) == 1:
                yield [characters[0], _further(characters[0])]
        elif word not in STOP_WORDS:
            languages = languages or possible_languages(text)
            before = earlier_text_analysis.terms(word) if earlier else []
            forms = [*(stem(word, language) for language in languages), plain := _plain(word), _further(plain)]
            yield dict.fromkeys([*forms, *(before if len(before) == 1 else [])])


def _pairs(characters: list[str]) -> list[str]:
    return [first + second for first, second in pairwise(characters)]


def _plain(word: str) -> str:
    """Return the stem of a word without accents, by the English stemmer or that of its script."""
    return stem(_without_accents(word), ENGLISH)


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    if not _LATIN.search(word):
        return word.replace("ё", "е")
    letters = unicodedata.normalize("NFD", word.translate(_LETTERS_WITHOUT_MARKS))
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Mn")


def _further(term: str) -> str:
    return _FURTHER + term


def _cut(terms: Iterable[str]) -> list[str]:
    cut = (term if len(term) <= _LONGEST // 4 else term.encode()[:_LONGEST].decode(errors="ignore") for term in terms)
    return [term for term in cut if term]
