"""How each format is read. Runs only in the sandboxed child process (see `app.ingestion.child`)."""

import csv
import html
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.ingestion.tables import Rows, parts_of
from domain.kernel.errors import N_, CorruptFile, EncryptedFile, UnreadableFile
from domain.knowledge.parsing import Block, ParsedDocument, language_of

MAX_PAGES = 5_000
MAX_CHARACTERS = 30_000_000
MAX_UNPACKED = 600 * 1024 * 1024
MAX_RATIO = 200
THIN = 20
"""A page with fewer characters than this and a picture is a scan: what text it has is a stamp or a page number."""
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

    def add(self, kind: str, text: str, page: int | None = None, header: str = "") -> None:
        """Append a block; empty ones are left out. `header` names the columns of a table."""
        text = clean(text)
        if not text.strip():
            return
        if self.length + len(text) > MAX_CHARACTERS:
            raise UnreadableFile(TOO_LONG)
        start = self.length
        self.parts += [text, "\n\n"]
        self.length += len(text) + 2
        heading_path = tuple(title for _, title in self.path)
        self.blocks.append(Block(kind, start, start + len(text), page, heading_path, clean(header)))

    def heading(self, level: int, text: str, page: int | None = None) -> None:
        """Append a heading and make it the place of what follows."""
        text = " ".join(clean(text).split())
        if not text:
            return
        self.path = [(known, title) for known, title in self.path if known < level] + [(level, text[:200])]
        self.add("heading", text, page)

    def table(self, rows: list[list[str]], page: int | None = None) -> None:
        """Append a table, a row to a line; the first of several rows names the columns."""
        text = _rows(rows)
        self.add("table", text, page, text.partition("\n")[0] if "\n" in text else "")

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
        with path.open("rb") as file:
            if file.read(4) == b"\xd0\xcf\x11\xe0":
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
        parts = page_parts(pdf, number - 1)
        length = sum(len(part.strip()) if isinstance(part, str) else THIN for part in parts)
        if length < THIN and (not length or _has_picture(pdf, number - 1)):
            empty.append(number)
        for part in parts:
            if isinstance(part, str):
                for paragraph in _paragraphs(part):
                    builder.add("paragraph", paragraph, number)
            else:
                builder.table(part, number)
    document = builder.document(media_type, (pdf.get_metadata_dict().get("Title") or "").strip() or None)
    document.page_count, document.page_starts, document.pages_without_text = pages, starts, empty
    return document


def _has_picture(pdf: Any, index: int) -> bool:
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    page = pdf[index]
    try:
        return any(True for _ in page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE], max_depth=3))
    finally:
        page.close()


def page_parts(pdf: Any, index: int) -> list[str | Rows]:
    """The text of a page as the reader takes it in, and its tables as rows."""
    page = pdf[index]
    try:
        textpage = page.get_textpage()
        try:
            return [_plain(part) if isinstance(part, str) else _plain_rows(part) for part in parts_of(page, textpage)]
        finally:
            textpage.close()
    finally:
        page.close()


def _plain(raw: str) -> str:
    # pdfium marks a hyphen at a line's end with U+FFFE (or U+0002): the word goes on in the next line.
    # The dots that lead to a page number in a table of contents say nothing.
    return _LEADERS.sub(" …", clean(re.sub("[￾\x02]\\s*", "", raw)))


def _plain_rows(rows: Rows) -> Rows:
    return [[_plain(cell) for cell in row] for row in rows]


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
            builder.table([_cells(row) for row in item.rows])
            continue
        style = (item.style.name if item.style is not None else "") or ""
        level = re.match(r"(?:Heading|Rubrik) (\d)", style)
        if level or style == "Title":
            builder.heading(int(level[1]) if level else 1, item.text)
        else:
            builder.add("list" if style.startswith("List") else "paragraph", item.text)
    return builder.document(media_type, source.core_properties.title or None)


def _cells(row: Any) -> list[str]:
    """The texts of a row; a merged cell is reported once for each column it spans."""
    cells = list(row.cells)
    return [
        cell.text
        for before, cell in zip([None, *cells], cells, strict=False)
        if before is None or cell._tc is not before._tc
    ]


def _rows(rows: list[list[str]]) -> str:
    lines = [" | ".join(" ".join(cell.split()) for cell in row) for row in rows]
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
                rows = [[cell.text for cell in row.cells if not cell.is_spanned] for row in shape.table.rows]
                builder.table(rows, number)
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
        builder.add("table", "\n".join(lines), header=" | ".join(filter(None, header)) if len(rows) > 1 else "")


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
            builder.table(cells)
        elif not inside and element.tag == f"{space}h":
            builder.heading(int(element.get(f"{space}outline-level", "1")), "".join(element.itertext()))
        elif not inside:
            builder.add("paragraph", "".join(element.itertext()))
    return builder.document(media_type)


DEEPEST, BOTTOMLESS = 200, 5_000
"""Elements that stand deeper in each other are read as plain text; a page that goes deeper still is no tree at all."""
_NOISE = (
    "script, style, noscript, template, nav, footer, header nav, aside, form, iframe, svg, [hidden], [aria-hidden=true]"
)


def read_html(path: Path, media_type: str) -> ParsedDocument:
    """The content of a page without navigation and scripts."""
    return html_document(decode(path.read_bytes()), media_type)


def html_document(source: str, media_type: str) -> ParsedDocument:
    """As `read_html`, from text."""
    builder = Builder()
    title = html_into(builder, source)
    return builder.document(media_type, title)


def html_into(builder: Builder, source: str) -> str | None:
    """Append the content of a page; its title."""
    from selectolax.lexbor import LexborHTMLParser

    if _bottomless(source):
        text_into(builder, re.sub(r"[ \t]+", " ", html.unescape(_TAGS.sub(" ", source))))
        return None
    tree = LexborHTMLParser(source)
    title = tree.css_first("title")
    for node in tree.css(_NOISE):
        node.decompose()
    root = tree.css_first("main") or tree.css_first("article") or tree.body
    if root is not None:
        _html_node(builder, root)
    return title.text(strip=True) if title is not None else None


_BLOCKS = frozenset(
    "address article blockquote body center dd details dialog div dl dt fieldset figcaption figure h1 h2 h3 h4 h5 h6 "
    "header hgroup hr li main ol p pre section summary table ul".split()
)
_ANY_BLOCK = ", ".join(sorted(_BLOCKS))


_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
_CLOSE_THEMSELVES = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th thead tbody tfoot "
    "option".split()
)


def _bottomless(source: str) -> bool:
    """Whether so many elements stand in each other that building a tree of them would take for ever."""
    depth = 0
    for closing, name in _TAG.findall(source):
        if name.lower() not in _CLOSE_THEMSELVES:
            depth = max(0, depth + (-1 if closing else 1))
            if depth > BOTTOMLESS:
                return True
    return False


def _html_node(builder: Builder, node: Any, depth: int = 0) -> None:
    """The text of a block element: what stands between its inner blocks, and those in turn."""
    if depth > DEEPEST:
        builder.add("paragraph", " ".join((node.text(separator=" ") or "").split()))
        return
    kind = "list" if node.tag == "li" else "paragraph"
    collected: list[str] = []

    def flush() -> None:
        builder.add(kind, " ".join("".join(collected).split()))
        collected.clear()

    for child in node.iter(include_text=True):
        if child.tag in _BLOCKS:
            flush()
            _html_block(builder, child, depth)
        elif child.tag == "br":
            collected.append(" ")
        elif child.css_first(_ANY_BLOCK) is not None:
            flush()
            _html_node(builder, child, depth + 1)
        else:
            collected.append(child.text(separator="") or "")
    flush()


def _html_block(builder: Builder, node: Any, depth: int) -> None:
    tag = node.tag
    if tag[0] == "h" and tag[1:].isdigit():
        builder.heading(int(tag[1]), node.text(separator=""))
    elif tag == "table":
        builder.table([[cell.text(separator=" ") for cell in row.css("th, td")] for row in node.css("tr")])
    elif tag == "pre":
        builder.add("code", node.text())
    else:
        _html_node(builder, node, depth + 1)


_FENCE = re.compile(r"^(```|~~~)")


def read_markdown(path: Path, media_type: str) -> ParsedDocument:
    """Headings outside of code fences; blocks between empty lines."""
    builder = Builder()
    markdown_into(builder, decode(path.read_bytes()))
    return builder.document(media_type)


def markdown_into(builder: Builder, source: str) -> None:
    """Append the blocks of a text in Markdown."""
    fenced = False
    collected: list[str] = []

    def flush() -> None:
        text = "\n".join(collected)
        kind = "code" if _FENCE.match(text) else "table" if text.startswith("|") else "paragraph"
        builder.add(kind, text, header=collected[0] if kind == "table" and len(collected) > 1 else "")
        collected.clear()

    for line in clean(source).split("\n"):
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


def read_text(path: Path, media_type: str) -> ParsedDocument:
    """Blocks between empty lines."""
    return parse_text(decode(path.read_bytes()), media_type)


def parse_text(text: str, media_type: str = "text/plain") -> ParsedDocument:
    """Plain text: blocks between empty lines."""
    builder = Builder()
    text_into(builder, text)
    document = builder.document(media_type)
    document.language = language_of(document.text)
    return document


def text_into(builder: Builder, source: str) -> None:
    """Append the blocks of a plain text."""
    for paragraph in re.split(r"\n\s*\n", clean(source)):
        builder.add("paragraph", paragraph.strip("\n"))


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
