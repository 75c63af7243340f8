"""The work in progress, in the header."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from domain.jobs.entities import Job, JobState
from pages.components.base import Tone, box, chip, icon_button, text_element
from pages.components.region import Region
from pages.i18n import _, ngettext
from pages.names import JOB_STATES
from pages.visit import act, guarded, visit

TONES: dict[str, Tone] = {
    JobState.RUNNING: "warn",
    JobState.DONE: "ok",
    JobState.FAILED: "bad",
    JobState.DEAD: "bad",
}
OPEN = (JobState.QUEUED, JobState.RUNNING)
SHOWN = 20


class JobsButton:
    """A button that turns while something runs; its menu lists the jobs with cancel and retry."""

    def __init__(self) -> None:
        self.visit = visit()
        self.button = icon_button("sync", _("Work in progress"), guarded(self._opened))
        self.button.props["data-testid"] = "job-bell"
        self.running: set[str] = set()
        with (
            self.button,
            ui.menu().props("role=region") as self.menu,
            box("joblist"),
        ):
            self.region = Region(self._draw, "full-width")

    async def _opened(self) -> None:
        await self.region.refresh()

    async def changed(self, data: dict[str, Any]) -> None:
        """A job of the user has news."""
        (self.running.add if data.get("state") in OPEN else self.running.discard)(str(data.get("id")))
        if self.button.is_deleted:
            return
        self.button.classes(add="working" if self.running else "", remove="" if self.running else "working")
        if self.menu.value:
            await self.region.soon()

    async def _draw(self) -> Callable[[], None]:
        jobs = list(await self.visit.services.jobs.recent(self.visit.actor))[:SHOWN]

        def build() -> None:
            if not jobs:
                ui.label(_("Nothing is going on.")).classes("muted").style("padding:18px")
            else:
                self._build(jobs)

        return build

    def _build(self, jobs: Sequence[Job]) -> None:
        waiting = sum(job.state in OPEN for job in jobs)
        if waiting:
            ui.label(ngettext("{n} job in progress", "{n} jobs in progress", waiting)).classes("muted small").style(
                "padding:10px 16px"
            )
        for job in jobs:
            with box("rowline"):
                with box("grow"):
                    ui.label(job.name or _("Work")).classes("name")
                    if job.state == JobState.RUNNING:
                        bar = ui.linear_progress(job.progress, show_value=False, size="6px").props("rounded")
                        bar.props["aria-label"] = job.name or _("Work")
                    if job.error:
                        text_element("div", _(job.error, **job.error_params), "sub")
                chip(_(JOB_STATES[JobState(job.state)]), TONES.get(job.state, ""))
                self._action(job)

    def _action(self, job: Job) -> None:
        jobs, actor = self.visit.services.jobs, self.visit.actor

        async def do(method: Callable[..., Any]) -> None:
            await method(actor, job.id)
            await self.region.refresh()

        if job.state in OPEN:
            icon_button("close", _("Cancel"), act(functools.partial(do, jobs.cancel)))
        elif job.state in (JobState.FAILED, JobState.DEAD):
            icon_button("refresh", _("Try again"), act(functools.partial(do, jobs.retry)))
