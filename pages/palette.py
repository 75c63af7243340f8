"""Search everything: spaces, assistants, conversations, documents, pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.kernel.access import Action, Resource, permissions
from domain.kernel.errors import N_
from domain.knowledge.searching import SearchScope
from pages.components.base import box, heading, link_box
from pages.components.face import picture_or_icon
from pages.i18n import _
from pages.names import assistant_name, space_icon, space_name
from pages.navigation import ADMINISTRATION
from pages.visit import guarded, visit

PAGES = (
    ("home", N_("Start"), "/", False),
    ("add_comment", N_("New chat"), "/chat", False),
    ("history", N_("All conversations"), "/conversations", False),
    ("manage_accounts", N_("Account"), "/account", False),
    ("vpn_key", N_("My API keys"), "/account/api-keys", False),
    *((*page, True) for page in ADMINISTRATION),
)
ARROW_KEYS = """(e) => {
    const hits = [...e.currentTarget.querySelectorAll('.hit')], at = hits.indexOf(document.activeElement);
    if (e.key === 'ArrowDown') hits[Math.min(at + 1, hits.length - 1)]?.focus();
    else if (e.key === 'ArrowUp') (at > 0 ? hits[at - 1] : e.currentTarget.querySelector('input')).focus();
    else if (e.key === 'Enter' && at < 0) hits[0]?.click();
    else return;
    e.preventDefault();
}"""
EACH = 6
SPACES_SEARCHED = 8


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that fits the words: what it is, where it is, and its picture if it has one."""

    icon: str
    title: str
    target: str
    detail: str = ""
    icon_id: UUID | None = None


class Palette:
    """A dialog with one field and the places that fit; arrow keys move through them."""

    def __init__(self) -> None:
        self.visit = visit()
        self.dialog = ui.dialog().props("position=top")
        self.renew()

    def renew(self) -> None:
        """Make the content, in the present language."""
        self.dialog.clear()
        self.dialog.props["aria-label"] = _("Search")
        with self.dialog, box("card palette").style("margin-top:9vh") as card:
            self.entry = ui.input(placeholder=_("Search spaces, conversations and documents")).props(
                "borderless autofocus debounce=200"
            )
            self.entry.props["aria-label"] = _("Search")
            self.entry.on_value_change(guarded(self._typed))
            self.results = box("found")
            self.results.props["aria-live"] = "polite"
        card.on(
            "keydown",
            js_handler=ARROW_KEYS,
        )

    async def open(self) -> None:
        """Show it, with the places to begin with."""
        self.dialog.props(remove="no-refocus")
        self.dialog.open()
        self.entry.set_value("")
        await guarded(self._show)("")

    async def _typed(self, event: ValueChangeEventArguments[Any]) -> None:
        await self._show(str(event.value or "").strip())

    async def _show(self, words: str) -> None:
        groups = await self._find(words)
        if str(self.entry.value or "").strip() != words:
            return  # more was typed meanwhile
        self.results.clear()
        with self.results:
            for title, hits in groups:
                if hits:
                    heading(title)
                    for hit in hits:
                        self._hit(hit)
            if not any(hits for _title, hits in groups):
                ui.label(_("Nothing was found.")).classes("muted").style("padding:14px")

    def _hit(self, hit: Hit) -> None:
        with link_box(hit.target, "hit") as link:
            picture_or_icon(hit.icon_id, hit.icon)
            with box("grow"):
                ui.label(hit.title).classes("clip")
                if hit.detail:
                    ui.label(hit.detail).classes("sub clip")
        link.on("click", self._chosen)

    def _chosen(self) -> None:
        """Close; the focus is the new page's business, not that of what had it before."""
        self.dialog.props("no-refocus")
        self.dialog.close()

    async def _find(self, words: str) -> list[tuple[str, Sequence[Hit]]]:
        actor, services = self.visit.actor, self.visit.services
        fits = words.casefold()
        spaces = await services.spaces.mine(actor)
        conversations = await services.conversations.page(actor, search=words, limit=EACH)
        assistants = (await services.assistants.find(actor, search=words, limit=EACH)).items
        found = [
            Hit(space_icon(v.space), space_name(v.space), f"/spaces/{v.space.id}", icon_id=v.space.icon_id)
            for v in spaces
        ]
        helpers = [
            Hit(
                "smart_toy",
                assistant_name(a.assistant, a.access.space),
                f"/chat/{a.assistant.id}",
                space_name(a.access.space),
                a.assistant.icon_id,
            )
            for a in assistants
        ]
        places = [Hit(i, _(t), target) for i, t, target, admin in PAGES if actor.is_admin or not admin]
        readable = [v.space.id for v in spaces if Action.READ in permissions(actor, v.role, Resource.COLLECTION)]
        documents: list[Hit] = []
        if len(words) > 2:
            for space_id in readable[:SPACES_SEARCHED]:
                scope = SearchScope(space_id=space_id)
                for passage in await services.search.find(actor, words, scope, limit=3, mode="text"):
                    target = f"/documents/{passage.document_id}"
                    if all(hit.target != target for hit in documents):
                        documents.append(Hit("description", passage.title, target, passage.text[:120]))
        return [
            (_("Spaces"), [h for h in found if fits in h.title.casefold()][:EACH]),
            (_("Assistants"), helpers),
            (
                _("Conversations"),
                [Hit("chat_bubble_outline", c.name, f"/conversations/{c.id}") for c in conversations.items],
            ),
            (_("Documents"), documents[:EACH]),
            (_("Pages"), [h for h in places if fits in h.title.casefold()][:EACH]),
        ]
