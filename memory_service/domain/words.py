"""Splits a text of any language into words.

Words are runs of letters and digits after compatibility normalization and case folding. Combining marks belong to the
letters before them; in Arabic and Hebrew, where they are optional vowels, they are dropped. Scripts without spaces
between words, such as Chinese, Japanese and Thai, come as whole runs.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import regex

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc"
_START, _PART = rf"[[\p{{L}}\p{{N}}]--[{_UNSPACED}]]", rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{_UNSPACED}]]"
_RUN = regex.compile(rf"(?:[{_UNSPACED}]\p{{M}}*+)+|{_START}{_PART}*+(?:'{_START}{_PART}*+)*", regex.V1)
_UNSPACED_START = regex.compile(rf"[{_UNSPACED}]", regex.V1)
_ASCII_RUN = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}+")
_APOSTROPHE = re.compile("[\u2019\u02bc\uff07]")
_TATWEEL = "\u0640"
"""A line that lengthens Arabic words."""
_VOWEL_MARKS = regex.compile(r"(?<=[\p{Arabic}\p{Hebrew}])\p{Mn}++")

_SUFFIXES = {"s", "t", "re", "ve", "ll", "d", "m"}
"""What follows the apostrophe in English contractions and possessives."""


class Word(NamedTuple):
    """A word in lower case, or a run of a script without spaces."""

    text: str
    unspaced: bool = False


def split_words(text: str) -> Iterator[Word]:
    """Yield the words of a text, in order and with repetitions. Words with an apostrophe yield each part, and elided or
    prefixed ones also the whole: "O'Brien" yields "brien" and "obrien"."""
    folded = _fold_case(text)
    for match in (_ASCII_RUN if folded.isascii() else _RUN).finditer(folded):
        run = match.group()
        if "'" in run:
            yield from map(Word, _parts(run.split("'")))
        else:
            yield Word(run, unspaced=not run.isascii() and _UNSPACED_START.match(run) is not None)


def _fold_case(text: str) -> str:
    if text.isascii():
        return text.lower()
    normal = _IGNORABLE.sub("", unicodedata.normalize("NFKC", text))
    folded = unicodedata.normalize("NFKC", normal.casefold())
    folded = folded.replace("i\u0307", "i")  # what folding leaves of the Turkish capital I with a dot
    return _VOWEL_MARKS.sub("", _APOSTROPHE.sub("'", folded.replace(_TATWEEL, "")))


def _parts(parts: list[str]) -> Iterator[str]:
    if parts[-1] in _SUFFIXES:
        if parts[-1] == "t" and parts[-2].endswith("n"):  # don't, isn't
            return
        parts = parts[:-1]
    if len(parts) == 1:
        yield parts[0]
        return
    yield from (part for part in parts if len(part) > 1)
    if len(parts) == 2:
        yield "".join(parts)
