"""Moving knowledge to another space, and sharing it with others."""

import functools
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from nicegui import ui

from domain.spaces.entities import Space, SpaceKind
from domain.spaces.service import SpaceAccess
from pages.components.base import box, button, chip, danger_button, icon_button, note, paragraph, quiet_button
from pages.components.region import Region
from pages.dialogs import dialog, inline
from pages.i18n import _, ngettext
from pages.names import assistant_name, space_name
from pages.visit import act, toast, visit

SHOWN = 12


def origin_chip(origin: Space | None) -> None:
    """Where something is from that belongs to another space."""
    if origin is None:
        return
    of_all = origin.kind == SpaceKind.ORGANIZATION
    chip(_("The organisation's") if of_all else _("Shared from {space}", space=space_name(origin)), "acc")


def space_select(
    spaces: Sequence[Space], label: str, chosen: Callable[[], Any] | None = None, *, present: UUID | None = None
) -> ui.select:
    """A choice among spaces, by name; its value is an id. `present` is chosen, where it is among them."""
    options = {space.id: space_name(space) for space in spaces}
    value = present if present in options else None
    made = ui.select(options, value=value, label=label, on_change=chosen)
    return made.props("outlined stack-label options-dense")


def back_to_knowledge(access: SpaceAccess) -> tuple[str, str]:
    """The link from a collection or website to the knowledge where it is seen."""
    if access.shared and access.space.kind == SpaceKind.ORGANIZATION:
        return _("Start"), "/"
    return _("Knowledge"), f"/spaces/{access.space.id}/knowledge"


async def ask_move(collection_id: UUID, name: str) -> None:
    """Choose another space, see which assistants lose the knowledge, and move it."""
    here = visit()
    targets = await here.services.sharing.targets(here.actor, collection_id)
    made, card = dialog(_("Move “{name}”", name=name))

    async def chosen() -> None:
        async def work() -> None:
            found = await here.services.sharing.losses(here.actor, collection_id, target.value)
            losses.clear()
            with losses:
                if not found:
                    paragraph(_("No assistant loses it."), "muted")
                    return
                text = ngettext("{n} assistant loses it:", "{n} assistants lose it:", len(found))
                names = [f"{assistant_name(each.assistant, each.space)} ({space_name(each.space)})" for each in found]
                more = ["…"] if len(names) > SHOWN else []
                note(f"{text} {', '.join([*names[:SHOWN], *more])}", "warn")

        await inline(work, problem)

    async def submit() -> None:
        async def work() -> None:
            await here.services.sharing.move(here.actor, collection_id, target.value)
            made.close()
            toast(_("Moved."))
            await here.client.sub_pages_router.refresh()

        await inline(work, problem)

    with card:
        if not targets:
            paragraph(_("There is no other space where you may add knowledge."))
        else:
            target = space_select(targets, _("To the space"), chosen).props("autofocus")
        losses = box("full-width").props("aria-live=polite")
        problem = box("full-width")
        with box("actions-row"):
            quiet_button(_("Cancel"), made.close)
            if targets:
                danger_button(_("Move"), submit).bind_enabled_from(target, "value", bool)
    made.open()


async def ask_share(collection_id: UUID, name: str) -> None:
    """The spaces that read the knowledge; one more can be added, each can be removed."""
    here = visit()
    sharing = here.services.sharing
    targets = [
        space for space in await sharing.targets(here.actor, collection_id) if space.kind != SpaceKind.ORGANIZATION
    ]
    made, card = dialog(_("Share “{name}”", name=name))

    async def draw() -> Callable[[], None]:
        found = await sharing.shares(here.actor, collection_id)

        def build() -> None:
            for space in found:
                with box("rowline").props("role=listitem"):
                    ui.label(space_name(space)).classes("name grow")
                    label = _("No longer share with {space}", space=space_name(space))
                    icon_button("close", label, act(functools.partial(end, space.id)))
            if not found:
                paragraph(_("It is not shared with any space."), "muted")

        return build

    async def end(space_id: UUID) -> None:
        await sharing.unshare(here.actor, collection_id, space_id)
        await region.refresh()

    async def add() -> None:
        async def work() -> None:
            await sharing.share(here.actor, collection_id, target.value)
            target.set_value(None)
            await region.refresh()

        await inline(work, problem)

    with card:
        text = _("Other spaces can read it and use it in their assistants. Only here can it be changed.")
        paragraph(text, "muted")
        region = Region(draw)
        region.element.props("role=list")
        await region.refresh()
        if targets:
            target = space_select(targets, _("With the space"))
        problem = box("full-width")
        with box("actions-row"):
            quiet_button(_("Close"), made.close)
            if targets:
                button(_("Share"), add).bind_enabled_from(target, "value", bool)
    made.open()
