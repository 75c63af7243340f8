"""Messages and passages as the browser's components want them."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from textwrap import shorten
from typing import Any

from domain.conversations.attempts import BUDGET, LENGTH
from domain.conversations.citations import Citation, Verdict
from domain.conversations.easy import EASY
from domain.conversations.entities import AnswerState, Message, MessageSource
from domain.conversations.mentions import mentioned
from domain.conversations.narrowing import narrowed
from domain.conversations.places import citations_of, spans
from domain.conversations.summaries import text_of
from domain.conversations.views import MessageView
from domain.kernel.errors import N_, Trouble
from pages.components.face import picture_address
from pages.i18n import _, moment, ngettext, number
from pages.narrowing import chips

CLAIM_LENGTH = 240
_MARKS = re.compile(r"[*_`#]+|\[\d{1,3}(?:, ?\d{1,3})*\]")
NOTES = {
    AnswerState.STOPPED: N_("You stopped the answer."),
    AnswerState.INTERRUPTED: N_("The answer was interrupted. What had arrived is kept; you can continue."),
    AnswerState.FAILED: N_("The answer failed."),
}
VERDICTS = {
    Verdict.SUPPORTED: ("check", N_("supported"), N_("The passage says this.")),
    Verdict.PARTLY: ("rule", N_("partly"), N_("The passage says only a part of this. Read it before you rely on it.")),
    Verdict.NOT_FOUND: ("close", N_("not found"), N_("This was not found in the passage. Do not rely on it.")),
}
"""A sign, a word and a sentence for each verdict."""
COUNTED = {
    Verdict.SUPPORTED: N_("{n} supported"),
    Verdict.PARTLY: N_("{n} partly"),
    Verdict.NOT_FOUND: N_("{n} not found"),
}
WORDS_ONLY = N_("The documents were searched by words only, because the embedding model did not answer.")
UNKNOWN_TROUBLE = N_("failed")
TROUBLES = {
    Trouble.BUSY: N_("had too much to do"),
    Trouble.DOWN: N_("had a problem of its own"),
    Trouble.UNREACHABLE: N_("could not be reached"),
    Trouble.SILENT: N_("did not begin to answer"),
    Trouble.CUT: N_("broke off"),
    Trouble.GARBAGE: N_("gave no usable answer"),
    Trouble.KEY: N_("refused the key"),
    Trouble.UNKNOWN_MODEL: N_("is not known at its provider"),
    Trouble.RESTING: N_("has failed several times lately"),
    BUDGET: N_("costs more than the budget has left"),
    LENGTH: N_("cannot take in so much"),
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
        "thought": "",
        "summary": text_of(message),
        **version(view),
        "narrowed": [label for _key, label in chips(narrowed(message))],
        "who": mentioned(message).get("name", ""),
        "face": picture_address(view.face),
        "easy": _("Easy language") if EASY in message.trace else "",
        "rating": message.feedback_value or 0,
        "remark": message.feedback_text or "",
        "status": "",
        **ending(message, view.sources),
    }


def version(view: MessageView) -> dict[str, Any]:
    """Which of several versions a turn is, and the ids of those beside it."""
    if len(view.versions) < 2:
        return {"version": "", "former": "", "later": ""}
    at, count = view.versions.index(view.message.id), len(view.versions)
    return {
        "version": _("{n} of {of}", n=at + 1, of=count),
        "former": str(view.versions[at - 1]) if at else "",
        "later": str(view.versions[at + 1]) if at + 1 < count else "",
    }


def ending(message: Message, sources: Sequence[MessageSource]) -> dict[str, Any]:
    """What changes in a turn when its run changes state."""
    unfinished = message.state in UNFINISHED
    note = ""
    if unfinished:
        note = _(message.error, **message.error_params) if message.error else _(NOTES[AnswerState(message.state)])
    elsewhere = message.trace.get("elsewhere") if unfinished and message.answer else None
    return {
        "state": message.state,
        "thoughtLabel": thought_for(message),
        "model": _(message.model_name),
        "note": note,
        "stoodIn": given_again(message) or stood_in(message),
        "elsewhere": _("Continue with {name}", name=_(elsewhere)) if elsewhere else "",
        "unread": unread(message, sources),
        "canContinue": unfinished and bool(message.answer),
        "canRetry": unfinished,
        **sources_part(sources),
        **checks_part(message),
    }


def thought_for(message: Message) -> str:
    """How long the model thought before it answered; empty when it did not say what."""
    if not message.thought:
        return ""
    first, began = message.trace.get("first_token_ms"), message.trace.get("thinking_ms")
    if first is None or began is None or first < began:
        return _("What the model thought")
    return _("The model thought for {n} s", n=number(round((first - began) / 1000, 1)))


def given_again(message: Message) -> str:
    """That an answer was given before, and when; empty when the model wrote it for this question."""
    reused = message.trace.get("reused")
    if not reused:
        return ""
    when = moment(datetime.fromisoformat(reused["answered_at"]))
    if reused["similar"]:
        return _("This answer was given before, to a question that says the same ({when}).", when=when)
    return _("This answer was given before, to the same question ({when}).", when=when)


def stood_in(message: Message) -> str:
    """Why another model answers than the one that was asked; empty when it is the same."""
    for attempt in message.trace.get("attempts", ()):
        if attempt["model"] != message.model_name:
            other = {"name": _(attempt["model"]), "reason": _(TROUBLES.get(attempt["trouble"], UNKNOWN_TROUBLE))}
            return _("{model} answers, because {name} {reason}.", model=_(message.model_name), **other)
    return ""


def unread(message: Message, sources: Sequence[MessageSource]) -> str:
    """What was not searched: pages without text of the cited documents, and by meaning at all; empty when all was."""
    cited = {str(s.version_id) for s in sources if s.cited}
    said = [
        _("{pages} of {of} pages of “{title}” have no text and were not searched.", **found)
        for found in message.trace.get("unread", ())
        if found["version_id"] in cited
    ]
    if message.trace.get("words_only"):
        said.append(_(WORDS_ONLY))
    return " ".join(said)


def checks_part(message: Message) -> dict[str, Any]:
    """What became of each marker of an answer, and how that is said of all."""
    found = [Citation.of(stored) for stored in message.citations or ()]
    counts = Counter(citation.verdict for citation in found)
    parts = [_(COUNTED[verdict], n=counts[verdict]) for verdict in Verdict if counts[verdict]]
    return {
        "checks": [
            {"n": each.number, "citation": index, "verdict": each.verdict, **verdict_words(each.verdict)}
            for index, each in enumerate(found)
        ],
        "checked": _("Checked against the sources: {counts}.", counts=", ".join(parts)) if parts else "",
    }


def verdict_words(verdict: str) -> dict[str, str]:
    """A verdict as a sign, a word and a sentence."""
    icon, word, hint = VERDICTS[Verdict(verdict)]
    return {"icon": icon, "word": _(word), "hint": _(hint)}


def sources_part(sources: Sequence[MessageSource]) -> dict[str, Any]:
    """How many passages an answer was given, and how that is said."""
    return {
        "sources": max((s.number for s in sources), default=0),
        "sourcesLabel": ngettext("{n} source", "{n} sources", len(sources)) if sources else "",
        "cited": [
            {"n": s.number, "title": s.title, "where": where(s), "url": web_address(s)} for s in sources if s.cited
        ],
    }


def source_cards(
    message: Message, sources: Sequence[MessageSource], *, linked: bool, citation: int | None = None
) -> list[dict[str, Any]]:
    """Passages for `components.sources.Sources`, the cited ones first.

    `linked` offers the whole documents; with `citation` only what supports that marker is marked.
    """
    ordered = sorted(sources, key=lambda s: (not s.cited, s.number))
    return [_card(message, source, linked, citation) for source in ordered]


def marked_parts(text: str, marks: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """A text in parts, those that are to be marked told apart."""
    parts, at = [], 0
    for start, end in marks:
        parts += [{"text": text[at:start], "mark": False}, {"text": text[start:end], "mark": True}]
        at = end
    parts.append({"text": text[at:], "mark": False})
    return [part for part in parts if part["text"]]


def _checks(message: Message, source: MessageSource) -> list[dict[str, Any]]:
    return [
        {"citation": index, "verdict": each.verdict, "claim": plain(message.answer[each.start : each.end])}
        | verdict_words(each.verdict)
        for index, each in citations_of(message, source.number)
    ]


def plain(claim: str) -> str:
    """A statement without the marks of Markdown, shortened."""
    return shorten(_MARKS.sub("", claim), CLAIM_LENGTH, placeholder="…")


def where(source: MessageSource) -> str:
    """Page and headings of a passage."""
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
    return " · ".join(place)


def web_address(source: MessageSource) -> str:
    """Where a document can be read on the web; empty when nowhere."""
    return source.url if source.url and source.url.startswith(("https://", "http://")) else ""


def _card(message: Message, source: MessageSource, linked: bool, citation: int | None) -> dict[str, Any]:
    parts = {N_("Meaning {score}"): source.vector_score, N_("Words {score}"): source.text_score}
    address = f"/api/v1/conversations/{message.conversation_id}/messages/{message.id}/sources/{source.number}"
    own = [index for index, _citation in citations_of(message, source.number)]
    chosen = citation if citation in own else None
    query = "" if chosen is None else f"?citation={chosen}"
    page = f"/conversations/{message.conversation_id}/sources/{message.id}/{source.number}"
    marks = spans(message, source, chosen) if own else []
    detail = [_(text, score=number(round(value, 2))) for text, value in parts.items() if value is not None]
    return {
        "n": source.number,
        "title": source.title,
        "where": where(source),
        "text": source.text,
        "parts": marked_parts(source.text, marks),
        "checks": _checks(message, source),
        "place": page if chosen is None else f"{page}/{chosen}",
        "cited": source.cited,
        "relevance": _("Relevance {score}", score=number(round(source.score, 2))),
        "detail": " · ".join(detail),
        "image": f"{address}/page/{query}" if source.page_from else "",
        "alt": _("Page {page} of {title} with the passage marked", page=source.page_from or 1, title=source.title),
        "link": f"/documents/{source.document_id}" if linked else "",
        "url": web_address(source),
    }
