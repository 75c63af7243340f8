"""A conversation as a Word document. All of it is text in runs: no fields, no links, no pictures."""

import io
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from app.transcripts import words
from app.transcripts.blocks import blocks
from domain.conversations.transcripts import Transcript
from domain.conversations.views import MessageView
from pages.i18n import translate

DEEPEST = 3
"""Lists within lists are indented so far."""
MONOSPACED = "Consolas"


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
        _exchange(document, view, language, transcript.zone)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def _exchange(document: Any, view: MessageView, language: str, zone: tzinfo) -> None:
    message = view.message
    document.add_heading(words.asked(view, language, zone), 1)
    for line in words.clean(message.question).split("\n"):
        document.add_paragraph(line)
    if view.files:
        names = ", ".join(words.one_line(file.name) for file in view.files)
        document.add_paragraph(f"{translate('Attached files', language)}: {names}")
    document.add_heading(f"{translate('Answer', language)} · {words.answered_by(message, language, zone)}", 1)
    put(document, words.clean(message.answer))
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


def put(document: Any, markdown: str) -> None:
    """Add a text in Markdown to the end of a document."""
    _blocks(document, blocks(markdown))


def _blocks(document: Any, found: Sequence[dict[str, Any]], style: str | None = None, depth: int = 1) -> None:
    for block in found:
        match block["kind"]:
            case "paragraph":
                _runs(document.add_paragraph(style=style), block["parts"])
            case "heading":
                _runs(document.add_heading("", block["level"]), block["parts"])
            case "list":
                for item in block["items"]:
                    _item(document, item, "List Bullet", "", depth)
            case "numbers":
                for number, item in enumerate(block["items"], block["start"]):
                    _item(document, item, "List Continue", f"{number}. ", depth)
            case "quote":
                _blocks(document, block["items"], "Quote", depth)
            case "code":
                document.add_paragraph(style=style).add_run(block["text"]).font.name = MONOSPACED
            case "table":
                _table(document, block)


def _item(document: Any, item: Sequence[dict[str, Any]], name: str, mark: str, depth: int) -> None:
    """A line of a list, and what stands below it. Numbers are text: those of Word would run on from list to list."""
    level = "" if depth == 1 else f" {min(depth, DEEPEST)}"
    first, rest = (item[0], item[1:]) if item and item[0]["kind"] == "paragraph" else ({"parts": []}, item)
    paragraph = document.add_paragraph(mark, style=f"{name}{level}")
    _runs(paragraph, first["parts"])
    _blocks(document, rest, f"List Continue{level}", depth + 1)


def _table(document: Any, block: dict[str, Any]) -> None:
    rows = [block["head"], *([cell["parts"] for cell in row] for row in block["rows"])]
    table = document.add_table(len(rows), block["columns"], style="Table Grid")
    for row, line in zip(rows, table.rows, strict=True):
        for parts, cell in zip(row, line.cells, strict=True):
            _runs(cell.paragraphs[0], parts, strong=row is rows[0])
    document.add_paragraph()


def _runs(paragraph: Any, parts: Sequence[dict[str, Any]], *, strong: bool = False) -> None:
    for part in parts:
        if part["kind"] == "break":
            paragraph.add_run().add_break()
            continue
        run = paragraph.add_run(part["text"])
        run.bold, run.italic = part.get("strong") or strong or None, part.get("emph") or None
        run.font.strike = part.get("strike") or None
        if part["kind"] == "code":
            run.font.name = MONOSPACED
        if part.get("url") and part["url"] != part["text"]:
            paragraph.add_run(f" ({part['url']})")
