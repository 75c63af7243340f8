"""How each format is read. Runs only in the sandboxed child process (see `app.ingestion.child`)."""

import csv
import email
import email.policy
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.kernel.errors import N_, CorruptFile, EncryptedFile, UnreadableFile
from domain.knowledge.parsing import Block, ParsedDocument, language_of

MAX_PAGES = 5_000
MAX_CHARACTERS = 30_000_000
MAX_UNPACKED = 600 * 1024 * 1024
MAX_RATIO = 200
TOO_MANY_PAGES = N_("The document has {pages} pages; at most {limit} can be read. Split it and upload the parts.")
TOO_LONG = N_("The document holds more text than can be read at once. Split it and upload the parts.")
TOO_LARGE_UNPACKED = N_("The file grows too large when it is unpacked.")
NO_PAGES = N_("The document has no pages.")


@dataclass
class Builder:
    """Collects text and its blocks in reading order."""

    parts: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    length: int = 0
    path: list[tuple[int, str]] = field(default_factory=list)

    def add(self, kind: str, text: str, page: int | None = None) -> None:
        """Append a block; empty ones are left out."""
        text = clean(text)
        if not text.strip():
            return
        if self.length + len(text) > MAX_CHARACTERS:
            raise UnreadableFile(TOO_LONG)
        start = self.length
        self.parts += [text, "\n\n"]
        self.length += len(text) + 2
        heading_path = tuple(title for _, title in self.path)
        self.blocks.append(Block(kind, start, start + len(text), page, heading_path))

    def heading(self, level: int, text: str, page: int | None = None) -> None:
        """Append a heading and make it the place of what follows."""
        text = " ".join(clean(text).split())
        if not text:
            return
        self.path = [(known, title) for known, title in self.path if known < level] + [(level, text[:200])]
        self.add("heading", text, page)

    def document(self, media_type: str, title: str | None = None) -> ParsedDocument:
        """What was collected."""
        return ParsedDocument("".join(self.parts), self.blocks, media_type, title)


# Control characters, and those that nobody sees but that split words: soft hyphens, zero-width spaces, byte order marks.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")
_LEADERS = re.compile(r"(?:[ \t]*\.){4,}")


def clean(text: str) -> str:
    """Without control characters, with plain line ends and whole surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _CONTROL.sub("", text)


def decode(data: bytes) -> str:
    """Text in UTF-8 or UTF-16, else in Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def check_zip(path: Path) -> None:
    """Refuse archives that are damaged or unpack to far more than they are."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        if path.read_bytes()[:4] == b"\xd0\xcf\x11\xe0":
            raise EncryptedFile from error
        raise CorruptFile from error
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_UNPACKED or (unpacked > 50_000_000 and unpacked > MAX_RATIO * max(1, path.stat().st_size)):
        raise UnreadableFile(TOO_LARGE_UNPACKED)
    if any(member.flag_bits & 1 for member in members):
        raise EncryptedFile


def read_pdf(path: Path, media_type: str) -> ParsedDocument:
    """Page by page; line-end hyphens joined, the outline as headings."""
    import pypdfium2 as pdfium

    try:
        pdf = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedFile from error
        raise CorruptFile from error
    pages = len(pdf)
    if pages == 0:
        raise UnreadableFile(NO_PAGES)
    if pages > MAX_PAGES:
        raise UnreadableFile(TOO_MANY_PAGES, pages=pages, limit=MAX_PAGES)
    outline = _outline(pdf)
    builder = Builder()
    starts, empty = [], []
    for number in range(1, pages + 1):
        builder.path = outline.get(number, builder.path)
        starts.append(builder.length)
        text = page_text(pdf, number - 1)
        if not text.strip():
            empty.append(number)
        for paragraph in _paragraphs(text):
            builder.add("paragraph", paragraph, number)
    document = builder.document(media_type, (pdf.get_metadata_dict().get("Title") or "").strip() or None)
    document.page_count, document.page_starts, document.pages_without_text = pages, starts, empty
    return document


def page_text(pdf: Any, index: int) -> str:
    """The text of a page as the reader takes it in."""
    page = pdf[index]
    try:
        textpage = page.get_textpage()
        try:
            raw = str(textpage.get_text_range())
        finally:
            textpage.close()
    finally:
        page.close()
    # pdfium marks a hyphen at a line's end with U+FFFE (or U+0002): the word goes on in the next line.
    # The dots that lead to a page number in a table of contents say nothing.
    return _LEADERS.sub(" …", clean(re.sub("[￾\x02]\\s*", "", raw)))


def _outline(pdf: Any) -> dict[int, list[tuple[int, str]]]:
    places: dict[int, list[tuple[int, str]]] = {}
    path: list[tuple[int, str]] = []
    try:
        for count, item in enumerate(pdf.get_toc(max_depth=4)):
            destination = item.get_dest()
            index = destination.get_index() if destination else None
            title = " ".join(clean(item.get_title() or "").split())[:200]
            if index is None or not title or count > 5_000:
                continue
            path = [(level, name) for level, name in path if level < item.level] + [(item.level, title)]
            places[index + 1] = list(path)
    except Exception:
        # A damaged outline is no reason not to read the text.
        return places
    return places


def _paragraphs(text: str) -> Iterator[str]:
    """PDF has lines, not paragraphs: a short line that ends a sentence ends a paragraph."""
    lines = text.split("\n")
    usual = sorted(len(line) for line in lines if line.strip())
    width = usual[int(len(usual) * 0.8)] if usual else 0
    collected: list[str] = []
    for line in lines:
        collected.append(line.rstrip())
        ends = line.rstrip().endswith((".", ":", "!", "?")) and len(line) < 0.8 * width
        if not line.strip() or ends or sum(map(len, collected)) > 1_500:
            yield "\n".join(collected)
            collected = []
    yield "\n".join(collected)


def read_docx(path: Path, media_type: str) -> ParsedDocument:
    """Paragraphs and tables in order; heading styles make the heading path."""
    import docx
    from docx.table import Table

    check_zip(path)
    source = docx.Document(str(path))
    builder = Builder()
    for item in source.iter_inner_content():
        if isinstance(item, Table):
            builder.add("table", _rows([[cell.text for cell in row.cells] for row in item.rows]))
            continue
        style = (item.style.name if item.style is not None else "") or ""
        level = re.match(r"(?:Heading|Rubrik) (\d)", style)
        if level or style == "Title":
            builder.heading(int(level[1]) if level else 1, item.text)
        else:
            builder.add("list" if style.startswith("List") else "paragraph", item.text)
    return builder.document(media_type, source.core_properties.title or None)


def _rows(rows: list[list[str]]) -> str:
    lines = []
    for row in rows:
        cells: list[str] = []
        for cell in row:
            value = " ".join(cell.split())
            # A merged cell is reported once for each column it spans.
            if not cells or value != cells[-1]:
                cells.append(value)
        lines.append(" | ".join(cells))
    return "\n".join(line for line in lines if line.strip(" |"))


def read_pptx(path: Path, media_type: str) -> ParsedDocument:
    """Slide by slide (a slide is a page), with tables and notes."""
    from pptx import Presentation

    check_zip(path)
    builder, starts, empty = Builder(), [], []
    slides = list(Presentation(str(path)).slides)
    for number, slide in enumerate(slides, 1):
        starts.append(builder.length)
        before, title = builder.length, slide.shapes.title
        if title is not None:
            builder.heading(1, title.text_frame.text, number)
        for shape in _shapes(slide.shapes):
            if title is not None and shape.shape_id == title.shape_id:
                continue
            if shape.has_text_frame:
                builder.add("paragraph", shape.text_frame.text, number)
            elif getattr(shape, "has_table", False):
                rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
                builder.add("table", _rows(rows), number)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            builder.add("paragraph", slide.notes_slide.notes_text_frame.text, number)
        if builder.length == before:
            empty.append(number)
    document = builder.document(media_type)
    document.page_count, document.page_starts, document.pages_without_text = len(slides), starts, empty
    return document


def _shapes(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def read_sheets(path: Path, media_type: str) -> ParsedDocument:
    """Sheet by sheet; each row names its columns, so that it can be understood alone."""
    from python_calamine import CalamineWorkbook

    if media_type != "application/vnd.ms-excel":
        check_zip(path)
    workbook = CalamineWorkbook.from_path(str(path))
    builder = Builder()
    for name in workbook.sheet_names:
        builder.heading(1, name)
        rows = [[_cell(value) for value in row] for row in workbook.get_sheet_by_name(name).to_python()]
        _table(builder, [row for row in rows if any(row)])
    return builder.document(media_type)


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())


def _table(builder: Builder, rows: list[list[str]]) -> None:
    header = rows[0] if rows else []
    for first in range(1 if len(rows) > 1 else 0, len(rows), 20):
        lines = []
        for row in rows[first : first + 20]:
            pairs = [f"{h}: {v}" if h else v for h, v in zip(header, row, strict=False) if v] if len(rows) > 1 else row
            lines.append(" | ".join(pairs))
        builder.add("table", "\n".join(lines))


def read_odt(path: Path, media_type: str) -> ParsedDocument:
    """Headings, paragraphs and tables of an OpenDocument text."""
    from lxml import etree

    check_zip(path)
    with zipfile.ZipFile(path) as archive:
        content = archive.read("content.xml")
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    space = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
    table = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
    builder = Builder()
    for element in root.iter(f"{space}h", f"{space}p", f"{table}table"):
        inside = any(parent.tag == f"{table}table" for parent in element.iterancestors())
        if element.tag == f"{table}table":
            cells = [
                ["".join(cell.itertext()) for cell in row.iter(f"{table}table-cell")]
                for row in element.iter(f"{table}table-row")
            ]
            builder.add("table", _rows(cells))
        elif not inside and element.tag == f"{space}h":
            builder.heading(int(element.get(f"{space}outline-level", "1")), "".join(element.itertext()))
        elif not inside:
            builder.add("paragraph", "".join(element.itertext()))
    return builder.document(media_type)


_NOISE = (
    "script, style, noscript, template, nav, footer, header nav, aside, form, iframe, svg, [hidden], [aria-hidden=true]"
)


def read_html(path: Path, media_type: str) -> ParsedDocument:
    """The content of a page without navigation and scripts."""
    return html_document(decode(path.read_bytes()), media_type)


def html_document(source: str, media_type: str) -> ParsedDocument:
    """As `read_html`, from text."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(source)
    title = tree.css_first("title")
    for node in tree.css(_NOISE):
        node.decompose()
    root = tree.css_first("main") or tree.css_first("article") or tree.body
    builder = Builder()
    if root is not None:
        _html_node(builder, root)
    return builder.document(media_type, title.text(strip=True) if title is not None else None)


_BLOCKS = frozenset(
    "address article blockquote body center dd details dialog div dl dt fieldset figcaption figure h1 h2 h3 h4 h5 h6 "
    "header hgroup hr li main ol p pre section summary table ul".split()
)
_ANY_BLOCK = ", ".join(sorted(_BLOCKS))


def _html_node(builder: Builder, node: Any) -> None:
    """The text of a block element: what stands between its inner blocks, and those in turn."""
    kind = "list" if node.tag == "li" else "paragraph"
    collected: list[str] = []

    def flush() -> None:
        builder.add(kind, " ".join("".join(collected).split()))
        collected.clear()

    for child in node.iter(include_text=True):
        if child.tag in _BLOCKS:
            flush()
            _html_block(builder, child)
        elif child.tag == "br":
            collected.append(" ")
        elif child.css_first(_ANY_BLOCK) is not None:
            flush()
            _html_node(builder, child)
        else:
            collected.append(child.text(separator="") or "")
    flush()


def _html_block(builder: Builder, node: Any) -> None:
    tag = node.tag
    if tag[0] == "h" and tag[1:].isdigit():
        builder.heading(int(tag[1]), node.text(separator=""))
    elif tag == "table":
        rows = [[cell.text(separator=" ") for cell in row.css("th, td")] for row in node.css("tr")]
        builder.add("table", _rows(rows))
    elif tag == "pre":
        builder.add("code", node.text())
    else:
        _html_node(builder, node)


_FENCE = re.compile(r"^(```|~~~)")


def read_markdown(path: Path, media_type: str) -> ParsedDocument:
    """Headings outside of code fences; blocks between empty lines."""
    builder, fenced = Builder(), False
    collected: list[str] = []

    def flush() -> None:
        text = "\n".join(collected)
        kind = "code" if _FENCE.match(text) else "table" if text.startswith("|") else "paragraph"
        builder.add(kind, text)
        collected.clear()

    for line in clean(decode(path.read_bytes())).split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else re.match(r"(#{1,6})\s+(.*?)\s*#*$", line)
        if heading:
            flush()
            builder.heading(len(heading[1]), heading[2])
        elif not line.strip() and not fenced:
            flush()
        else:
            collected.append(line)
    flush()
    return builder.document(media_type)


def read_text(path: Path, media_type: str) -> ParsedDocument:
    """Blocks between empty lines."""
    return parse_text(decode(path.read_bytes()), media_type)


def parse_text(text: str, media_type: str = "text/plain") -> ParsedDocument:
    """Plain text: blocks between empty lines."""
    builder = Builder()
    for paragraph in re.split(r"\n\s*\n", clean(text)):
        builder.add("paragraph", paragraph.strip("\n"))
    document = builder.document(media_type)
    document.language = language_of(document.text)
    return document


def read_csv(path: Path, media_type: str) -> ParsedDocument:
    """Rows that name their columns; the separator is found out."""
    source = clean(decode(path.read_bytes()))
    try:
        dialect: Any = csv.Sniffer().sniff(source[:10_000], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(1_000_000)
    rows = [[_cell(value) for value in row] for row in csv.reader(io.StringIO(source), dialect)]
    builder = Builder()
    _table(builder, [row for row in rows if any(row)])
    return builder.document(media_type)


def read_email(path: Path, media_type: str) -> ParsedDocument:
    """Head and body of a message; attached files are named."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    builder = Builder()
    subject = str(message.get("Subject") or "")
    builder.heading(1, subject)
    head = [f"{name}: {message[name]}" for name in ("From", "To", "Cc", "Date") if message[name]]
    builder.add("paragraph", "\n".join(head))
    body = message.get_body(preferencelist=("plain", "html"))
    if body is not None:
        content = body.get_content()
        if body.get_content_type() == "text/html":
            content = html_document(content, "text/html").text
        for paragraph in re.split(r"\n\s*\n", content):
            builder.add("paragraph", paragraph.strip("\n"))
    names = [name for part in message.iter_attachments() if (name := part.get_filename())]
    builder.add("list", "\n".join(names))
    return builder.document(media_type, subject or None)


READERS: dict[str, Callable[[Path, str], ParsedDocument]] = {
    "pdf": read_pdf,
    "docx": read_docx,
    "pptx": read_pptx,
    "xlsx": read_sheets,
    "xls": read_sheets,
    "ods": read_sheets,
    "odt": read_odt,
    "html": read_html,
    "htm": read_html,
    "md": read_markdown,
    "txt": read_text,
    "csv": read_csv,
    "eml": read_email,
}
