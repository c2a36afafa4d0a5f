"""What a text is made of for a search by words: stems of its words, without those that every text has.

Words are runs of letters and digits after NFKC and case folding. Stop words are English function words; stems are
Snowball's English ones, which leave words of other languages nearly as they are. Scripts that put no spaces between
words (Chinese, Japanese, Thai and their like) are taken as overlapping pairs of characters, as Lucene does.
"""

import re
import unicodedata
from functools import lru_cache

import Stemmer

MAX_TERMS = 4096
"""Stems of one text; what comes after them cannot be found by its words."""

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])[^\W_])+(?:['\u2019](?![{_UNSPACED}])[^\W_]+)*")
_UNSPACED_RUN = re.compile(rf"[{_UNSPACED}]")

_FUNCTION_WORDS = """
a about above after again against all am an and any are as at be because been before being below between both but by can
could did do does doing don down during each few for from further had has have having he her here hers herself him
himself his how i if in into is it its itself just may me might more most must my myself no nor not now of off on once
only or other our ours ourselves out over own same shall she should so some such t than that the their theirs them
themselves then there these they this those through to too under until up very was we were what when where which while
who whom why will with would you your yours yourself yourselves s
"""
_STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
_stemmer = Stemmer.Stemmer("english")


def terms(text: str) -> list[str]:
    """The stems of a text in their order, repeated as they are in it; at most MAX_TERMS."""
    found: list[str] = []
    for match in _RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        run = match.group()
        if _UNSPACED_RUN.match(run):
            found += [run[i : i + 2] for i in range(max(1, len(run) - 1))]
        else:
            word, _, suffix = run.replace("\u2019", "'").partition("'")
            negation = suffix == "t" and word.endswith("n")  # don't, isn't
            if word not in _STOP_WORDS and not negation:
                found.append(_stem(word))
        if len(found) >= MAX_TERMS:
            break
    return found[:MAX_TERMS]


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    # A word of more bytes than an id may have is no word that anyone looks for.
    stem: str = _stemmer.stemWord(word)
    return stem.encode()[:64].decode(errors="ignore")
