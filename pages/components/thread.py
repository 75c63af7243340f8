"""The conversation as one element."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from nicegui.elements import mermaid as _mermaid  # noqa: F401  (makes the diagram library known to the browser)
from nicegui.events import GenericEventArguments

from pages.components.base import STATIC
from pages.components.face import initials
from pages.i18n import _

Handler = Callable[[dict[str, Any]], Awaitable[None]]


def labels() -> dict[str, str]:
    """The words that the component shows."""
    return {
        "conversation": _("Conversation"),
        "you": _("You:"),
        "narrowed": _("The search is narrowed to"),
        "older": _("Show earlier messages"),
        "starters": _("Questions to begin with"),
        "thinking": _("Thinking…"),
        "summary": _("What was said up to here is summed up for the model"),
        "thoughts": _("What the model thinks"),
        "copy": _("Copy"),
        "copied": _("Copied"),
        "notCopied": _("Not copied"),
        "copyAnswer": _("Copy answer"),
        "copyRich": _("Copy with formatting"),
        "sources": _("Sources"),
        "easy": _("In easy language"),
        "regenerate": _("Answer again"),
        "edit": _("Edit the question"),
        "ask": _("Ask"),
        "cancel": _("Cancel"),
        "former": _("Former version"),
        "later": _("Later version"),
        "good": _("Good answer"),
        "bad": _("Bad answer"),
        "remark": _("What was good or bad about it? (optional)"),
        "sendRemark": _("Send the comment"),
        "close": _("Close"),
        "continue": _("Continue"),
        "retry": _("Try again"),
        "toEnd": _("Go to the end"),
        "source": _("Source {n}"),
        "why": _("Why this answer?"),
        "table": _("Table"),
        "text": _("Text"),
        "item": _("List item"),
        "diagram": _("Diagram"),
    }


class Thread(
    ui.element,
    component="thread.js",
    esm={
        "samrad-markdown": "markdown",
        "samrad-rich": "rich",
        "samrad-marked": str(STATIC / "vendor/marked"),
        "samrad-highlight": str(STATIC / "vendor/highlight"),
        "samrad-katex": str(STATIC / "vendor/katex"),
    },
):
    """All turns of a conversation; the browser renders Markdown, code, mathematics and citations.

    `picture` is the address of the assistant's picture; without, the beginning of its name stands for it.

    A turn is a dict with the keys of `pages.turns.turn`. Events: `cite` {message_id, index (0 = all), citation (the place
    of the marker among those checked, or -1)}, `regenerate`, `easy`, `why`, `branch` {message_id},
    `edit` {message_id, text}, `continue` {message_id, elsewhere}, `rate` {message_id, value}, `starter` {text},
    `thought` {message_id} when thoughts are wanted that are not there yet, `older` first id, `gap` {message_id, have},
    `refused` when the browser lets nothing be copied.
    """

    def __init__(
        self, turns: list[dict[str, Any]], *, name: str, picture: str, welcome: dict[str, Any], older: bool
    ) -> None:
        super().__init__()
        self.classes("full-width").style("flex:1;min-height:0;display:flex;flex-direction:column")
        self._props.update(
            turns=turns,
            labels=labels(),
            name=name,
            initials=initials(name),
            picture=picture,
            welcome=welcome,
            older=older,
        )

    def handle(self, event: str, handler: Handler) -> "Thread":
        """Call `handler` with the event's data."""

        async def received(e: GenericEventArguments) -> None:
            await handler(e.args if isinstance(e.args, dict) else {"id": e.args})

        self.on(event, received)
        return self

    def add(self, turn: dict[str, Any]) -> None:
        """Append a turn and scroll to it."""
        self.run_method("add", turn)

    def replace(self, turns: list[dict[str, Any]], *, older: bool) -> None:
        """Show other turns instead; `older` says whether there are earlier ones."""
        self.run_method("replace", turns)
        self._props["older"] = older
        self.update()

    def prepend(self, turns: list[dict[str, Any]], *, older: bool) -> None:
        """Put earlier turns in front; `older` says whether there are still more."""
        self.run_method("prepend", turns)
        self._props["older"] = older
        self.update()

    def append(self, message_id: str, offset: int, text: str) -> None:
        """Add text that begins at character `offset` of the answer."""
        self.run_method("append", message_id, offset, text)

    def think(self, message_id: str, begin: int, thought: str) -> None:
        """Add what is thought, from its character `begin` on; at 0 it replaces what was there."""
        self.run_method("think", message_id, begin, thought)

    def change(self, message_id: str, **changes: Any) -> None:
        """Replace values of a turn."""
        self.run_method("update", message_id, changes)
