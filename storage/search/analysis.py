"""Text as index terms, the same way for FTS5 and for Postgres, for texts and for questions.

Words are folded (å, ä and ö stay letters of their own, é becomes e), stemmed in Swedish or English, and stripped of a few
derivational endings, so that handläggning meets handläggare. Swedish writes compounds as one word; they are taken apart and
put together when a question is asked, by the words that the searched collections hold (see `storage.search.words`), so that
nothing is guessed while indexing and no dictionary is needed.
"""

import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

LANGUAGES = {"sv": "swedish", "en": "english"}
NUMBER = "1"
"""First character of the terms of numbers, so that no other term begins with a digit."""
PART_LENGTH = 5
"""Shortest stem that may match a part of a longer word; what a derivational ending leaves is not shorter either."""
ENDINGS = ("ningar", "ning", "ande", "ende", "aren", "are", "else", "an")
_WORD = re.compile(r"[^\W_]+")
_CODE = re.compile(r"\w*\d\w*(?:[-:/.]\w*\d\w*)+")
_KEPT = frozenset("åäöøæ")
STOP_WORDS = frozenset(
    "och att det som en ett på är av för med till den de har inte om han hon man vi ni du jag men var från vid kan ska "
    "eller så nu där här hur vad vem när vilka vilken vilket varför i the of and to in is that it for was on are as with "
    "his they be at this have from or had by not but what who how when which why a an do does can you we".split()
)
_local = threading.local()


def fold(text: str) -> str:
    """Case-folded, without diacritics but for å, ä, ö, ø and æ."""
    text = unicodedata.normalize("NFC", text).casefold()
    if text.isascii():
        return text
    return "".join(c if c in _KEPT or c.isascii() else _plain(c) for c in text)


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))


def _stemmer(language: str) -> Any:
    stemmers: dict[str, Any] = _local.__dict__.setdefault("stemmers", {})
    if language not in stemmers:
        import Stemmer

        stemmers[language] = Stemmer.Stemmer(LANGUAGES[language])
    return stemmers[language]


@lru_cache(maxsize=200_000)
def stem(word: str, language: str) -> str:
    """The stem of a folded word."""
    if any(c.isdigit() for c in word):
        return NUMBER + word
    found: str = _stemmer(language).stemWord(word)
    if language == "sv":
        for ending in ENDINGS:
            if found.endswith(ending) and len(found) - len(ending) >= PART_LENGTH:
                return found[: -len(ending)]
    return found


def _stems(word: str, language: str) -> Sequence[str]:
    if language in LANGUAGES:
        return (stem(word, language),)
    return tuple(dict.fromkeys(stem(word, known) for known in LANGUAGES))


def stems(word: str) -> Sequence[str]:
    """The stems of a word as it is written, one for each language."""
    return _stems(fold(word), "")


def codes(text: str) -> list[str]:
    """Numbers with signs in them, as one term each: 2026-114, 2010:900, 1.2.3."""
    return [NUMBER + re.sub(r"[^\w]", "x", code) for code in _CODE.findall(text)]


def analyse(text: str, language: str) -> str:
    """The index terms of a text, joined by spaces. `language` is sv, en or empty for both."""
    text = fold(text)
    terms = [term for word in _WORD.findall(text) for term in _stems(word, language)]
    return " ".join(terms + codes(text))


def plain(text: str) -> str:
    """The folded words of a text, joined by spaces: what there is to measure `analyse` by."""
    return " ".join(_WORD.findall(fold(text)))


def meant(query: str) -> list[str]:
    """The folded words of a question, each once, without small words unless there are no others."""
    words = _WORD.findall(fold(query))
    return list(dict.fromkeys([word for word in words if word not in STOP_WORDS] or words))


def stop_share(query: str) -> float:
    """The share of small words among the words of a question (0-1): high in sentences, low among keywords."""
    words = _WORD.findall(fold(query))
    return sum(word in STOP_WORDS for word in words) / len(words) if words else 0.0
