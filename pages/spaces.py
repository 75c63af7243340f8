"""A space: overview, members, settings."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.kernel.access import Action, Resource, permissions
from domain.kernel.errors import Failure, NotFound
from domain.spaces.entities import MEMBER_ROLES, Space, SpaceKind
from domain.spaces.service import MemberView, SpaceView
from domain.users.entities import User
from pages.components.base import (
    box,
    button,
    chip,
    heading,
    icon_button,
    link_box,
    note,
    page_head,
    paragraph,
    quiet_button,
)
from pages.components.face import assistant_face, initials, space_face
from pages.components.region import Region
from pages.dialogs import confirm, dialog, inline
from pages.i18n import _, number
from pages.names import SPACE_ROLES, assistant_name, role_name, space_name
from pages.visit import News, act, guarded, identifier, toast, visit

FOUND = 8
FACES = 6


async def enter(space_id: str) -> SpaceView:
    """The space of the address, which the navigation then unfolds."""
    here = visit()
    view = await here.services.spaces.get(here.actor, identifier(space_id))
    here.space_id = view.space.id
    return view


def back_to(space: Space) -> tuple[str, str]:
    """The link to a space at the head of its pages."""
    return space_name(space), "/" if space.kind == SpaceKind.ORGANIZATION else f"/spaces/{space.id}"


async def overview(space_id: str) -> None:
    """Figures, assistants to talk to, faces."""
    here, view = visit(), await enter(space_id)
    space = view.space
    default = await here.services.assistants.default(here.actor, space.id)
    helpers = await here.services.assistants.in_space(here.actor, space.id)
    people = await here.services.spaces.members(here.actor, space.id) if space.kind == SpaceKind.SHARED else []
    personal = space.kind == SpaceKind.PERSONAL
    with box("page"):
        lead = space.description or (
            _("Only you see what is here.") if personal else _("Welcome to {space}.", space=space.name)
        )
        face = functools.partial(space_face, space, "big")
        with page_head(space_name(space), lead, face=face):
            if people:
                faces(people, f"/spaces/{space.id}/members")
            button(_("New chat"), lambda: ui.navigate.to(f"/chat/{default.assistant.id}"), icon="chat")
        _tiles(view)
        heading(_("Assistants"))
        with box("grid"):
            for helper in [default, *(h for h in helpers if not h.assistant.is_default)]:
                with link_box(f"/chat/{helper.assistant.id}", "card tile"):
                    name = assistant_name(helper.assistant, space)
                    with box("line"):
                        assistant_face(helper.assistant, space)
                        ui.label(name).classes("name grow")
                        if not helper.assistant.published and not helper.assistant.is_default and not personal:
                            chip(_("Draft"), "warn")
                    paragraph(helper.assistant.description or _("Ask in your own words."), "text")


def _tiles(view: SpaceView) -> None:
    base, counts = f"/spaces/{view.space.id}", view.counts
    tiles = [(_("Assistants"), counts.assistants, f"{base}/assistants")]
    if Action.READ in permissions(visit().actor, view.role, Resource.COLLECTION):
        tiles += [
            (_("Collections"), counts.collections, f"{base}/knowledge"),
            (_("Documents"), counts.documents, f"{base}/knowledge"),
        ]
    if view.space.kind == SpaceKind.SHARED:
        tiles.append((_("Members"), counts.members, f"{base}/members"))
    with box("kpis"):
        for text, value, target in tiles:
            with link_box(target, "card kpi"):
                ui.label(text).classes("l")
                ui.label(number(value)).classes("v")


def faces(people: Sequence[MemberView], target: str) -> None:
    """The first members as circles that lead to all."""
    with link_box(target, "line") as link:
        link.style("width:auto;gap:4px;text-decoration:none")
        ui.label(_("Members")).classes("sr-only")
        for person in people[:FACES]:
            ui.label(initials(person.user.display_name)).classes("face").props("aria-hidden=true").tooltip(
                person.user.display_name
            )
        if len(people) > FACES:
            ui.label(f"+{len(people) - FACES}").classes("muted small").props("aria-hidden=true")


async def members(space_id: str) -> None:
    """Who is in the space, in which role."""
    here, view = visit(), await enter(space_id)
    space = view.space
    if space.kind != SpaceKind.SHARED:
        raise NotFound
    allowed = permissions(here.actor, view.role, Resource.MEMBER)

    async def draw() -> Callable[[], None]:
        found = await here.services.spaces.members(here.actor, space.id)

        def build() -> None:
            with box("card").props("role=list"):
                for member in found:
                    _member(space, member, allowed, region)
            if Action.READ not in allowed:
                note(_("Only administrators of the space see all members."))

        return build

    with box("page"):
        with page_head(_("Members"), _("Who may work in this space, and how."), back=back_to(space)):
            if Action.ADD in allowed:
                button(_("Add member"), lambda: add_member(space, region), icon="person_add")
        region = Region(draw)
        await region.refresh()
        with box("card pad stack tight"):
            heading(_("What the roles may do"))
            paragraph(_("Viewers chat with published assistants."), "muted small")
            paragraph(_("Editors also make assistants and collections, and publish."), "muted small")
            paragraph(_("Administrators also manage members and the space itself."), "muted small")

    async def changed(news: News) -> None:
        if news.kind in ("members_changed", "resync"):
            await region.soon()

    here.listen(f"space:{space.id}", changed)


def _member(space: Space, view: MemberView, allowed: Sequence[Action], region: Region) -> None:
    here, user = visit(), view.user
    myself = user.id == here.actor.user_id

    async def set_role(event: ValueChangeEventArguments[Any]) -> None:
        try:
            await here.services.spaces.set_role(here.actor, space.id, user.id, str(event.value))
        except Failure:
            # The role is what it was, and so the choice says.
            await region.refresh()
            raise
        toast(_("The role was changed."))

    async def remove() -> None:
        text = _("{name} no longer sees the space. Conversations of their own stay theirs.", name=user.display_name)
        if await confirm(_("Remove the member?"), text, _("Remove")):
            await here.services.spaces.remove_member(here.actor, space.id, user.id)
            await region.refresh()

    with box("rowline").props("role=listitem"):
        ui.label(initials(user.display_name)).classes("face")
        with box("grow"):
            ui.label(_("{name} (you)", name=user.display_name) if myself else user.display_name).classes("name")
            ui.label(user.email).classes("sub")
        if myself or Action.EDIT not in allowed:
            chip(role_name(view.member.role))
        else:
            role_select(view.member.role, _("Role of {name}", name=user.display_name)).on_value_change(act(set_role))
        if not myself and Action.REMOVE in allowed:
            icon_button("person_remove", _("Remove {name}", name=user.display_name), act(remove))


def role_select(value: str, label: str) -> ui.select:
    """A choice of the roles in a space."""
    select = ui.select({role: _(SPACE_ROLES[role]) for role in MEMBER_ROLES}, value=value)
    select.props("outlined dense options-dense").style("width:170px")
    select.props["aria-label"] = label
    return select


def add_member(space: Space, region: Region) -> None:
    """Find a colleague by name or address, choose a role, add."""
    here = visit()
    made, card = dialog(_("Add member"))

    async def search(event: ValueChangeEventArguments[Any]) -> None:
        words = str(event.value or "").strip()
        page = await here.services.users.search(here.actor, words, limit=FOUND) if words else None
        results.clear()
        with results:
            for user in page.items if page else ():
                _candidate(user)
            if page and not page.items:
                ui.label(_("Nobody in the organisation fits. Ask an administrator to add the person.")).classes(
                    "muted small"
                )

    def _candidate(user: User) -> None:
        with box("rowline").style("padding:8px 4px") as row:
            ui.label(initials(user.display_name)).classes("face")
            with box("grow"):
                ui.label(user.display_name).classes("name")
                ui.label(user.email).classes("sub")
            add = quiet_button(_("Add"), functools.partial(submit, user, row)).props("dense")
            add.props["aria-label"] = _("Add {name}", name=user.display_name)

    async def submit(user: User, row: ui.element) -> None:
        async def work() -> None:
            if row.is_deleted:  # pressed twice
                return
            await here.services.spaces.add_member(here.actor, space.id, user.id, str(role.value))
            row.delete()
            entry.run_method("focus")
            toast(_("{name} is now a member.", name=user.display_name))
            await region.refresh()

        await inline(work, problem)

    with card:
        role = role_select("viewer", _("Role")).style("width:100%")
        entry = ui.input(_("Name or e-mail")).props("outlined stack-label autofocus debounce=250")
        entry.on_value_change(guarded(search))
        problem = box("full-width")
        results = box("full-width")
        with box("actions-row"):
            quiet_button(_("Done"), made.close)
    made.open()


def setting(title: str, text: str) -> ui.element:
    """A row of a settings page; use as a context manager for its control."""
    with box("setting"):
        with box():
            heading(title, 2)
            paragraph(text)
        return box("stack tight")
