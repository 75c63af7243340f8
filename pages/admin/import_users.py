"""Administration: many new colleagues at once, from a table."""

import csv
import io
from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import UploadEventArguments

from domain.users.importing import ImportLine, ImportReport, safe_cell
from pages.components.base import box, button, chip, note, paragraph, quiet_button
from pages.dialogs import dialog, inline
from pages.i18n import _, ngettext, translate
from pages.visit import toast, visit

MOST_SHOWN = 200
EXAMPLE = "email;namn;roll;grupper\nanna@example.se;Anna Berg;User;Bygglov"
MOST_BYTES = 2_000_000


class ImportDialog:
    """Choose a table, see what would become of each line, then invite; nothing is written before that."""

    def __init__(self, changed: Callable[[], Awaitable[None]]) -> None:
        self.visit, self.changed = visit(), changed
        self.text = ""
        self.dialog, card = dialog(_("Import people"), wide=True)
        with card:
            paragraph(_("Choose a table saved as CSV. Its first line names the columns; only the address is needed:"))
            ui.label(EXAMPLE).classes("mono small").style("white-space:pre-wrap;overflow-wrap:anywhere")
            # The framework's own control has buttons without names: it stays unseen, and ours opens it.
            upload = ui.upload(auto_upload=True, max_file_size=MOST_BYTES).style("display:none")
            upload.props("accept=.csv,.txt,text/csv").on_upload(self._taken)
            upload.on("rejected", lambda: toast(_("The file is too large or not a table."), "negative"))
            pick = quiet_button(_("Choose a CSV file"), lambda: upload.run_method("pickFiles"), icon="upload_file")
            pick.style("align-self:flex-start")
            self.problem = box("full-width").props("role=alert")
            self.result = box("stack full-width").props("aria-live=polite")
            self.actions = box("actions-row")
        self._buttons(None)

    def open(self) -> None:
        """Show it."""
        self.dialog.open()

    async def _taken(self, event: UploadEventArguments) -> None:
        self.text = (await event.file.read()).decode("utf-8-sig", "replace")

        async def check() -> None:
            self._show(await self.visit.services.user_import.run(self.visit.actor, self.text, dry_run=True))

        await inline(check, self.problem)

    async def _invite(self) -> None:
        async def work() -> None:
            self._show(await self.visit.services.user_import.run(self.visit.actor, self.text, dry_run=False))
            await self.changed()

        await inline(work, self.problem)

    def _show(self, report: ImportReport) -> None:
        self.result.clear()
        wrong = len(report.lines) - report.good
        with self.result:
            if report.dry_run:
                text = ngettext("{n} person can be invited.", "{n} people can be invited.", report.good)
            else:
                text = ngettext("{n} person was invited.", "{n} people were invited.", report.good)
            note(text, "ok" if report.good else "warn")
            if wrong:
                note(ngettext("{n} line is wrong and left out.", "{n} lines are wrong and left out.", wrong), "warn")
            lines = sorted(report.lines, key=lambda line: line.outcome == "new")
            with box("full-width").props("role=list").style("max-height:320px;overflow:auto"):
                for line in lines[:MOST_SHOWN]:
                    self._line(line)
        self._buttons(report)

    @staticmethod
    def _line(line: ImportLine) -> None:
        with box("rowline").props("role=listitem"):
            with box("grow"):
                ui.label(line.email or "–").classes("name")
                reason = (
                    translate(line.message, visit().actor.language, **line.params) if line.message else line.username
                )
                ui.label(_("Line {number}", number=line.number) + (f" · {reason}" if reason else "")).classes("sub")
            chip(_("Right"), "ok") if line.outcome == "new" else chip(_("Wrong"), "warn")

    def _buttons(self, report: ImportReport | None) -> None:
        self.actions.clear()
        with self.actions:
            if report is not None and not report.dry_run:
                if report.good:
                    quiet_button(_("Download the links"), lambda: self._download(report), icon="download")
                button(_("Done"), self.dialog.close)
                return
            quiet_button(_("Cancel"), self.dialog.close)
            if report is not None and report.good:
                button(ngettext("Invite {n} person", "Invite {n} people", report.good), self._invite)

    def _download(self, report: ImportReport) -> None:
        """The one-time links as a table: shown this once."""
        target = io.StringIO()
        rows = csv.writer(target, delimiter=";")
        rows.writerow(["email", "link"])
        rows.writerows([safe_cell(line.email), f"{self.visit.origin}{line.path}"] for line in report.lines if line.path)
        ui.download.content(target.getvalue().encode("utf-8-sig"), "invitations.csv", "text/csv")
