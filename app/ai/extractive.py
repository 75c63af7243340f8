"""The built-in model that answers without any AI: it quotes the best passages with their sources.

It is honest about what it is, and about finding nothing: a passage counts only when its meaning is near enough to the
question (cosine of the built-in embedding model) or when it holds most of the question's words.
"""

import re
from collections.abc import AsyncGenerator

from domain.kernel.errors import N_
from domain.ports import ChatDelta, ChatRequest, ContextPassage
from pages.i18n import translate

NEAR = 0.845
"""Cosine of multilingual-e5-small above which a passage is about the question."""
RELATED = 0.80
ENOUGH_WORDS = 0.5
SENTENCES = 3
PASSAGES = 3
QUOTE_LIMIT = 700

INTRODUCTION = N_("This is what the documents say (quoted, without an AI model):")
NOTHING_FOUND = N_("The documents do not seem to contain an answer to this question.")
NO_KNOWLEDGE = N_(
    "This assistant has no documents to quote from. Add a collection with documents to it, or choose an AI model."
)

_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-ZÅÄÖ0-9\"“(])|\n\s*\n")
_HEADING = re.compile(r"\A\s*(?:#+ )?[^\n]{1,50}[^.!?:;,\s]\s*\n(?=\s*[A-ZÅÄÖ0-9])")
_WORD = re.compile(r"\w{3,}")


async def answer(request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
    """Quotes from the passages of the request, in paragraphs."""
    for paragraph in paragraphs(request):
        for piece in re.findall(r"\S+\s*|\s+", paragraph + "\n\n"):
            yield ChatDelta(text=piece)


def paragraphs(request: ChatRequest) -> list[str]:
    """The parts of the answer."""
    language = request.language
    if not request.searched:
        return [translate(NO_KNOWLEDGE, language)]
    fitting = [p for p in request.passages if relevant(p, request.question)]
    if not fitting:
        return [translate(NOTHING_FOUND, language)]
    quotes = [
        f"> {quote(p, request.question)} [{p.number}]\n>\n> {source_line(p, language)}" for p in fitting[:PASSAGES]
    ]
    return [translate(INTRODUCTION, language), *quotes]


def relevant(passage: ContextPassage, question: str) -> bool:
    """Whether the passage is about the question."""
    near, covered = passage.vector_score or 0.0, coverage(question, passage.text)
    return near >= NEAR or covered >= 0.8 or (near >= RELATED and covered >= ENOUGH_WORDS)


def coverage(question: str, text: str) -> float:
    """The share of the question's words that stand in the text, by their first five letters."""
    words, stems = set(_WORD.findall(question.casefold())), _stems(text)
    return sum(word[:5] in stems for word in words) / len(words) if words else 0.0


def quote(passage: ContextPassage, question: str) -> str:
    """The sentences around the one that shares most words with the question."""
    sentences = [s.strip() for s in _SENTENCE.split(_HEADING.sub("", passage.text)) if s and s.strip()]
    wanted = _stems(question)
    if not sentences:
        return passage.text[:QUOTE_LIMIT]
    scores = [len(wanted & _stems(s)) / (1 + len(s) / 400) for s in sentences]
    best = max(range(len(sentences)), key=scores.__getitem__)
    first = max(0, min(best, len(sentences) - SENTENCES) if scores[best] else 0)
    text = " ".join(sentences[first : first + SENTENCES])
    return (text if len(text) <= QUOTE_LIMIT else text[:QUOTE_LIMIT].rsplit(" ", 1)[0] + " …").replace("\n", " ")


def source_line(passage: ContextPassage, language: str) -> str:
    """Title and page in small print."""
    if passage.page is None:
        return f"*{passage.title}*"
    return f"*{passage.title}, {translate(N_('page {page}'), language, page=passage.page)}*"


def _stems(text: str) -> set[str]:
    return {word[:5] for word in _WORD.findall(text.casefold())}
