"""Giving an answer again instead of asking the model: only where an assistant's editors want it, and only what is sure.

*Same*: the model would be sent, word for word, what it was sent then. *Similar*: the first question of a conversation says
the same but for inflections and fillers. Then the questions lie near each other, no document has changed, and the passages
that the earlier answer cites are found for this question too, with the same one first. What rests on files that somebody
attached is never given again.
"""

import hashlib
import json
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.conversations.citations import Stems
from domain.conversations.context import Context, Exchange
from domain.conversations.entities import Message, MessageSource, ReusableAnswer
from domain.files.entities import File
from domain.kernel.clock import now
from domain.kernel.errors import N_, Invalid
from domain.knowledge.retrieval import Passage, Retrieval
from domain.transaction import Transaction

LEAST_HOURS, MOST_HOURS = 1, 720
NEAR = 0.9
"""Cosine of two questions that may be similar. It only confirms: the words decide."""
MOST_COMPARED = 50
FILLERS = frozenset("en ett a an the då ju väl egentligen snälla tack hej please".split())
"""Words without which a question asks the same."""
INFLECTED = 5
"""Shorter words are often others when they end otherwise."""
_WORD = re.compile(r"[^\W_]+")


class Reuse(StrEnum):
    """Which questions may get an earlier answer."""

    OFF = "off"
    SAME = "same"
    SIMILAR = "similar"


@dataclass(frozen=True, slots=True)
class Earlier:
    """An answer to give again, with the passages that it rests on."""

    message: Message
    sources: Sequence[MessageSource]
    similar: bool


@dataclass(frozen=True, slots=True)
class Marks:
    """By what an answer is found again; see `ReusableAnswer`."""

    same: str
    around: str | None
    vector: bytes | None


def marks(
    model_id: UUID,
    settings: Mapping[str, Any],
    context: Context,
    prompt: str,
    files: Sequence[File],
    history: Sequence[Exchange],
    vector: bytes | None,
    knowledge: str,
) -> Marks:
    """The marks of what a model is about to be sent; `knowledge` names the state of what is searched."""
    how = [model_id, settings, context.max_answer_tokens]
    around = None if history else _digest(how, prompt, [(file.name, file.id) for file in files], knowledge)
    return Marks(_digest(how, context.messages), around, vector)


async def earlier(
    tx: Transaction, assistant: Assistant, wanted: Marks, question: str, retrieval: Retrieval | None, stems: Stems
) -> Earlier | None:
    """An answer that may be given again, if there is one and the assistant's editors want that."""
    since = now() - timedelta(hours=assistant.answer_reuse_hours)
    await tx.conversations.forget_reusable(assistant.id, since)
    message = await tx.conversations.same_answer(assistant.id, wanted.same, since)
    if message is not None:
        return Earlier(message, (await tx.conversations.sources([message.id])).get(message.id, ()), False)
    if assistant.answer_reuse != Reuse.SIMILAR or wanted.around is None:
        return None
    passages = retrieval.passages if retrieval else ()
    for found, message in await tx.conversations.reusable(assistant.id, wanted.around, since, MOST_COMPARED):
        if not alike(question, message.question, stems) or not near(wanted.vector, found.vector):
            continue
        sources = (await tx.conversations.sources([message.id])).get(message.id, ())
        if rests_on(sources, passages):
            return Earlier(message, sources, True)
    return None


def reusable(message: Message, known: Marks) -> ReusableAnswer:
    """What lets an answer be given again."""
    return ReusableAnswer(
        tenant_id=message.tenant_id,
        assistant_id=message.assistant_id,
        message_id=message.id,
        same=known.same,
        around=known.around,
        vector=known.vector,
    )


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


def clean_reuse(value: Any) -> str:
    """Which questions may get an earlier answer, as it is stored."""
    if value not in set(Reuse):
        raise Invalid(N_("Choose one of the listed values."), field="answer_reuse")
    return str(value)


def clean_hours(value: Any) -> int:
    """For how many hours an answer may be given again."""
    if not isinstance(value, int) or isinstance(value, bool) or not LEAST_HOURS <= value <= MOST_HOURS:
        raise Invalid(
            N_("Give a number from {low} to {high}."), field="answer_reuse_hours", low=LEAST_HOURS, high=MOST_HOURS
        )
    return value


def alike(question: str, other: str, stems: Stems) -> bool:
    """Whether two questions say the same: word for word, but for inflections of longer words and for small fillers.

    Everything else counts, also question words and order: who may do it, when, and whether from A to B or from B to A.
    """
    first, second = _words(question), _words(other)
    return bool(first) and len(first) == len(second) and all(map(partial(_same, stems), first, second))


def _words(question: str) -> list[str]:
    return [word for word in _WORD.findall(question.casefold()) if word not in FILLERS]


def _same(stems: Stems, word: str, other: str) -> bool:
    if word == other:
        return True
    inflected = min(len(word), len(other)) >= INFLECTED and word.isalpha() and other.isalpha()
    return inflected and bool(set(stems(word)) & set(stems(other)))


def near(first: bytes | None, second: bytes | None) -> bool:
    """Whether two questions lie near each other, as far as both were embedded alike."""
    if first is None or second is None or len(first) != len(second):
        return first is second
    return sum(a * b for a, b in zip(array("f", first), array("f", second), strict=True)) >= NEAR


def rests_on(sources: Sequence[MessageSource], passages: Sequence[Passage]) -> bool:
    """Whether what an answer cites is found now too, in the same versions, and the first passage is the same."""
    if not sources or not passages:
        return not sources and not passages
    found = {_place(passage) for passage in passages}
    first = min(sources, key=lambda source: source.number)
    return _place(first) == _place(passages[0]) and all(_place(source) in found for source in sources if source.cited)


def _place(found: Passage | MessageSource) -> tuple[UUID, UUID, str]:
    return found.version_id, found.chunk_id, found.text


def told(earlier: Earlier) -> Mapping[str, Any]:
    """What the message that gives it again says of it."""
    answered: datetime = earlier.message.finished_at or earlier.message.created_at
    return {"answered_at": answered.isoformat(), "similar": earlier.similar}


def copied(earlier: Earlier, message: Message) -> list[MessageSource]:
    """The passages of an earlier answer, for the message that gives it again."""
    kept = (
        "number", "document_id", "version_id", "collection_id", "chunk_id", "title", "text", "start", "end", "page_from",
        "page_to", "heading_path", "score", "vector_score", "text_score", "url", "website",
    )  # fmt: skip
    return [
        MessageSource(
            tenant_id=message.tenant_id, message_id=message.id, **{name: getattr(source, name) for name in kept}
        )
        for source in sorted(earlier.sources, key=lambda source: source.number)
    ]
