"""Dialogs that ask one thing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from nicegui import ui
from nicegui.context import context

from domain.kernel.errors import Failure
from pages.components.base import box, button, danger_button, field, heading, note, paragraph, quiet_button
from pages.i18n import _
from pages.visit import ENDED, leave, noted, sentence, toast, unexpected, visit

ENTER = """
(event) => {
    const action = [...event.currentTarget.querySelectorAll(".actions-row .bg-primary:not([disabled])")].pop()
    const line = event.target.matches("input:not([readonly], [role=combobox], [type=file])") && !event.isComposing
    if (line && action) action.click()
}
"""
"""Enter in a line of text does what the dialog is for, unless that destroys something."""
_turns: WeakKeyDictionary[ui.element, dict[str, asyncio.Lock]] = WeakKeyDictionary()
"""For each form the works that were asked for in it, each done once at a time."""


def dialog(title: str, *, wide: bool = False) -> tuple[ui.dialog, ui.element]:
    """An empty dialog and the card to fill; it is removed once it has closed."""
    with context.client.content:  # what opened it (a menu, a list) may be drawn anew meanwhile
        made = ui.dialog()
    made.on("hide", lambda: made.delete())
    made.props["aria-label"] = title
    with made:
        card = box("card dialog").classes("wide" if wide else "").on("keydown.enter", js_handler=ENTER)
        with card:
            heading(title)
    return made, card


def cancel_or(made: ui.dialog, action: str, submit: Callable[[], Any]) -> ui.button:
    """The last line of a dialog: leave it, or do what it is for. Gives the button for the latter."""
    with box("actions-row"):
        quiet_button(_("Cancel"), made.close)
        return button(action, submit)


async def confirm(title: str, text: str, action: str) -> bool:
    """Ask before something that cannot be undone."""
    made, card = dialog(title)
    with card:
        paragraph(text)
        with box("actions-row"):
            quiet_button(_("Cancel"), lambda: made.submit(False)).props("autofocus")
            danger_button(action, lambda: made.submit(True))
    return bool(await made)


async def ask_name(title: str, label: str, value: str, action: str, save: Callable[[str], Awaitable[None]]) -> None:
    """Ask for one line of text; `save` may refuse it, which is shown beside the field."""
    made, card = dialog(title)

    async def submit() -> None:
        async def work() -> None:
            await save(str(entry.value or ""))
            made.close()

        await inline(work, problem)

    with card:
        entry = field(label, value).props("autofocus")
        problem = box("full-width")
        cancel_or(made, action, submit)
    made.open()


async def inline(work: Callable[[], Awaitable[None]], place: ui.element) -> bool:
    """Do something after asking for the actor anew; a refusal is shown in `place`. Whether it went well.

    Who presses twice asks once: the second time waits for the first, and is nothing when that has closed the dialog.
    """
    async with _turns.setdefault(place, {}).setdefault(work.__qualname__, asyncio.Lock()):
        return _shown(place) and await _done(work, place)


async def _done(work: Callable[[], Awaitable[None]], place: ui.element) -> bool:
    """Run it in the slot of the whole page: the dialog that it was asked for in may be gone before it ends."""
    with context.client.content:
        try:
            await visit().authenticate()
            await work()
        except ENDED as failure:
            leave(failure)
            return False
        except Failure as failure:
            await noted(failure)
            text = sentence(failure)
        except Exception:
            text = unexpected()
        else:
            if not place.is_deleted:
                place.clear()
            return True
        if not _shown(place):
            toast(text, "negative")
            return False
        place.clear()
        with place:
            note(text, "bad", icon_name="error_outline")
        return False


def _shown(place: ui.element) -> bool:
    """Whether it can be seen: it is neither gone nor in a dialog that has closed."""
    return not place.is_deleted and all(each.value for each in place.ancestors() if isinstance(each, ui.dialog))
