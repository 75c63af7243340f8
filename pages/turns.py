"""Messages and passages as the browser's components want them."""

from collections.abc import Sequence
from typing import Any

from domain.conversations.entities import AnswerState, Message, MessageSource
from domain.conversations.service import MessageView
from domain.kernel.errors import N_
from pages.i18n import _, ngettext, number

NOTES = {
    AnswerState.STOPPED: N_("You stopped the answer."),
    AnswerState.INTERRUPTED: N_("The answer was interrupted. What had arrived is kept; you can continue."),
    AnswerState.FAILED: N_("The answer failed."),
}
UNFINISHED = (AnswerState.STOPPED, AnswerState.INTERRUPTED, AnswerState.FAILED)


def turn(view: MessageView) -> dict[str, Any]:
    """A message for `components.thread.Thread`."""
    message = view.message
    return {
        "id": str(message.id),
        "question": message.question,
        "files": [{"id": str(f.id), "name": f.name, "link": f"/api/v1/files/{f.id}/content/"} for f in view.files],
        "answer": message.answer,
        "model": _(message.model_name),
        "rating": message.feedback_value or 0,
        "status": "",
        **ending(message, view.sources),
    }


def ending(message: Message, sources: Sequence[MessageSource]) -> dict[str, Any]:
    """What changes in a turn when its run changes state."""
    unfinished = message.state in UNFINISHED
    note = ""
    if unfinished:
        note = _(message.error, **message.error_params) if message.error else _(NOTES[AnswerState(message.state)])
    return {
        "state": message.state,
        "note": note,
        "unread": unread(message, sources),
        "canContinue": unfinished and bool(message.answer),
        "canRetry": unfinished,
        **sources_part(sources),
    }


def unread(message: Message, sources: Sequence[MessageSource]) -> str:
    """Which of the cited documents were not read whole; empty when all were."""
    cited = {str(s.version_id) for s in sources if s.cited}
    return " ".join(
        _("{pages} of {of} pages of “{title}” have no text and were not searched.", **found)
        for found in message.trace.get("unread", ())
        if found["version_id"] in cited
    )


def sources_part(sources: Sequence[MessageSource]) -> dict[str, Any]:
    """How many passages an answer was given, and how that is said."""
    return {
        "sources": max((s.number for s in sources), default=0),
        "sourcesLabel": ngettext("{n} source", "{n} sources", len(sources)) if sources else "",
    }


def source_cards(address: str, sources: Sequence[MessageSource], *, linked: bool) -> list[dict[str, Any]]:
    """Passages for `components.sources.Sources`, the cited ones first.

    `address` is that of the message in the REST interface; `linked` offers the whole documents.
    """
    ordered = sorted(sources, key=lambda s: (not s.cited, s.number))
    return [_card(address, source, linked) for source in ordered]


def _card(address: str, source: MessageSource, linked: bool) -> dict[str, Any]:
    place = []
    if source.page_from:
        several = source.page_to and source.page_to != source.page_from
        place.append(
            _("Pages {first}–{last}", first=source.page_from, last=source.page_to)
            if several
            else _("Page {page}", page=source.page_from)
        )
    if source.heading_path:
        place.append(" › ".join(source.heading_path))
    parts = {N_("Meaning {score}"): source.vector_score, N_("Words {score}"): source.text_score}
    detail = [_(text, score=number(round(value, 2))) for text, value in parts.items() if value is not None]
    return {
        "n": source.number,
        "title": source.title,
        "where": " · ".join(place),
        "text": source.text,
        "cited": source.cited,
        "relevance": _("Relevance {score}", score=number(round(source.score, 2))),
        "detail": " · ".join(detail),
        "image": f"{address}/sources/{source.number}/page/" if source.page_from else "",
        "alt": _("Page {page} of {title} with the passage marked", page=source.page_from or 1, title=source.title),
        "link": f"/documents/{source.document_id}" if linked else "",
    }
