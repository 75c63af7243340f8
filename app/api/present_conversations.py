"""Conversations, their messages and sources, as the API shows them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.api.base import moments
from app.api.present import file
from domain.conversations.easy import EASY
from domain.conversations.entities import AnswerState, Conversation, Message, MessageSource
from domain.conversations.mentions import mentioned
from domain.conversations.narrowing import narrowed
from domain.conversations.summaries import text_of
from domain.conversations.views import ConversationView, MessageView
from pages.i18n import reason


def conversation_head(found: Conversation) -> dict[str, Any]:
    """A conversation in a list."""
    return {
        **moments(found),
        "name": found.name,
        "pinned": found.pinned_at is not None,
        "temporary": found.temporary,
    }


def feedback(found: Conversation | Message) -> dict[str, Any] | None:
    """What was said of an answer, or of a whole conversation."""
    if found.feedback_value is None:
        return None
    return {"value": found.feedback_value, "text": found.feedback_text}


def reference(source: MessageSource) -> dict[str, Any]:
    """A source of an answer; besides the document, the very passage."""
    return {
        "id": source.document_id,
        "metadata": {"title": source.title, "url": source.url, "embedding_model_id": None, "size": len(source.text)},
        "group_id": None if source.website else source.collection_id,
        "website_id": source.collection_id if source.website else None,
        "score": source.score,
        "number": source.number,
        "page": source.page_from,
        "page_to": source.page_to,
        "start": source.start,
        "end": source.end,
        "text": source.text,
        "cited": source.cited,
        "version_id": source.version_id,
        "created_at": source.created_at,
        "updated_at": source.updated_at,
    }


def references(sources: Sequence[MessageSource], *, cited_only: bool) -> list[dict[str, Any]]:
    """One entry for each document, its best passage first."""
    chosen: dict[UUID, MessageSource] = {}
    for source in sources:
        if source.cited or not cited_only:
            chosen.setdefault(source.document_id, source)
    return [reference(source) for source in chosen.values()]


def answerer(found: Message) -> dict[str, Any]:
    """Who answers a question; by name where it is not the conversation's own assistant."""
    return {"assistants": [{"id": found.assistant_id, "handle": mentioned(found).get("name", "")}]}


def message(view: MessageView, answer: str, models: dict[UUID | None, dict[str, Any]], language: str) -> dict[str, Any]:
    """A question and its answer."""
    found = view.message
    return {
        **moments(found),
        "parent_id": found.parent_id,
        "easy_language": EASY in found.trace,
        "versions": list(view.versions),
        "question": found.question,
        "answer": answer,
        "thought": found.thought,
        "summary": text_of(found) or None,
        "completion_model": models.get(found.completion_model_id),
        "references": references(view.sources, cited_only=True),
        "files": [file(f) for f in view.files],
        "generated_files": [],
        "tools": answerer(found),
        "web_search_references": [],
        "tool_calls": [],
        "state": found.state,
        "error": reason(found, language),
        "tokens": {"question": found.tokens_question, "answer": found.tokens_answer},
        "citations": found.citations,
        "complete": found.state == AnswerState.DONE,
        "unread": found.trace.get("unread", []),
        "words_only": found.trace.get("words_only", False),
        "attempts": found.trace.get("attempts", []),
        "reused": found.trace.get("reused"),
        "narrowed": narrowed(found) or None,
        "feedback": feedback(found),
    }


def conversation(
    view: ConversationView, answers: Sequence[str], models: dict[UUID | None, dict[str, Any]], language: str
) -> dict[str, Any]:
    """A conversation with its messages."""
    shown = [message(m, answer, models, language) for m, answer in zip(view.messages, answers, strict=True)]
    return {**conversation_head(view.conversation), "messages": shown, "feedback": feedback(view.conversation)}
