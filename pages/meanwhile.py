"""What others change in an assistant while somebody has its settings open."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from domain.assistants.entities import Assistant
from domain.audit.entities import AuditEntry
from domain.audit.export import metadata
from pages.components.base import box, note, quiet_button
from pages.dialogs import confirm
from pages.history import FIELDS
from pages.i18n import _
from pages.unsaved import Unsaved
from pages.visit import News, visit

LOOKED_AT = 20
"""So many of the newest changes are looked through."""
FORM = {"prompt_id": "prompt"}
"""What the form calls a field of the history otherwise."""


class Meanwhile:
    """Says who has changed what since the page was opened, and what of it would be overwritten."""

    def __init__(self, assistant: Assistant, unsaved: Unsaved) -> None:
        self._assistant, self._unsaved = assistant, unsaved
        self._known: set[UUID] = set()
        self._told = ""
        self._place = box("full-width")

    async def begin(self) -> None:
        """What the history holds now is what the page shows."""
        self._known = {each.id for each in await self._newer()}
        visit().listen(f"space:{self._assistant.space_id}", self._changed)

    async def saved(self, sent: Iterable[str]) -> None:
        """The page itself has saved these fields."""
        me, own = visit().actor.user_id, set(sent)
        self._known |= {each.id for each in await self._newer() if each.actor_id == me and _form(_fields(each)) & own}
        await self._tell()

    async def _changed(self, news: News) -> None:
        if news.kind in ("assistants_changed", "resync"):
            await self._tell()

    async def _newer(self) -> list[AuditEntry]:
        here = visit()
        page = await here.services.assistant_history.page(here.actor, self._assistant.id, limit=LOOKED_AT)
        return [each for each in page.items if each.id not in self._known]

    async def _tell(self) -> None:
        text = self._text(await self._newer())
        # What is told already stays as it is: drawn anew, its button would lose the focus.
        if text == self._told:
            return
        self._told = text
        self._place.clear()
        if text:
            with self._place:
                note(text, "warn", icon_name="group")
                quiet_button(_("Show it"), self._show).props("dense")

    def _text(self, others: Sequence[AuditEntry]) -> str:
        fields = [name for each in others for name in _fields(each)]
        if not fields:
            return ""
        names = ", ".join(dict.fromkeys(each.actor_name for each in others))
        text = _("{name} has changed this assistant meanwhile: {fields}.", name=names, fields=_labels(fields))
        both = [name for name in fields if _form([name]) & self._unsaved.changes.keys()]
        if both:
            text += " " + _("You have changed the same: {fields}. Saving replaces it.", fields=_labels(both))
        return text

    async def _show(self) -> None:
        text = _("What you changed on this page is not saved.")
        if not self._unsaved.there or await confirm(_("Discard your changes?"), text, _("Discard")):
            await self._unsaved.discard()


def _fields(entry: AuditEntry) -> list[str]:
    return [name for name in metadata(entry)["changes"] if name in FIELDS]


def _form(fields: Iterable[str]) -> set[str]:
    return {FORM.get(name, name) for name in fields}


def _labels(fields: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(_(FIELDS[name]) for name in fields))
