"""Why this answer: everything that led to it, for the person who asked."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from domain.conversations.citations import Citation
from domain.conversations.explaining import Explained
from domain.conversations.narrowing import narrowed
from domain.kernel.errors import N_, NotFound
from domain.usage.entities import ModelCall
from domain.usage.service import cost_of
from pages.components.base import box, heading, note, page_head, paragraph, quiet_button, text_element
from pages.i18n import _, money, ngettext, number
from pages.narrowing import chips
from pages.ranked import fact, ranked, times
from pages.sources import claim
from pages.turns import TROUBLES, UNKNOWN_TROUBLE, given_again
from pages.visit import identifier, visit

STEPS = {
    "retrieval_ms": N_("Sources found after"),
    "thinking_ms": N_("Began to think after"),
    "first_token_ms": N_("First word of the answer after"),
    "total_ms": N_("Answer complete after"),
    "check_ms": N_("Checking the citations"),
}
LEFT_OUT = {
    "passages": N_("Passages"),
    "history": N_("Earlier questions and answers"),
    "history_shortened": N_("Earlier answers that were shortened"),
}
ROLES = {"system": N_("Instruction"), "user": N_("Person"), "assistant": N_("Assistant")}


async def why(conversation_id: str, message_id: str) -> None:
    """Search, passages, model, tokens, time, checked citations, and the very messages that were sent."""
    here, key = visit(), identifier(message_id)
    found = await here.services.conversations.explained(here.actor, key)
    if found.message.conversation_id != identifier(conversation_id):
        raise NotFound
    calls = (await here.services.usage.of_messages(here.actor, [key])).get(key, ())
    with box("page"):
        back = (_("Conversation"), f"/conversations/{conversation_id}")
        page_head(_("Why this answer?"), found.message.question[:300], back=back)
        again = given_again(found.message)
        if again:
            note(again)
        elif found.kept is None:
            note(_("Of this answer it was not kept how it came about."), "warn")
        _checked(found)
        _search(found)
        _model(found, calls)
        heading(_("Time"))
        with box("card pad"):
            times(found.steps, STEPS)
        if found.kept is not None:
            _sent(found, f"/api/v1/conversations/{conversation_id}/messages/{key}/context/")


def _checked(found: Explained) -> None:
    citations = [Citation.of(stored) for stored in found.message.citations or ()]
    if not citations:
        return
    heading(_("Checked citations"))
    with box("card pad"), box("checks", "ul").props("role=list"):
        for citation in citations:
            claim(found.message, citation)


def _search(found: Explained) -> None:
    heading(_("The search"))
    search = found.found.get("search")
    if search is None:
        with box("card pad"):
            paragraph(_("Nothing was searched for this answer."), "muted")
        return
    labels = [label for _key, label in chips(narrowed(found.message))]
    if labels:
        with box("facts", "dl"):
            fact(_("Narrowed to"), ", ".join(labels))
    ranked(search, found.message.question)
    heading(_("Passages for the model"))
    with box("card"):
        for passage in found.found["passages"]:
            _passage(passage)
    left_out = {name: count for name, count in found.found["left_out"].items() if count}
    if left_out:
        parts = [f"{_(LEFT_OUT.get(name, name))}: {count}" for name, count in left_out.items()]
        note(_("Left out for want of room: {parts}.", parts=", ".join(parts)), "warn")


def _passage(passage: Mapping[str, Any]) -> None:
    with box("rowline"):
        given = passage["number"] is not None
        ui.label(f"[{passage['number']}]" if given else "–").classes("strong")
        with box("grow"):
            place = [passage["title"]]
            if passage["page"]:
                place.append(_("Page {page}", page=passage["page"]))
            ui.label(" · ".join(place)).classes("name")
            parts = [
                ngettext("about {n} token", "about {n} tokens", passage["tokens"]),
                _("Score {score}", score=number(round(passage["score"], 3))),
            ]
            ui.label(" · ".join(parts)).classes("sub")
        ui.label(_("Given to the model") if given else _("Left out: no room")).classes("chip").classes(
            "ok" if given else "warn"
        )


def _model(found: Explained, calls: Sequence[ModelCall]) -> None:
    message = found.message
    heading(_("Model"))
    with box("card pad"), box("facts", "dl"):
        fact(_("Model"), f"{_(message.model_name)} · {message.provider_name}")
        for attempt in message.trace.get("attempts", ()):
            reason = _(TROUBLES.get(attempt["trouble"], UNKNOWN_TROUBLE))
            fact(_("Asked before"), _("{name} {reason}", name=_(attempt["model"]), reason=reason))
        about = _("estimated") if message.tokens_estimated else _("as the provider counts")
        fact(_("Tokens of the question"), f"{number(message.tokens_question)} ({about})")
        fact(_("Tokens of the answer"), number(message.tokens_answer))
        settings = found.found.get("settings") or {}
        if settings:
            fact(_("Settings"), ", ".join(f"{name} {value}" for name, value in settings.items()))
        cost = cost_of(calls)
        fact(_("Cost"), money(*cost) if cost else _("No price is set for this model."))
        cached = sum(call.tokens_cached for call in calls)
        if cached:
            fact(_("Read from the provider's cache"), _("{tokens} tokens", tokens=number(cached)))


def _sent(found: Explained, address: str) -> None:
    assert found.kept is not None
    heading(_("What the model was sent"))
    paragraph(_("These are the very messages, word by word and in their order."), "muted")
    quiet_button(_("Download as JSON"), lambda: ui.navigate.to(address, new_tab=True), icon="download").style(
        "align-self:flex-start"
    )
    for message in found.kept.messages:
        content = message["content"]
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=1)
        with box("card", "details"):
            text_element("summary", _(ROLES.get(message["role"], message["role"])), "strong")
            with box("excerpt sent").props("tabindex=0"):
                text_element("span", text)
