"""The start page: what one can work in."""

from collections.abc import Callable

from nicegui import ui

from domain.kernel.access import Action
from domain.spaces.entities import SpaceKind
from domain.spaces.service import SpaceView
from pages.admin.budgets import notice
from pages.components.base import (
    box,
    button,
    chip,
    empty_state,
    heading,
    link_box,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.face import space_face
from pages.components.region import Region
from pages.dialogs import cancel_or, dialog, inline
from pages.i18n import _, ngettext
from pages.names import role_name, space_name
from pages.visit import News, visit


async def start() -> None:
    """Spaces as cards, the personal one first."""
    here = visit()
    first_name = (here.actor.name or here.actor.email).split()[0]

    async def draw() -> Callable[[], None]:
        views = await here.services.spaces.mine(here.actor)

        def build() -> None:
            with box("grid"):
                for view in views:
                    space_card(view)
            if len(views) == 1:
                with (
                    box("card"),
                    empty_state(
                        "groups",
                        _("Work together in a space"),
                        _("In a space, colleagues share assistants and documents. Create one and add its members."),
                    ),
                ):
                    quiet_button(_("Create space"), create_space, icon="add")

        return build

    with box("page"):
        with page_head(_("Hello, {name}!", name=first_name), _("Choose a space, or ask your personal assistant.")):
            quiet_button(_("Create space"), create_space, icon="add")
            button(_("New chat"), lambda: ui.navigate.to("/chat"), icon="chat")
        if here.actor.is_admin:
            await notice()
        heading(_("Your spaces"))
        region = Region(draw)
        await region.refresh()

    async def changed(news: News) -> None:
        if news.kind in ("spaces_changed", "resync"):
            await region.soon()

    here.listen(f"user:{here.actor.user_id}", changed)


def space_card(view: SpaceView) -> None:
    """A space as a card that leads to it."""
    space, counts = view.space, view.counts
    with link_box(f"/spaces/{space.id}", "card tile"):
        with box("line"):
            space_face(space)
            ui.label(space_name(space)).classes("name grow")
            if space.kind == SpaceKind.SHARED:
                chip(role_name(view.role), "acc" if Action.EDIT in view.permissions else "")
        text = space.description or (_("Only you see what is here.") if space.kind == SpaceKind.PERSONAL else "")
        if text:
            paragraph(text, "text")
        with box("foot"):
            ui.label(ngettext("{n} assistant", "{n} assistants", counts.assistants))
            ui.label(ngettext("{n} document", "{n} documents", counts.documents))
            if space.kind == SpaceKind.SHARED:
                ui.label(ngettext("{n} member", "{n} members", counts.members))


def create_space() -> None:
    """Ask for name and description, and go to the new space."""
    here = visit()
    made, card = dialog(_("Create space"))

    async def submit() -> None:
        async def work() -> None:
            view = await here.services.spaces.create(here.actor, name.value or "", description.value)
            made.close()
            ui.navigate.to(f"/spaces/{view.space.id}")

        await inline(work, problem)

    with card:
        paragraph(_("You become its administrator and can add members afterwards."), "muted")
        name = ui.input(_("Name")).props("outlined stack-label autofocus")
        description = ui.textarea(_("Description (optional)")).props("outlined stack-label autogrow")
        problem = box("full-width")
        cancel_or(made, _("Create space"), submit)
    made.open()
