"""Administration: security classes, their order, and whether they count."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from domain.classifications.entities import SecurityClassification
from domain.classifications.service import Classifications, Supposition
from domain.kernel.actor import Permission
from pages.components.base import box, button, empty_state, icon_button, page_head, paragraph
from pages.components.region import Region
from pages.dialogs import cancel_or, confirm, dialog, inline
from pages.i18n import _
from pages.impact import agreed
from pages.visit import News, act, toast, visit


async def classifications() -> None:
    """Switch them on or off, add, describe, order and delete them."""
    here = visit()
    here.actor.require(Permission.ADMIN)
    with box("page narrow"):
        lead = _(
            "How sensitive spaces are, and how far models are trusted. A space uses models of its class or a higher one."
        )
        with page_head(_("Security classes"), lead):
            button(_("New class"), lambda: edit(None, listed.region.refresh), icon="add")
        listed = Listed()
        await listed.region.refresh()

    async def changed(news: News) -> None:
        if news.kind in ("models_changed", "resync"):
            await listed.region.soon()

    here.listen(f"tenant:{here.actor.tenant_id}", changed)


class Listed:
    """The switch and the classes, the highest first."""

    def __init__(self) -> None:
        self.visit = visit()
        self.region = Region(self._draw)

    async def _draw(self) -> Callable[[], None]:
        found = await self.visit.services.classifications.all(self.visit.actor)

        def build() -> None:
            self._switch(found)
            if not found.items:
                text = _("Add one for each level of sensitivity, for instance Open, Internal and Confidential.")
                empty_state("shield", _("No security classes."), text)
                return
            paragraph(_("The highest class is at the top."), "muted")
            with box("card"), box("full-width").props("role=list"):
                for place, each in reversed(list(enumerate(found.items))):
                    self._row(each, place, found.items)

        return build

    def _switch(self, found: Classifications) -> None:
        async def switch(event: ValueChangeEventArguments[Any]) -> None:
            wanted = bool(event.value)
            if wanted == found.enabled:
                return
            if not await self._switched(wanted):
                made.value = found.enabled

        with box("card"), box("rowline"):
            with box("grow"):
                ui.label(_("Security classes count")).classes("name")
                ui.label(_("Switched off, everything is allowed; the classes are kept.")).classes("sub")
            made = ui.switch(value=found.enabled, on_change=act(switch))
            made.props["aria-label"] = _("Security classes count")

    async def _switched(self, wanted: bool) -> bool:
        services, actor = self.visit.services, self.visit.actor
        impact = await services.classifications.suppose(actor, Supposition(enabled=wanted))
        if not await agreed(impact, _("Switch security classes on?"), _("Switch on")):
            return False
        await services.classifications.switch(actor, wanted, impact.token)
        toast(_("Security classes count now.") if wanted else _("Security classes do not count any more."))
        return True

    def _row(self, each: SecurityClassification, place: int, every: Sequence[SecurityClassification]) -> None:
        names = {"name": each.name}
        with box("rowline").props("role=listitem"):
            with box("grow"):
                ui.label(each.name).classes("name")
                if each.description:
                    ui.label(each.description).classes("sub").style("overflow-wrap:anywhere")
            up = icon_button("arrow_upward", _("Move {name} up", **names), self._mover(each, 1))
            up.set_enabled(place < len(every) - 1)
            down = icon_button("arrow_downward", _("Move {name} down", **names), self._mover(each, -1))
            down.set_enabled(place > 0)
            icon_button("edit", _("Edit {name}", **names), functools.partial(edit, each, self.region.refresh))
            icon_button("delete_outline", _("Delete {name}", **names), act(functools.partial(self._delete, each)))

    def _mover(self, each: SecurityClassification, by: int) -> Callable[..., Awaitable[None]]:
        async def move() -> None:
            services, actor = self.visit.services, self.visit.actor
            # As it is now: whoever presses twice at once moves it by two.
            order = [other.id for other in (await services.classifications.all(actor)).items]
            if each.id not in order:
                return
            place = order.index(each.id)
            order.insert(max(place + by, 0), order.pop(place))
            impact = await services.classifications.suppose(actor, Supposition(order=order))
            if await agreed(impact, _("Change the order?"), _("Change the order")):
                await services.classifications.reorder(actor, order, impact.token)
                await self.region.refresh()

        return act(move)

    async def _delete(self, each: SecurityClassification) -> None:
        text = _("“{name}” is gone for good. A class that a space or a model has cannot be deleted.", name=each.name)
        if await confirm(_("Delete the class?"), text, _("Delete")):
            await self.visit.services.classifications.delete(self.visit.actor, each.id)
            await self.region.refresh()


def edit(each: SecurityClassification | None, done: Callable[[], Awaitable[None]]) -> None:
    """A dialog with name and description of a class, or of a new one."""
    here = visit()
    made, card = dialog(_("Edit {name}", name=each.name) if each else _("New class"))

    async def save() -> None:
        async def work() -> None:
            service = here.services.classifications
            if each is None:
                lowest = highest.value == "lowest"
                await service.create(here.actor, name.value or "", description.value, lowest=lowest)
            else:
                changes = {"name": name.value or "", "description": description.value}
                await service.update(here.actor, each.id, changes)
            made.close()
            await done()

        await inline(work, problem)

    with card:
        name = ui.input(_("Name"), value=each.name if each else "").props("outlined stack-label autofocus")
        description = ui.textarea(_("Description"), value=(each.description or "") if each else "")
        description.props("outlined stack-label autogrow")
        if each is None:
            places = {"highest": _("At the top: the most sensitive"), "lowest": _("At the bottom: the least sensitive")}
            highest = ui.select(places, value="highest", label=_("Place")).props("outlined stack-label options-dense")
        problem = box("full-width")
        cancel_or(made, _("Save"), save)
    made.open()
