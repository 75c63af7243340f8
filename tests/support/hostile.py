"""A hundred files that mean harm or are broken, made anew each time and always the same."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator

from tests.support import documents, more_documents
from tests.support.documents import Rows

ROWS: Rows = [["Namn", "Ort"], ["Åsa", "Östersund"]]
TEXT = "Det här är en text som handlar om bygglov. "


def good() -> dict[str, bytes]:
    """A sound file of each kind that is later broken."""
    return {
        "pdf": documents.pdf([f"{TEXT}{n}" for n in range(5)], title="Plan"),
        "docx": documents.docx([("Heading 1", "Bygglov"), ("Normal", TEXT)], table=ROWS),
        "pptx": documents.pptx([("Budget", TEXT)], notes="Anteckning"),
        "xlsx": documents.xlsx("Blad", ROWS),
        "ods": documents.ods("Blad", ROWS),
        "odt": documents.odt([(1, "Bygglov"), (0, TEXT)], table=ROWS),
        "epub": more_documents.epub("Bok", [("Ett", TEXT)]),
        "msg": more_documents.msg("Ärende", TEXT, attached=["a.pdf"]),
        "rtf": more_documents.rtf([TEXT], ROWS),
        "eml": documents.eml("Ärende", TEXT, attached=["a.pdf"]),
        "zip": more_documents.zip_of({"a.txt": TEXT.encode(), "b.md": b"# B"}),
        "png": more_documents.scan(TEXT[:20]),
        "tif": more_documents.scan(TEXT[:20], "TIFF"),
    }


def files() -> dict[str, bytes]:
    """A hundred files by name; no two have the same content."""
    found = dict([*_broken(), *_wrong(), *_bombs(), *_xml(), *_archives(), *_texts(), *_pictures(), *_loops()])
    assert len(found) == len(set(found.values()))
    return found


def _broken() -> Iterator[tuple[str, bytes]]:
    chance = random.Random(4711)
    for kind, content in good().items():
        yield f"avhuggen.{kind}", content[: len(content) // 2]
        flipped = bytearray(content)
        for _ in range(40):
            flipped[chance.randrange(8, len(flipped))] ^= 1 << chance.randrange(8)
        yield f"bitfel.{kind}", bytes(flipped)
        if kind not in ("eml", "rtf"):
            yield f"brus.{kind}", content[:8] + chance.randbytes(4_000)


def _wrong() -> Iterator[tuple[str, bytes]]:
    for number, kind in enumerate(("pdf", "docx", "doc", "ppt", "xls", "msg", "epub", "zip", "png", "webp", "rtf")):
        yield f"bara text.{kind}", f"Bara text nummer {number}.".encode()
    for number, kind in enumerate(("txt", "csv", "md", "html", "eml")):
        yield f"program.{kind}", b"\x7fELF" + bytes(range(number, 200))
    yield "ordbehandling.doc", more_documents.compound_file({"WordDocument": bytes(range(256)) * 8})
    yield "bildspel.ppt", more_documents.compound_file({"PowerPoint Document": bytes(range(255)) * 8})
    yield "kalkyl.xls", more_documents.compound_file({"Workbook": bytes(range(254)) * 8})
    yield "låst.pdf", documents.encrypted_pdf()
    yield "låst.docx", more_documents.compound_file({"EncryptedPackage": bytes(100), "EncryptionInfo": bytes(64)})
    yield "låst.xlsx", more_documents.compound_file({"EncryptedPackage": bytes(99), "EncryptionInfo": bytes(64)})
    yield "arbetsbok.docx", documents.xlsx("Fel", ROWS)
    yield "dokument.xlsx", documents.docx([("Normal", "Fel sort")])


def _bombs() -> Iterator[tuple[str, bytes]]:
    yield "bomb.docx", documents.zip_bomb_docx()
    yield "bomb.pdf", documents.flate_bomb_pdf()
    yield "många sidor.pdf", documents.pdf_of_pages(5_001)
    yield "inga sidor.pdf", documents.pdf_of_pages(0)
    yield "tomma sidor.pdf", documents.pdf_of_pages(3)
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", b"<a>" * 1_000_000 + b" " * 60_000_000)
    yield "bomb.odt", output.getvalue()
    yield "djup.html", b"<div>" * 200_000 + b"Text"
    yield "djupa listor.md", b"> " * 20_000 + b"Text"
    yield "djup.rtf", b"{\\rtf1 " + b"{" * 100_000 + b"Text" + b"}" * 100_000 + b"}"
    yield "breda rader.csv", b";".join(b"x%d" % n for n in range(200_000)) + b"\n1;2"


def _xml() -> Iterator[tuple[str, bytes]]:
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(10))
    outside = '<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY g SYSTEM "http://127.0.0.1:9/x">'
    space = "xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0'"
    for name, entities, body in (("skratt", laughs, "&a9;"), ("utifrån", outside, "&f;&g;")):
        odt = f"<!DOCTYPE x [{entities}]><x {space}><text:p>{body}</text:p></x>".encode()
        yield f"{name}.odt", more_documents.zip_of({"content.xml": odt})
        part = f'<?xml version="1.0"?><!DOCTYPE x [{entities}]><x>{body}</x>'.encode()
        with zipfile.ZipFile(io.BytesIO(good()["docx"])) as archive:
            members = {n: archive.read(n) for n in archive.namelist()}
        yield f"{name}.docx", more_documents.zip_of({**members, "word/document.xml": part})
        with zipfile.ZipFile(io.BytesIO(good()["epub"])) as archive:
            members = {n: archive.read(n) for n in archive.namelist()}
        yield f"{name}.epub", more_documents.zip_of({**members, "OEBPS/content.opf": part})
        yield f"{name}.html", part


def _archives() -> Iterator[tuple[str, bytes]]:
    yield "zip slip.zip", more_documents.zip_of({"../../../../tmp/x.txt": b"ut", "C:\\x.txt": b"ut", "/x.txt": b"ut"})
    inner = more_documents.zip_of({"a.txt": b"x"})
    for _ in range(20):
        inner = more_documents.zip_of({"inner.zip": inner})
    yield "tjugo lager.zip", inner
    yield "bomb.zip", more_documents.zip_of({"a.txt": b" " * 100_000_000})
    yield "många filer.zip", more_documents.zip_of({f"{n}.txt": b"" for n in range(2_500)})
    yield "tomt.zip", more_documents.zip_of({})
    locked = bytearray(more_documents.zip_of({"a.txt": b"Hemlig text"}))
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    yield "låst.zip", bytes(locked)
    yield "dubbel.zip", _twice()


def _twice() -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("..", b"x")
        archive.writestr("a" * 5_000 + ".exe", b"x")
        archive.writestr("nul\u0001.exe", b"x")
    return output.getvalue()


def _texts() -> Iterator[tuple[str, bytes]]:
    yield "blank.txt", b" \n\t\r\n "
    yield "nollor.txt", bytes(5_000)
    yield "halva tecken.txt", b"\xff\xfe" + b"\x00\xd8" * 2_000 + "Text".encode("utf-16-le")
    yield "ett ord.txt", b"x" * 300_000
    yield "..\\..\\<script>alert(1)</script>.txt", b"Text med konstigt namn."
    yield "namn\u202etxt.exe.txt", "Text med omvänt namn.".encode()
    yield "åäö \U0001f600 " + "långt namn " * 30 + ".txt", b"Text med langt namn."
    yield "citat.csv", b'"' * 100_001
    yield "huvud.eml", b"Subject: " + b"=?utf-8?b?" * 10_000 + b"\n\nText"
    yield "delar.eml", _nested_mail()


def _nested_mail() -> bytes:
    body = b"Text"
    for number in range(300):
        mark = b"b%d" % number
        body = (
            b"Content-Type: multipart/mixed; boundary="
            + mark
            + b"\n\n--"
            + mark
            + b"\n"
            + body
            + b"\n--"
            + mark
            + b"--\n"
        )
    return b"Subject: Djup\n" + body


def _pictures() -> Iterator[tuple[str, bytes]]:
    for width, height in ((60_000, 60_000), (2_000_000_000, 1), (0, 10)):
        content = bytearray(documents.png())
        content[16:24] = struct.pack(">II", width, height)
        content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
        yield f"bild {width} x {height}.png", bytes(content)
    yield "gif.png", b"GIF89a" + bytes(50)
    yield "fel.webp", b"RIFF\x10\x00\x00\x00WAVEfmt " + bytes(20)


def _loops() -> Iterator[tuple[str, bytes]]:
    header = b"%PDF-1.4\n"
    loops = {
        "sidor som är sina egna barn": b"2 0 obj << /Type /Pages /Count 2 /Kids [2 0 R 2 0 R] >> endobj\n",
        "sida utan slut": b"2 0 obj << /Type /Pages /Count 99999999 /Kids [3 0 R] >> endobj\n"
        b"3 0 obj << /Type /Page /Parent 3 0 R /Contents 3 0 R >> endobj\n",
    }
    for name, objects in loops.items():
        body = header + b"1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj\n" + objects
        yield f"{name}.pdf", body + b"trailer << /Root 1 0 R /Size 4 >>\n%%EOF"
    # A tape of directories of a TIFF that leads back to itself.
    entry = struct.pack("<HHII", 256, 3, 1, 1)
    yield "ring.tif", b"II*\x00" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8)
    broken = bytearray(more_documents.msg("Ring", "Text"))
    # The allocation table of the container leads each sector to itself.
    for index in range(1, 100):
        struct.pack_into("<I", broken, 512 + index * 4, index)
    yield "ring.msg", bytes(broken)
