"""Administration: what roles allow."""

from collections.abc import Callable

from nicegui import ui

from domain.kernel.actor import Permission
from domain.roles.service import OFFERED, RoleView
from pages.components.base import box, button, field, icon_button, page_head
from pages.components.region import Region
from pages.dialogs import cancel_or, confirm, dialog, inline
from pages.i18n import _, ngettext
from pages.names import permission_name, user_role_name
from pages.visit import act, toast, visit


async def roles() -> None:
    """The predefined roles and the organisation's own."""
    here = visit()
    here.actor.require(Permission.ADMIN)
    with box("page"):
        with page_head(_("Roles"), _("A role gives permissions to the people who hold it.")):
            button(_("New role"), lambda: edit(None, shown), icon="add")
        with box("card"):
            shown = Region(lambda: _draw(lambda: shown), "full-width")
        await shown.refresh()


async def _draw(owner: Callable[[], Region]) -> Callable[[], None]:
    here = visit()
    views = await here.services.roles.all(here.actor)

    def build() -> None:
        with box("full-width").props("role=list"):
            for view in views:
                _row(view, owner())

    return build


def _row(view: RoleView, owner: Region) -> None:
    here, name = visit(), user_role_name(view.held)

    async def delete() -> None:
        text = _("The role “{name}” is gone for good.", name=name)
        if view.role is not None and await confirm(_("Delete the role?"), text, _("Delete")):
            await here.services.roles.delete(here.actor, view.role.id)
            await owner.refresh()

    with box("rowline").props("role=listitem"):
        with box("grow"):
            ui.label(name).classes("name")
            ui.label(", ".join(permission_name(p) for p in sorted(view.held.permissions))).classes("sub")
        ui.label(ngettext("{n} person", "{n} people", view.holders)).classes("sub")
        if view.role is not None:
            with icon_button("more_horiz", _("Options for {name}", name=name)), ui.menu().props("auto-close"):
                ui.menu_item(_("Change"), on_click=lambda: edit(view, owner))
                ui.menu_item(_("Delete"), on_click=act(delete)).classes("danger")


def edit(view: RoleView | None, owner: Region) -> None:
    """Name and permissions of a new role, or of one of the organisation's own."""
    here = visit()
    made, card = dialog(_("Change role") if view else _("New role"), wide=True)

    async def submit() -> None:
        async def work() -> None:
            chosen = [permission for permission, box_ in boxes.items() if box_.value]
            if view is None or view.role is None:
                await here.services.roles.create(here.actor, name.value or "", chosen)
            else:
                await here.services.roles.update(here.actor, view.role.id, name=name.value or "", permissions=chosen)
            made.close()
            toast(_("Saved."))
            await owner.refresh()

        await inline(work, problem)

    with card:
        name = field(_("Name"), view.held.name if view else "").props("autofocus")
        with box("full-width", "fieldset"):
            with ui.element("legend"):
                ui.label(_("Permissions")).classes("sub")
            boxes = {
                p: ui.checkbox(permission_name(p), value=view is not None and p in view.held.permissions)
                for p in OFFERED
            }
        problem = box("full-width")
        cancel_or(made, _("Save"), submit)
    made.open()
