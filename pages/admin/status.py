"""Administration: how the installation is doing."""

from collections.abc import Callable

from domain.kernel.actor import Permission
from pages.components.base import box, page_head, quiet_button
from pages.components.region import Region
from pages.i18n import _
from pages.status import draw_status
from pages.visit import act, visit


async def status() -> None:
    """The facts, and a button to look again."""
    here = visit()
    here.actor.require(Permission.ADMIN)

    async def draw() -> Callable[[], None]:
        found, wrong = await here.services.operations.own_status(here.actor)
        return lambda: draw_status(found, wrong)

    with box("page narrow"):
        with page_head(_("Status"), _("How the installation is doing.")):
            again = quiet_button(_("Look again"), icon="refresh")
        region = Region(draw)
        again.on_click(act(region.refresh))
        await region.refresh()
