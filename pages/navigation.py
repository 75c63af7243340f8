"""The left drawer: what one can go to."""

import functools
from collections.abc import Callable, Sequence
from uuid import UUID

from nicegui import background_tasks, ui

from domain.conversations.entities import Conversation
from domain.conversations.transcripts import TranscriptFormat
from domain.kernel.access import Action, Resource, permissions
from domain.kernel.errors import N_
from domain.spaces.entities import SpaceKind
from domain.spaces.service import SpaceView
from pages.components.base import box, button, heading, icon_button, link_box
from pages.components.face import picture_or_icon
from pages.components.region import Region
from pages.dialogs import ask_name, confirm
from pages.i18n import _
from pages.names import space_icon, space_name
from pages.visit import act, guarded, toast, visit

RECENT = 12
ADMINISTRATION = (
    ("hub", N_("AI models"), "/admin/models"),
    ("query_stats", N_("Use of the models"), "/admin/usage"),
    ("savings", N_("Budgets"), "/admin/budgets"),
    ("people", N_("Users"), "/admin/users"),
    ("badge", N_("Roles"), "/admin/roles"),
    ("groups", N_("User groups"), "/admin/user-groups"),
    ("login", N_("Sign-in"), "/admin/sign-in"),
    ("shield", N_("Security"), "/admin/security"),
    ("verified_user", N_("Security classes"), "/admin/security-classes"),
    ("storage", N_("Storage"), "/admin/storage"),
    ("key", N_("API keys"), "/admin/api-keys"),
    ("policy", N_("Audit log"), "/admin/audit"),
    ("monitor_heart", N_("Status"), "/admin/status"),
)
"""The pages of administrators: picture, name, path."""


class Navigation:
    """New chat, spaces with the pages of the present one, conversations, administration."""

    def __init__(self) -> None:
        self.visit = visit()
        self.region = Region(self._draw, "full-width")
        self._shown: object = None
        """What the links that are there were drawn from."""

    async def refresh(self) -> None:
        """Fetch and draw."""
        await self.region.refresh()

    def later(self) -> None:
        """Fetch and draw soon, beside what goes on."""
        background_tasks.create(guarded(self.region.soon)(), name="navigation", context=self.region.element)

    async def _draw(self) -> Callable[[], None] | None:
        actor, services = self.visit.actor, self.visit.services
        spaces = await services.spaces.mine(actor)
        if actor.is_admin:
            spaces.append(await services.spaces.organization(actor))
        pinned = await services.conversations.pinned(actor)
        recent = await services.conversations.page(
            actor, assistant_id=self.visit.assistant_id, limit=RECENT, pinned=False
        )

        # A link that is drawn anew while somebody presses it leads nowhere.
        shown = self._state(spaces, pinned, recent.items)
        if shown == self._shown:
            return None
        self._shown = shown

        def build() -> None:
            with ui.element("nav").classes("nav") as nav:
                nav.props["aria-label"] = _("Main")
                self._build(spaces, pinned, recent.items)

        return build

    def _state(
        self, spaces: Sequence[SpaceView], pinned: Sequence[Conversation], recent: Sequence[Conversation]
    ) -> object:
        """All that the links say and lead to."""
        here = self.visit
        return (
            (self._here(), here.language, here.space_id, here.assistant_id, here.actor.is_admin),
            [(v.space.id, v.space.kind, v.space.name, v.space.icon_id, v.role, set(v.permissions)) for v in spaces],
            [[(c.id, c.name, c.temporary) for c in each] for each in (pinned, recent)],
        )

    def _build(
        self, spaces: Sequence[SpaceView], pinned: Sequence[Conversation], recent: Sequence[Conversation]
    ) -> None:
        button(_("New chat"), self._new_chat, icon="add").classes("full-width").style("margin-bottom:6px")
        self._item("home", _("Start"), "/")
        heading(_("Spaces"))
        for view in spaces:
            self._space(view)
        if pinned:
            heading(_("Pinned"))
            for conversation in pinned:
                self._conversation(conversation)
        if recent:
            heading(_("Conversations"))
            for conversation in recent:
                self._conversation(conversation)
        if pinned or recent:
            self._item("history", _("All conversations"), "/conversations")
        if self.visit.actor.is_admin:
            heading(_("Administration"))
            for icon_name, text, target in ADMINISTRATION:
                self._item(icon_name, _(text), target)

    def _new_chat(self) -> None:
        chosen = self.visit.assistant_id
        ui.navigate.to(f"/chat/{chosen}" if chosen else "/chat")

    def _here(self) -> str:
        return self.visit.client.sub_pages_router.current_path.split("?")[0].rstrip("/") or "/"

    def _item(self, icon_name: str, text: str, target: str, *, sub: bool = False, icon_id: UUID | None = None) -> None:
        active = self._here() == target
        with link_box(target, "navitem") as link:
            link.classes("active" if active else "").classes("sub" if sub else "")
            if active:
                link.props("aria-current=page")
            if icon_id or icon_name:
                picture_or_icon(icon_id, icon_name)
            ui.label(text).classes("grow clip")

    def _space(self, view: SpaceView) -> None:
        space = view.space
        base = f"/spaces/{space.id}"
        knows = Action.READ in permissions(self.visit.actor, view.role, Resource.COLLECTION)
        if space.kind == SpaceKind.ORGANIZATION:
            self._item(space_icon(space), space_name(space), f"{base}/knowledge", icon_id=space.icon_id)
            return
        self._item(space_icon(space), space_name(space), base, icon_id=space.icon_id)
        if self.visit.space_id != space.id:
            return
        self._item("", _("Assistants"), f"{base}/assistants", sub=True)
        if knows:
            self._item("", _("Knowledge"), f"{base}/knowledge", sub=True)
        if space.kind == SpaceKind.SHARED:
            self._item("", _("Members"), f"{base}/members", sub=True)
            if Action.EDIT in view.permissions:
                self._item("", _("Use of the models"), f"{base}/usage", sub=True)
                self._item("", _("Settings"), f"{base}/settings", sub=True)

    def _conversation(self, conversation: Conversation) -> None:
        with box("navrow"):
            self._item(conversation_icon(conversation), conversation.name, f"/conversations/{conversation.id}")
            with icon_button("more_horiz", _("Options for {name}", name=conversation.name)).props("size=sm"):
                conversation_menu(conversation, self._here() == f"/conversations/{conversation.id}")


def conversation_icon(conversation: Conversation) -> str:
    """The picture before the name of a conversation."""
    return "push_pin" if conversation.pinned_at else "chat_bubble_outline"


def conversation_menu(conversation: Conversation, shown: bool) -> None:
    """Pin, rename, take along and delete; `shown` says that the conversation is on the screen."""
    with ui.menu().props("auto-close"):
        if not conversation.temporary:
            word = _("Unpin") if conversation.pinned_at else _("Pin")
            ui.menu_item(word, on_click=act(functools.partial(_pin, conversation)))
        ui.menu_item(_("Rename"), on_click=functools.partial(_rename, conversation))
        for text, form in (
            (_("Export as Markdown"), TranscriptFormat.MARKDOWN),
            (_("Export as PDF"), TranscriptFormat.PDF),
            (_("Export as Word"), TranscriptFormat.DOCX),
            (_("Export as JSON"), TranscriptFormat.JSON),
        ):
            ui.menu_item(text, on_click=functools.partial(_export, conversation, form))
        ui.menu_item(_("Delete"), on_click=act(functools.partial(_delete, conversation, shown))).classes("danger")


def _export(conversation: Conversation, form: TranscriptFormat) -> None:
    ui.download.from_url(f"/api/v1/conversations/{conversation.id}/export/?format={form}")


async def _pin(conversation: Conversation) -> None:
    here = visit()
    pinned = conversation.pinned_at is None
    changed = await here.services.conversations.pin(here.actor, conversation.id, pinned=pinned)
    conversation.pinned_at = changed.pinned_at
    toast(_("The conversation was pinned.") if pinned else _("The conversation is no longer pinned."))


async def _rename(conversation: Conversation) -> None:
    here = visit()

    async def save(name: str) -> None:
        await here.services.conversations.rename(here.actor, conversation.id, name)

    await ask_name(_("Rename the conversation"), _("Name"), conversation.name, _("Save"), save)


async def _delete(conversation: Conversation, shown: bool) -> None:
    here = visit()
    text = _("“{name}” and its answers will be gone for good.", name=conversation.name)
    if await confirm(_("Delete the conversation?"), text, _("Delete")):
        await here.services.conversations.delete(here.actor, conversation.id)
        toast(_("The conversation was deleted."))
        if shown:
            ui.navigate.to(f"/chat/{conversation.assistant_id}")
