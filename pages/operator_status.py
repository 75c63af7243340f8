"""The operator's page, lower half: how the installation is doing, and what is said to everybody."""

from collections.abc import Callable
from datetime import timedelta

from nicegui import ui

from domain.kernel.clock import now
from domain.kernel.errors import N_, Invalid
from domain.operations.entities import Notice, NoticeLevel
from domain.services import Services
from domain.tenants.operator import Operator
from pages.components.base import box, button, field, heading, note, paragraph, quiet_button
from pages.components.region import Region
from pages.dialogs import cancel_or, dialog, inline
from pages.i18n import _, moment
from pages.status import draw_status
from pages.visit import act

LEVELS = {
    NoticeLevel.INFO: N_("Information"),
    NoticeLevel.WARNING: N_("Warning"),
    NoticeLevel.MAINTENANCE: N_("Maintenance: nobody gets in meanwhile"),
}
HOURS = 24


class Operations:
    """Notice and status. `operator` raises when the key has to be shown again."""

    def __init__(self, services: Services, operator: Callable[[], Operator]) -> None:
        self._operations, self._operator = services.operations, operator

    async def show(self) -> None:
        """Draw both."""
        with box("page"):
            heading(_("Notice to everybody"))
            self._notice = Region(self._draw_notice)
            with box("line wrap"):
                heading(_("Status")).classes("grow")
                again = quiet_button(_("Look again"), icon="refresh")
            self._status = Region(self._draw_status)
            again.on_click(act(self._status.refresh))
        await self._notice.refresh()
        await self._status.refresh()

    async def _draw_status(self) -> Callable[[], None]:
        found, wrong = await self._operations.status(self._operator())
        return lambda: draw_status(found, wrong)

    async def _draw_notice(self) -> Callable[[], None]:
        found = await self._operations.notice()

        def build() -> None:
            with box("card stack").style("padding:20px"):
                if found is None:
                    paragraph(_("Nothing is said at present."), "muted")
                else:
                    self._shown(found)
                with box("actions-row"):
                    if found is not None:
                        quiet_button(_("Withdraw"), act(self._withdraw))
                    button(_("New notice"), act(self._new), icon="campaign")

        return build

    @staticmethod
    def _shown(found: Notice) -> None:
        tone = "" if found.level == NoticeLevel.INFO else "warn"
        for text in filter(None, (found.text_sv, found.text_en)):
            note(text, tone, icon_name="campaign")  # type: ignore[arg-type]
        level = _(LEVELS[NoticeLevel(found.level)])
        paragraph(_("{level}; until {moment}", level=level, moment=moment(found.until)), "muted small")

    async def _withdraw(self) -> None:
        await self._operations.withdraw(self._operator())
        await self._notice.refresh()

    async def _new(self) -> None:
        made, card = dialog(_("New notice"), wide=True)

        async def submit() -> None:
            async def work() -> None:
                if hours.value is None:
                    raise Invalid(N_("Give a number of hours."), field="until")
                until = now() + timedelta(hours=float(hours.value))
                texts = str(swedish.value or ""), str(english.value or "")
                await self._operations.announce(self._operator(), str(level.value), *texts, until)
                made.close()
                await self._notice.refresh()

            await inline(work, problem)

        with card:
            shown = {str(key): _(text) for key, text in LEVELS.items()}
            level = ui.select(shown, value=str(NoticeLevel.INFO), label=_("Kind"))
            level.props("outlined stack-label").classes("full-width")
            swedish = field(_("Text in Swedish")).props("autofocus")
            english = field(_("Text in English"))
            hours = ui.number(_("Ends after so many hours"), value=HOURS, min=0.1)
            hours.props("outlined stack-label hide-bottom-space").classes("full-width")
            problem = box("full-width")
            cancel_or(made, _("Show to everybody"), submit)
        made.open()
