"""The box in which questions are written."""

from typing import Any

from nicegui import ui

from pages.components.file_drop import LIBRARY
from pages.i18n import _, current_language


class Composer(ui.element, component="composer.js", esm=LIBRARY):
    """A text area that keeps its draft, with attached files, in the browser under `draft_key` (empty: nowhere).

    `limits` has the endings of files that can be attached, such as `.pdf`, with the most bytes of such a file.

    Events: `ask` {text, files: ids, mention: id of another assistant}, `stop`, `mention` {words} (see `offer`),
    `measure` {text, files: ids} when the writer pauses (see `gauge`), `narrow` {} and `widen` {key} (see `narrowed`).
    """

    def __init__(
        self,
        *,
        draft_key: str,
        upload_url: str,
        token: str,
        limits: dict[str, int],
        max_files: int,
        chip: str,
        model: str,
    ) -> None:
        super().__init__()
        self._props.update(
            {
                "labels": {
                    "placeholder": _("Ask a question…"),
                    "message": _("Message"),
                    "attach": _("Attach files"),
                    "send": _("Send"),
                    "stop": _("Stop"),
                    "removeFile": _("Remove"),
                    "failed": _("The upload failed."),
                    "mention": _("Let another assistant answer"),
                    "unmention": _("Do not ask"),
                    "assistants": _("Assistants"),
                    "found": _("{n} assistants found. Choose with the arrow keys and Enter.", n="{n}"),
                    "nobody": _("No assistant with that name."),
                    "asked": _("{name} answers this question.", name="{name}"),
                    "room": _("Room in the model"),
                    "narrow": _("Narrow the search"),
                    "narrowed": _("The search is narrowed to"),
                    "widen": _("No longer narrow to {name}", name="{name}"),
                    "tooMany": _("At most {limit} files", limit=max_files),
                    "reading": _("is being read"),
                    "tooLarge": _("The file is too large."),
                    "wrongType": _("Files of this type cannot be read."),
                },
                "draft-key": draft_key,
                "upload-url": upload_url,
                "token": token,
                "language": current_language(),
                "limits": limits,
                "max-files": max_files,
                "chip": chip,
                "model": model,
                "running": False,
                "blocked": False,
                "narrowing": False,
                "narrowed": [],
            }
        )

    def busy(self, value: bool) -> None:
        """Show the stop button instead of the send button, or the other way round."""
        self._props["running"] = value
        self.run_method("setBusy", value)

    def keep_under(self, draft_key: str) -> None:
        """Keep the draft under another key from now on."""
        self._props["draft-key"] = draft_key
        self.update()

    def block(self) -> None:
        """Take no questions (there is no model)."""
        self._props["blocked"] = True
        self.update()

    def offer(self, words: str, found: list[dict[str, Any]]) -> None:
        """The assistants that may be meant by the words after an @."""
        self.run_method("offer", words, found)

    def gauge(self, percent: int, text: str, *, full: bool) -> None:
        """How much of the model's window is taken, also in words; `full` warns."""
        self.run_method("gauge", {"percent": percent, "text": text, "full": full})

    def narrowed(self, parts: list[dict[str, str]], *, offered: bool) -> None:
        """What the search is narrowed to (key and label of each part); whether narrowing is `offered` at all."""
        self._props["narrowed"], self._props["narrowing"] = parts, offered
        self.update()

    def fill(self, text: str) -> None:
        """Write a question into the box."""
        self.run_method("fill", text)

    def give_back(self) -> None:
        """Put the question that was refused back into the box."""
        self._props["running"] = False
        self.run_method("restore")

    def handle(self, event: str, handler: Any) -> "Composer":
        """Call `handler` with the event's data."""

        async def received(e: Any) -> None:
            await handler(e.args or {})

        self.on(event, received)
        return self
