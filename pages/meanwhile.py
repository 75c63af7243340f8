"""What others change in an assistant or a space while somebody has its settings open."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

from domain.audit.entities import AuditEntry
from domain.audit.export import metadata
from domain.kernel.paging import Page
from domain.models.entities import ModelKind
from pages.components.base import box, note, quiet_button
from pages.dialogs import confirm
from pages.history import FIELDS
from pages.i18n import _
from pages.unsaved import Unsaved
from pages.visit import News, visit

LOOKED_AT = 20
"""So many of the newest changes are looked through."""
Newest = Callable[..., Awaitable[Page[AuditEntry]]]
FORM: dict[str, tuple[str, ...]] = {"prompt_id": ("prompt",), "allowed_models": tuple(ModelKind)}
"""What a form calls a field of the history otherwise."""


class Meanwhile:
    """Says who has changed what since the page was opened, and what of it would be overwritten.

    `newest` fetches as much of the history as its `limit` says, `said` is the sentence for it, and `topic` tells of
    changes by news of the kind `kind`.
    """

    def __init__(self, newest: Newest, said: str, topic: str, kind: str, unsaved: Unsaved) -> None:
        self._newest, self._said, self._topic, self._kind, self._unsaved = newest, said, topic, kind, unsaved
        self._known: set[UUID] = set()
        self._others: list[AuditEntry] = []
        self._told = ""
        self._place = box("full-width")

    async def begin(self) -> None:
        """What the history holds now is what the page shows."""
        self._known = {each.id for each in await self._newer()}
        self._unsaved.followers.append(self._draw)
        visit().listen(self._topic, self._changed)

    async def saved(self, sent: Iterable[str]) -> None:
        """The page itself has saved these fields."""
        me, own = visit().actor.user_id, set(sent)
        self._known |= {each.id for each in await self._newer() if each.actor_id == me and _form(_fields(each)) & own}
        await self._tell()

    async def _changed(self, news: News) -> None:
        if news.kind in (self._kind, "resync"):
            await self._tell()

    async def _newer(self) -> list[AuditEntry]:
        return [each for each in (await self._newest(limit=LOOKED_AT)).items if each.id not in self._known]

    async def _tell(self) -> None:
        self._others = await self._newer()
        self._draw()

    def _draw(self) -> None:
        text = self._text(self._others)
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
        text = _(self._said, name=names, fields=_labels(fields))
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
    return {form for name in fields for form in FORM.get(name, (name,))}


def _labels(fields: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(_(FIELDS[name]) for name in fields))
