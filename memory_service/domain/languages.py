"""Stemmers by language, and the language of a text.

The stemmers are those of Snowball. The script decides where one stemmer serves it; for Latin, py3langid decides by the
frequencies of letter sequences. A text that is short or of uncertain language counts as English.
"""

import asyncio
import re
import threading
from functools import lru_cache

import regex
import Stemmer
from py3langid.langid import MODEL_FILE, LanguageIdentifier

ENGLISH = "en"

_LATIN = {
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "sv": "swedish",
    "tr": "turkish",
}
_SCRIPTS = {
    "Cyrillic": "russian",
    "Arabic": "arabic",
    "Greek": "greek",
    "Devanagari": "hindi",
    "Armenian": "armenian",
    "Tamil": "tamil",
}
_SCRIPT = regex.compile("|".join(rf"(?P<{script}>\p{{{script}}})" for script in _SCRIPTS))
_stemmers = {name: Stemmer.Stemmer(name) for name in {*_LATIN.values(), *_SCRIPTS.values()}}

_COMMON_ENGLISH = re.compile(
    r"\b(?:the|and|is|are|was|of|to|you|it|that|this|for|with|have|my|your|what|when|how|i'm|it's|do|did|we|they)\b",
    re.IGNORECASE,
)
_LETTERS_FOR_ENGLISH = 30
"""A text in ASCII with a common English word in every 30 characters is English. Detection would take longer."""
_CERTAIN = 0.99
"""Probability at which a language is believed."""
_FEW_WORDS = 3
"""Texts of so few words may be in any language: a name or a single word shows none."""
_LATIN_LETTER = regex.compile(r"\p{Latin}")
_loading = threading.Lock()
_detectors: list[LanguageIdentifier] = []


async def load_detector(text: str) -> None:
    """Load the detector in a thread if this text needs it: that takes half a second and 80 MB, once."""
    if not _detectors and _LATIN_LETTER.search(text) and not _has_few_words(text) and not _is_plain_english(text):
        await asyncio.to_thread(_detector)


def text_language(text: str) -> str:
    """Return the code of the language whose stemmer a text in Latin script gets."""
    if _has_few_words(text) or _is_plain_english(text):
        return ENGLISH
    language, probability = _detector().classify(text)
    return str(language) if probability >= _CERTAIN else ENGLISH


def possible_languages(text: str) -> list[str]:
    """Return the codes of the languages in Latin script that a query may be in: as many of the likeliest as make it
    certain that it is in one of them."""
    if _has_few_words(text):
        return list(dict.fromkeys([ENGLISH, *_LATIN]))
    if _is_plain_english(text):
        return [ENGLISH]
    languages, total = [], 0.0
    for language, probability in _detector().rank(text):
        languages.append(str(language))
        total += probability
        if total >= _CERTAIN:
            break
    return languages


def stem(word: str, language: str) -> str:
    """Return the stem of a word: by the stemmer of its script, or by that of a language in Latin script."""
    if not word.isascii() and (script := _SCRIPT.search(word)):
        return _stem(word, _SCRIPTS[str(script.lastgroup)])
    return _stem(word, _LATIN[language])


def _has_few_words(text: str) -> bool:
    return len(text.split(maxsplit=_FEW_WORDS)) <= _FEW_WORDS


def _is_plain_english(text: str) -> bool:
    return text.isascii() and len(_COMMON_ENGLISH.findall(text)) * _LETTERS_FOR_ENGLISH >= len(text)


@lru_cache(maxsize=50_000)
def _stem(word: str, stemmer: str) -> str:
    return str(_stemmers[stemmer].stemWord(word))


def _detector() -> LanguageIdentifier:
    with _loading:
        if not _detectors:
            detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
            detector.set_languages(list(_LATIN))
            _detectors.append(detector)
    return _detectors[0]
