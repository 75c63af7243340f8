"""A conversation as a Word document. All of it is text in runs: no fields, no links, no pictures."""

import io
import re
from typing import Any

from app.transcripts import words
from domain.conversations.transcripts import Transcript
from domain.conversations.views import MessageView
from pages.i18n import translate

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_STYLES = (
    (re.compile(r"^\s*[-*•]\s+(?=\S)"), "List Bullet"),
    (re.compile(r"^#{1,6}\s+(?=\S)"), "Heading 3"),
)
"""Beginnings of lines that stand for a style; the rest of the Markdown stays as it is written."""


def written(transcript: Transcript, language: str) -> bytes:
    """The transcript as the content of a .docx file."""
    import docx

    document = docx.Document()
    document.core_properties.title = words.one_line(transcript.conversation.name)[:250]
    document.core_properties.author = ""
    document.add_heading(words.one_line(transcript.conversation.name), 0)
    for name, value in words.about(transcript, language):
        document.add_paragraph(f"{name}: {value}")
    if not transcript.complete:
        document.add_paragraph(translate("The oldest questions of this long conversation are not included.", language))
    for view in transcript.messages:
        _exchange(document, view, language)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def _exchange(document: Any, view: MessageView, language: str) -> None:
    message = view.message
    asked = f"{translate('Question', language)} · {message.created_at:%Y-%m-%d %H:%M} UTC"
    document.add_heading(f"{asked}{words.version(view, language)}", 1)
    for line in words.clean(message.question).split("\n"):
        document.add_paragraph(line)
    if view.files:
        names = ", ".join(words.one_line(file.name) for file in view.files)
        document.add_paragraph(f"{translate('Attached files', language)}: {names}")
    document.add_heading(f"{translate('Answer', language)} · {words.answered_by(message, language)}", 1)
    for line in words.clean(message.answer).split("\n"):
        if line.strip():
            _line(document, line)
    if words.state(message, language):
        document.add_paragraph().add_run(words.state(message, language)).italic = True
    sources = words.cited(view.sources)
    if sources:
        document.add_heading(translate("Sources", language), 2)
    for source in sources:
        head = document.add_paragraph()
        head.add_run(f"[{source.number}] {words.source_title(source, language)}").bold = True
        if words.address(source):
            head.add_run(f" · {words.address(source)}")
        document.add_paragraph(words.clean(source.text), style="Quote")


def _line(document: Any, line: str) -> None:
    style = None
    for pattern, name in _STYLES:
        found = pattern.match(line)
        if found:
            line, style = line[found.end() :], name
            break
    paragraph = document.add_paragraph(style=style)
    for index, part in enumerate(_BOLD.split(line)):
        paragraph.add_run(part).bold = True if index % 2 else None
