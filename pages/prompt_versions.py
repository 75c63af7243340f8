"""The versions of an instruction: what each says, and what has changed in it."""

import asyncio
import functools
from collections.abc import Callable, Sequence
from uuid import UUID

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.assistants.entities import Prompt
from domain.kernel.changes import Kind, Part, changes
from domain.users.entities import User
from pages.components.base import box, chip, paragraph, quiet_button, text_element
from pages.dialogs import dialog
from pages.i18n import _, moment
from pages.visit import visit


async def show_versions(assistant_id: UUID, take: Callable[[Prompt], None]) -> None:
    """A dialog with all versions, newest first; `take` gets the one that is chosen."""
    here = visit()
    versions = await here.services.prompts.of_assistant(here.actor, assistant_id)
    made, card = dialog(_("Versions of the instruction"), wide=True)

    def chosen(prompt: Prompt) -> None:
        made.close()
        take(prompt)

    with card:
        if not versions:
            paragraph(_("There is no earlier version yet."), "muted")
        former = [*(prompt for prompt, _author in versions[1:]), None]
        for (prompt, author), before in zip(versions, former, strict=True):
            _version(prompt, author, before, chosen)
        with box("actions-row"):
            quiet_button(_("Close"), made.close)
    made.open()


def _version(prompt: Prompt, author: User | None, before: Prompt | None, take: Callable[[Prompt], None]) -> None:
    with box("card pad stack tight"):
        with box("line wrap"):
            ui.label(moment(prompt.created_at)).classes("strong")
            ui.label(author.display_name if author else _("Former user")).classes("muted small grow")
            if prompt.selected:
                chip(_("In force"), "ok")
            else:
                quiet_button(_("Use this version"), functools.partial(take, prompt)).props("dense")
        with box("small version").props("tabindex=0") as text:
            ui.label(prompt.text or _("(empty)"))
        if before is not None:
            shown = ui.switch(_("What has changed since the version before"))
            shown.on_value_change(functools.partial(_switch, text, before.text, prompt.text))


async def _switch(place: ui.element, before: str, text: str, shown: ValueChangeEventArguments[bool]) -> None:
    parts = await asyncio.to_thread(changes, before, text) if shown.value else None
    place.clear()
    with place:
        if parts is None:
            ui.label(text or _("(empty)"))
        else:
            _compared(parts)


def _compared(parts: Sequence[Part]) -> None:
    """What was taken out and what was put in; for those who do not see the marks, in words."""
    words = {Kind.REMOVED: ("del", _("taken out:")), Kind.ADDED: ("ins", _("put in:"))}
    for part in parts:
        if part.kind == Kind.SAME:
            text_element("span", part.text)
            continue
        tag, word = words[part.kind]
        with box(tag=tag):
            text_element("span", f" {word} ", "sr-only")
            text_element("span", part.text)
