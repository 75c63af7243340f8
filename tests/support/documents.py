"""Small real files of every format that can be read, and hostile ones, made in code."""

import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from email.message import EmailMessage

Rows = Sequence[Sequence[str]]
_SHEET_SPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_OPEN = "urn:oasis:names:tc:opendocument:xmlns:"
_XML = '<?xml version="1.0" encoding="UTF-8"?>'


def _escaped(text: str) -> bytes:
    """A PDF string in WinAnsi encoding."""
    encoded = text.encode("cp1252")
    return encoded.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _pdf_file(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A PDF file of numbered objects, the first of which is the catalogue."""
    output = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(output))
        output += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(output)
    output += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        output += b"%010d 00000 n \n" % place
    output += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(output)


def _stream(data: bytes, detail: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), detail, data)


def _page_content(text: str) -> bytes:
    lines = [b"(" + _escaped(line) + b") Tj T*" for line in text.split("\n")]
    return b"BT /F1 12 Tf 16 TL 72 770 Td\n" + b"\n".join(lines) + b"\nET"


def pdf(
    pages: Sequence[str], *, title: str = "", outline: Sequence[tuple[str, int]] = (), trailer: bytes = b""
) -> bytes:
    """A PDF with a page for each text, one line for each of its lines; `outline` is (heading, page from 1)."""
    objects: list[bytes] = [b""] * 4
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    kids = []
    for text in pages:
        kids.append(len(objects) + 1)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % (len(objects) + 2)
        )
        objects.append(_stream(_page_content(text)))
    first = len(objects) + 1
    for index, (heading, page) in enumerate(outline):
        following = b"/Next %d 0 R" % (first + index + 1) if index + 1 < len(outline) else b""
        objects.append(
            b"<< /Title (%s) /Parent 4 0 R /Dest [%d 0 R /Fit] %s >>" % (_escaped(heading), kids[page - 1], following)
        )
    last = first + len(outline) - 1
    marks = b"/First %d 0 R /Last %d 0 R /Count %d" % (first, last, len(outline)) if outline else b""
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R %s >>" % (b"/Outlines 4 0 R" if outline else b"")
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % k for k in kids))
    objects[2], objects[3] = font, b"<< /Type /Outlines %s >>" % marks
    if title:
        objects.append(b"<< /Title (%s) >>" % _escaped(title))
        trailer += b" /Info %d 0 R" % len(objects)
    return _pdf_file(objects, trailer)


def pdf_with_table(above: str, rows: Rows, below: str, *, merged: Sequence[tuple[int, int]] = ()) -> bytes:
    """A PDF of one page with a ruled table; no line stands before the cells (row, column) of `merged`."""
    width, height, left, top = 150, 30, 60, 740
    right, bottom = left + width * len(rows[0]), top - height * len(rows)
    drawn = [b"BT /F1 12 Tf %d %d Td (%s) Tj ET" % (left, top + 20, _escaped(above))]
    drawn += [b"%d %d m %d %d l S" % (left, y, right, y) for y in range(bottom, top + 1, height)]
    for number, row in enumerate(rows):
        low, high = top - height * (number + 1), top - height * number
        for column in range(len(row) + 1):
            if (number, column) not in merged:
                drawn.append(b"%d %d 0.5 %d re f" % (left + width * column, low, high - low))
        for column, text in enumerate(row):
            lines = b" T* ".join(b"(%s) Tj" % _escaped(line) for line in text.split("\n"))
            drawn.append(b"BT /F1 10 Tf 11 TL %d %d Td %s ET" % (left + width * column + 5, high - 12, lines))
    drawn.append(b"BT /F1 12 Tf %d %d Td (%s) Tj ET" % (left, bottom - 30, _escaped(below)))
    return _pdf_of([b"\n".join(drawn)])


def pdf_with_frame(text: str) -> bytes:
    """A PDF of one page whose text stands in a frame with a line under its heading."""
    frame = b"50 60 500 740 re S 50 740 m 550 740 l S 300 60 m 300 740 l S\n"
    return _pdf_of([frame + _page_content(text)])


def _pdf_of(contents: Sequence[bytes]) -> bytes:
    """A PDF of pages with these contents."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    kids = []
    for content in contents:
        kids.append(b"%d 0 R" % (len(objects) + 1))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % (len(objects) + 2)
        )
        objects.append(_stream(content))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    return _pdf_file(objects)


def pdf_of_pages(count: int) -> bytes:
    """A PDF of `count` empty pages, small even when they are thousands."""
    objects = [b"", b""]
    for _ in range(count):
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>")
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    kids = b" ".join(b"%d 0 R" % (number + 3) for number in range(count))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, kids)
    return _pdf_file(objects)


def encrypted_pdf() -> bytes:
    """A PDF whose dictionary says that it is encrypted with a password nobody knows."""
    values = b"<" + bytes(range(32)).hex().encode() + b">"
    encrypt = b"/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O %s /U %s >>" % (values, values)
    name = b"<" + bytes(range(16)).hex().encode() + b">"
    return pdf(["Hemlig text"], trailer=encrypt + b" /ID [%s %s]" % (name, name))


def flate_bomb_pdf(size: int = 1024**3) -> bytes:
    """A PDF whose page is packed twice and unpacks to `size` bytes of spaces."""
    packer = zlib.compressobj(9)
    block = b" " * (1 << 20)
    packed = b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>"
    content = _stream(zlib.compress(packed, 9), b"/Filter [/FlateDecode /FlateDecode]")
    pages = b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
    return _pdf_file([b"<< /Type /Catalog /Pages 2 0 R >>", pages, page, content])


def png() -> bytes:
    """A picture of one white pixel."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = part(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + part(b"IDAT", zlib.compress(b"\x00\xff")) + part(b"IEND", b"")


def docx(blocks: Sequence[tuple[str, str]], *, table: Rows = (), title: str = "") -> bytes:
    """A Word file of (style, text) paragraphs, followed by a table."""
    from docx import Document

    document = Document()
    document.core_properties.title = title
    for style, text in blocks:
        document.add_paragraph(text, style=style)
    if table:
        grid = document.add_table(len(table), len(table[0]))
        for row, values in zip(grid.rows, table, strict=True):
            for cell, value in zip(row.cells, values, strict=True):
                cell.text = value
    output = io.BytesIO()
    document.save(output)
    return output.getvalue()


def pptx(slides: Sequence[tuple[str, str]], *, notes: str = "") -> bytes:
    """A presentation of (title, body) slides; the first slide gets the notes."""
    from pptx import Presentation

    presentation = Presentation()
    for title, body in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
        if notes and len(presentation.slides) == 1:
            slide.notes_slide.notes_text_frame.text = notes
    output = io.BytesIO()
    presentation.save(output)
    return output.getvalue()


def _zipped(members: dict[str, str | bytes]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return output.getvalue()


def xlsx(sheet: str, rows: Rows) -> bytes:
    """A workbook of one sheet with text in its cells."""
    lines = []
    for number, row in enumerate(rows, 1):
        cells = [
            f'<c r="{chr(65 + column)}{number}" t="inlineStr"><is><t>{value}</t></is></c>'
            for column, value in enumerate(row)
        ]
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml."
    relations = f'<Relationships xmlns="{_PACKAGE}/relationships">'
    return _zipped(
        {
            "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{types}sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}worksheet+xml"/></Types>',
            "_rels/.rels": f'{_XML}{relations}<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'{_XML}<workbook xmlns="{_SHEET_SPACE}" xmlns:r="{_OFFICE}"><sheets>'
            f'<sheet name="{sheet}" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'{_XML}{relations}<Relationship Id="rId1" Type="{_OFFICE}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": f'{_XML}<worksheet xmlns="{_SHEET_SPACE}"><sheetData>{"".join(lines)}'
            "</sheetData></worksheet>",
        }
    )


def _open_document(media_type: str, body: str) -> bytes:
    spaces = " ".join(f'xmlns:{name}="{_OPEN}{name}:1.0"' for name in ("office", "text", "table", "manifest"))
    manifest = (
        f'<manifest:manifest {spaces}><manifest:file-entry manifest:full-path="/" manifest:media-type="{media_type}"/>'
    )
    return _zipped(
        {
            "mimetype": media_type,
            "META-INF/manifest.xml": f"{_XML}{manifest}</manifest:manifest>",
            "content.xml": f"{_XML}<office:document-content {spaces}><office:body>{body}</office:body>"
            "</office:document-content>",
        }
    )


def _open_table(name: str, rows: Rows) -> str:
    def cell(value: str) -> str:
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'

    lines = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    return f'<table:table table:name="{name}">{lines}</table:table>'


def ods(sheet: str, rows: Rows) -> bytes:
    """An OpenDocument spreadsheet of one sheet."""
    body = f"<office:spreadsheet>{_open_table(sheet, rows)}</office:spreadsheet>"
    return _open_document("application/vnd.oasis.opendocument.spreadsheet", body)


def odt(blocks: Sequence[tuple[int, str]], *, table: Rows = ()) -> bytes:
    """An OpenDocument text of (level, text): level 0 is a paragraph, higher ones are headings."""
    parts = [
        f'<text:h text:outline-level="{level}">{text}</text:h>' if level else f"<text:p>{text}</text:p>"
        for level, text in blocks
    ]
    if table:
        parts.append(_open_table("Tabell", table))
    return _open_document("application/vnd.oasis.opendocument.text", f"<office:text>{''.join(parts)}</office:text>")


def csv_file(rows: Rows, separator: str = ";") -> bytes:
    """Rows in Windows-1252, as Swedish Excel writes them."""
    output = io.StringIO()
    csv.writer(output, delimiter=separator).writerows(rows)
    return output.getvalue().encode("cp1252")


def eml(subject: str, body: str, *, attached: Sequence[str] = (), html: bool = False) -> bytes:
    """A message with named attachments."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "anna@example.se", "registrator@example.se"
    message["Date"] = "Mon, 12 Jan 2026 09:00:00 +0100"
    message.set_content(body, subtype="html" if html else "plain")
    for name in attached:
        message.add_attachment(b"innehall", maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def zip_bomb_docx(size: int = 100 * 1024**2) -> bytes:
    """A Word file whose text unpacks to `size` bytes."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as member:
            for _ in range(size >> 20):
                member.write(b" " * (1 << 20))
    return output.getvalue()
