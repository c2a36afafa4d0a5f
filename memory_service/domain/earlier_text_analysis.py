"""The terms that earlier versions stored. A query also searches for these, so that their memories are found.

Words are runs of letters and digits after NFKC and case folding. Stop words are English function words. The stemmer is
Snowball's for English, which hardly changes words of other languages. Scripts without spaces between words (such as
Chinese, Japanese and Thai) are split into overlapping pairs of characters, as in Lucene.
"""

import re
import unicodedata
from functools import lru_cache

import Stemmer

_MAX_TERMS = 4096
"""Upper bound on the stems of one text."""

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
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
_stemmer = Stemmer.Stemmer("english")


def terms(text: str) -> list[str]:
    """Return the stems of a text, in order and with repetitions; at most 4,096."""
    stems: list[str] = []
    for match in _RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        run = match.group()
        if _UNSPACED_RUN.match(run):
            stems += [run[i : i + 2] for i in range(max(1, len(run) - 1))]
        else:
            word, _, suffix = run.replace("\u2019", "'").partition("'")
            negation = suffix == "t" and word.endswith("n")  # don't, isn't
            if word not in STOP_WORDS and not negation:
                stems.append(_stem(word))
        if len(stems) >= _MAX_TERMS:
            break
    return stems[:_MAX_TERMS]


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    # Nobody searches for longer words (hashes, encoded data); cutting them limits the size of the index.
    stem: str = _stemmer.stemWord(word)
    return stem.encode()[:64].decode(errors="ignore")
