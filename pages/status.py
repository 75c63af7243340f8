"""How the installation is doing: the same facts for the operator and for administrators."""

from collections.abc import Sequence

from nicegui import ui

from domain.jobs.entities import JobState, Lane
from domain.models.entities import ProviderType
from domain.operations.entities import Fault, Status
from pages.components.base import Tone, box, chip, heading, note, paragraph
from pages.i18n import _, moment, ngettext, number, size
from pages.names import JOB_STATES, LANES, PROVIDERS, TASKS

MINUTE = 60


def draw_status(found: Status, wrong: Sequence[Fault]) -> None:
    """What is wrong, then each part."""
    for fault in wrong:
        note(_(fault.message, **fault.params), "bad", icon_name="error_outline")
    if not wrong:
        note(_("Everything works."), "ok", icon_name="check_circle")
    heading(_("Parts"))
    with box("card").props("role=list"):
        database = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[found.dialect]
        _part(_("Database"), database, found.database)
        _part("Redis", _("Jobs and events"), found.redis)
        known = found.workers is not None
        workers = ngettext("{n} worker", "{n} workers", found.workers or 0) if known else _("unknown")
        _part(_("Workers"), workers, known and not found.waits_in_vain)
        _line(_("Disk"), _("{free} of {size} free", free=size(found.disk_free), size=size(found.disk_size)))
        _line(_("Memory of this process"), size(found.memory))
        _line(_("Connections to the database"), f"{number(found.connections_used)} / {number(found.connections)}")
        _line(_("Answers being written"), number(found.streams))
        _line(_("Last scheduled backup"), moment(found.last_backup) or _("none"))
        _line(_("Version"), found.version)
    _jobs(found)
    _providers(found)


def _jobs(found: Status) -> None:
    heading(_("Jobs"))
    with box("card").props("role=list"):
        for lane in found.lanes:
            waits = ngettext("{n} waits", "{n} wait", lane.waiting)
            runs = ngettext("{n} runs", "{n} run", lane.running)
            since = _("the first for {minutes} minutes", minutes=number(round(lane.oldest_seconds / MINUTE, 1)))
            _line(_(LANES[Lane(lane.lane)]), " · ".join([waits, runs, *([since] if lane.waiting else [])]))
        for each in found.ended:
            took = _("{seconds} seconds on average", seconds=number(round(each.seconds, 1)))
            count = ngettext("{n} in the last hour", "{n} in the last hour", each.count)
            name, state = _(TASKS.get(each.task, each.task)), _(JOB_STATES[JobState(each.state)])
            _line(f"{name} · {state}", f"{count} · {took}")
        if not found.lanes and not found.ended:
            _line(_("Nothing waits, and nothing ran in the last hour."), "")


def _providers(found: Status) -> None:
    heading(_("AI providers"))
    with box("card").props("role=list"):
        for each in found.providers:
            calls = ngettext("{n} call", "{n} calls", each.calls)
            failed = ngettext("{n} failed", "{n} failed", each.failures)
            first = _("first token after {seconds} seconds", seconds=number(round(each.first_token_seconds, 2)))
            _line(
                _(PROVIDERS[ProviderType(each.type)]), f"{calls} · {failed} · {first}", "warn" if each.failures else ""
            )
        if not found.providers:
            _line(_("This process has not called any."), "")
    paragraph(_("Counted by the process that shows this page, since it began."), "muted small")


def _part(name: str, about: str, good: bool) -> None:
    _line(name, about, "ok" if good else "bad", _("works") if good else _("does not work"))


def _line(name: str, about: str, tone: Tone = "", state: str = "") -> None:
    with box("rowline").props("role=listitem"):
        with box("grow"):
            ui.label(name).classes("name")
            if about:
                ui.label(about).classes("sub")
        if state:
            chip(state, tone)
