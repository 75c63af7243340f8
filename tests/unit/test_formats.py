"""Reading old office files, messages, books, pictures and archives, and pages that are pictures."""

import asyncio
import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from docx import Document

from app.ingestion import office
from app.ingestion.parse import DocumentParser
from app.ingestion.sandbox import child
from app.ingestion.tools import FFMPEG, LIBREOFFICE, TESSERACT, find
from domain.kernel.errors import CorruptFile, EncryptedFile, Failure, UnreadableFile
from domain.knowledge.parsing import ParsedDocument, Refused
from tests.support import documents, more_documents
from tests.unit.test_parse import LIMITS, PASSWORD, ROWS, SWEDISH, WordTokenizer, blocks, read

needs_libreoffice = pytest.mark.skipif(find(LIBREOFFICE) is None, reason="LibreOffice is not installed")
needs_tesseract = pytest.mark.skipif(find(TESSERACT) is None, reason="tesseract is not installed")


@pytest.fixture
def parser() -> DocumentParser:
    return DocumentParser(WordTokenizer(), LIMITS)


@pytest.fixture
def seeing() -> DocumentParser:
    return DocumentParser(WordTokenizer(), LIMITS, ocr_pages=50)


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in old formats, made by LibreOffice."""
    folder = tmp_path_factory.mktemp("converted")
    parts = [("Heading 1", "Bygglov"), ("Normal", SWEDISH), ("Heading 2", "Avgifter")]
    written = Document(io.BytesIO(documents.docx(parts, table=ROWS)))
    written.add_paragraph("Slut.")
    written.save(str(folder / "a.docx"))
    (folder / "b.pptx").write_bytes(documents.pptx([("Budget", "Intäkter ökar"), ("Risker", "Kostnader ökar")]))

    async def convert() -> None:
        for name, kind in (("a.docx", "doc"), ("b.pptx", "ppt")):
            command = [
                str(find(LIBREOFFICE)), "--headless", f"-env:UserInstallation=file://{folder}/profile",
                "--convert-to", kind, "--outdir", str(folder), str(folder / name),
            ]  # fmt: skip
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
            assert await process.wait() == 0

    asyncio.run(convert())
    return folder


@needs_libreoffice
async def test_old_word_keeps_headings_and_tables(parser: DocumentParser, tmp_path: Path, converted: Path) -> None:
    document = await read(parser, tmp_path, "plan.doc", (converted / "a.doc").read_bytes())
    assert document.media_type == "application/msword"
    assert blocks(document) == [
        ("heading", "Bygglov"),
        ("paragraph", SWEDISH),
        ("heading", "Avgifter"),
        ("table", "Namn | Ort\nÅsa Öberg | Östersund\nKåre | Malmö"),
        ("paragraph", "Slut."),
    ]


@needs_libreoffice
async def test_old_powerpoint_keeps_its_slides(parser: DocumentParser, tmp_path: Path, converted: Path) -> None:
    document = await read(parser, tmp_path, "budget.ppt", (converted / "b.ppt").read_bytes())
    assert (document.media_type, document.page_count) == ("application/vnd.ms-powerpoint", 2)
    found = [(b.page, document.text[b.start : b.end]) for b in document.blocks]
    assert (1, "Intäkter ökar") in found
    assert (2, "Kostnader ökar") in found


@needs_libreoffice
@pytest.mark.parametrize(("name", "kind"), [("a.doc", "doc"), ("b.ppt", "ppt")])
def test_old_formats_without_libreoffice(converted: Path, name: str, kind: str) -> None:
    document = office._plain(converted / name, kind, "application/x")
    assert ("Östersund" if kind == "doc" else "Kostnader ökar") in document.text


def test_rtf_without_libreoffice_keeps_its_table(tmp_path: Path) -> None:
    (tmp_path / "a.rtf").write_bytes(more_documents.rtf(["Första åäö.", SWEDISH], ROWS))
    document = office._plain(tmp_path / "a.rtf", "rtf", "application/rtf")
    assert ("paragraph", SWEDISH) in blocks(document)
    assert blocks(document)[-1][0] == "table"
    assert document.blocks[-1].header == "| Namn | Ort |"


@pytest.mark.parametrize("name", ["brev.rtf", "brev.doc"])
async def test_rtf_also_under_the_name_of_word(parser: DocumentParser, tmp_path: Path, name: str) -> None:
    document = await read(parser, tmp_path, name, more_documents.rtf(["Första åäö.", SWEDISH], ROWS))
    assert ("paragraph", SWEDISH) in blocks(document)
    assert "Östersund" in blocks(document)[-1][1]


async def test_outlook_message(parser: DocumentParser, tmp_path: Path) -> None:
    content = more_documents.msg("Ärende om bygglov", f"Hej!\r\n\r\n{SWEDISH}", attached=["ritning å.pdf", "karta.png"])
    document = await read(parser, tmp_path, "brev.msg", content)
    assert document.title == "Ärende om bygglov"
    assert blocks(document) == [
        ("heading", "Ärende om bygglov"),
        (
            "paragraph",
            "From: Anna Ek anna@example.se\nTo: registrator@example.se\nDate: Mon, 12 Jan 2026 09:00:00 +0100",
        ),
        ("paragraph", "Hej!"),
        ("paragraph", SWEDISH),
        ("list", "ritning å.pdf\nkarta.png"),
    ]


async def test_a_book_is_read_in_the_order_of_its_spine(parser: DocumentParser, tmp_path: Path) -> None:
    content = more_documents.epub("Handbok", [("Inledning", SWEDISH), ("Avgifter", "Det kostar.")])
    document = await read(parser, tmp_path, "bok.epub", content)
    assert document.title == "Handbok"
    assert blocks(document) == [
        ("heading", "Inledning"),
        ("paragraph", SWEDISH),
        ("heading", "Avgifter"),
        ("paragraph", "Det kostar."),
    ]
    with pytest.raises(EncryptedFile):
        await read(parser, tmp_path, "bok.epub", more_documents.epub("Köpt", [("Ett", "Text")], rights=True))


# Pictures

SEEN = "Avgiften for bygglov\nbeslutas av byggnadsnamnden\nvarje ar i december"


@needs_tesseract
@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.jpeg", "JPEG"), ("a.webp", "WEBP"), ("a.tif", "TIFF")]
)
async def test_the_text_on_a_picture_is_read(seeing: DocumentParser, tmp_path: Path, name: str, kind: str) -> None:
    document = await read(seeing, tmp_path, name, more_documents.scan(SEEN, kind))
    assert "beslutas av byggnadsnamnden" in document.text
    assert (document.page_count, document.pages_by_ocr, document.pages_without_text) == (1, [1], [])


@needs_tesseract
async def test_scanned_pages_are_read_and_the_others_stay(seeing: DocumentParser, tmp_path: Path) -> None:
    document = await read(seeing, tmp_path, "fax.pdf", mixed_pdf())
    assert (document.page_count, document.pages_by_ocr, document.pages_without_text) == (4, [2], [3])
    assert [b.page for b in document.blocks] == [1, 2, 4]
    assert SWEDISH in document.text[slice(*document.page_span(1))]
    assert "varje ar i december" in document.text[slice(*document.page_span(2))]
    assert document.text[slice(*document.page_span(3))] == ""
    assert "Sista sidan" in document.text[slice(*document.page_span(4))]
    assert document.page_of(document.text.index("Sista")) == 4


@needs_tesseract
async def test_no_more_pages_are_read_than_allowed_and_progress_is_told(tmp_path: Path) -> None:
    told: list[float] = []

    async def progress(fraction: float) -> None:
        told.append(fraction)

    path = tmp_path / "upload"
    path.write_bytes(more_documents.scan(SEEN, "TIFF", pages=3))
    document = await DocumentParser(WordTokenizer(), LIMITS, ocr_pages=2).parse(path, "fax.tiff", progress)
    assert (document.pages_by_ocr, document.pages_without_text) == ([1, 2], [3])
    assert told == [0.5, 1.0]
    assert os.listdir(tmp_path) == ["upload"]


@needs_tesseract
async def test_a_picture_without_text_is_refused(seeing: DocumentParser, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        await read(seeing, tmp_path, "vit.png", documents.png())
    assert "not even by looking at its pages" in refusal.value.text()


async def test_without_ocr_pages_without_text_are_named(parser: DocumentParser, tmp_path: Path) -> None:
    document = await read(parser, tmp_path, "fax.pdf", mixed_pdf())
    assert (document.pages_without_text, document.pages_by_ocr) == ([2, 3], [])
    with pytest.raises(UnreadableFile) as refusal:
        await read(parser, tmp_path, "bild.png", more_documents.scan(SEEN))
    assert "make it searchable first (OCR)" in refusal.value.text()


async def test_a_picture_of_the_wrong_kind_or_size_is_refused(parser: DocumentParser, tmp_path: Path) -> None:
    with pytest.raises(CorruptFile):
        await read(parser, tmp_path, "a.png", more_documents.scan(SEEN, "JPEG"))
    with pytest.raises(UnreadableFile) as refusal:
        await read(parser, tmp_path, "a.png", huge_png())
    assert "too large to be read" in refusal.value.text()


def huge_png() -> bytes:
    """A picture that claims to be 50,000 points square."""
    content = bytearray(documents.png())
    content[16:24] = (50_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    return bytes(content)


def mixed_pdf() -> bytes:
    """Four pages: text, a scan with a page number, nothing, text."""
    made = pdfium.PdfDocument.new()
    text = pdfium.PdfDocument(documents.pdf([f"Rubrik\n{SWEDISH}", "", "Sista sidan handlar om avgifter."]))
    scan = pdfium.PdfDocument(more_documents.scan(SEEN, "PDF"))
    made.import_pages(text, [0])
    made.import_pages(scan)
    made.import_pages(text, [1, 2])
    output = io.BytesIO()
    made.save(output)
    return output.getvalue()


# Tables


async def test_a_long_table_is_cut_between_rows_and_each_chunk_has_the_header(
    parser: DocumentParser, tmp_path: Path
) -> None:
    rows = [["Ärende", "Avgift. Kronor", "Kommentar"]]
    rows += [[f"Ärende {n}", f"{n}00. Sen tillkommer moms.", "Gäller. Från 2026: ja! Och vidare?"] for n in range(120)]
    document = await read(parser, tmp_path, "taxa.docx", documents.docx([("Heading 1", "Taxa")], table=rows))
    lines = [" | ".join(row) for row in rows]
    chunks = await parser.chunk(document, "Taxa 2026")
    assert len(chunks) > 3
    for chunk in chunks:
        assert set(chunk.text.split("\n")) - {"Taxa", ""} <= set(lines)
        assert lines[0] in chunk.embedded_text
        assert chunk.embedded_text.startswith("Taxa 2026 › Taxa\n")


async def test_chunks_of_a_sheet_name_sheet_and_columns(parser: DocumentParser, tmp_path: Path) -> None:
    rows = [["Fastighet", "Avgift"], *[[f"Berget 1:{n}", f"{n}00 kr"] for n in range(400)]]
    chunks = await parser.chunk(await read(parser, tmp_path, "a.xlsx", documents.xlsx("Taxa", rows)), "Avgifter")
    assert len(chunks) > 3
    for chunk in chunks:
        assert chunk.embedded_text.startswith("Avgifter › Taxa\nFastighet | Avgift\n")
        rows_of_text = [line for line in chunk.text.split("\n") if line not in ("", "Taxa")]
        assert all(line.startswith("Fastighet: Berget 1:") and line.endswith(" kr") for line in rows_of_text)


async def test_equal_cells_beside_each_other_stay(parser: DocumentParser, tmp_path: Path) -> None:
    document = await read(parser, tmp_path, "a.docx", documents.docx([], table=[["A", "B", "C"], ["0", "0", "1"]]))
    assert blocks(document) == [("table", "A | B | C\n0 | 0 | 1")]


# Archives


async def unpacked(parser: DocumentParser, folder: Path, content: bytes) -> tuple[dict[str, bytes], Sequence[Refused]]:
    path = folder / "upload"
    path.write_bytes(content)
    async with parser.unpack(path, "arkiv.zip") as found:
        members = {member.path: member.file.read_bytes() for member in found.members}
        refused = found.refused
    assert os.listdir(folder) == ["upload"]
    return members, refused


async def test_an_archive_gives_its_files_with_their_folders(parser: DocumentParser, tmp_path: Path) -> None:
    content = more_documents.zip_of(
        {"Bygg/2026/avgifter.txt": b"Text", "Bygg\\plan.md": b"# Plan", "__MACOSX/._a": b"x", "Bygg/.DS_Store": b"x"}
    )
    members, refused = await unpacked(parser, tmp_path, content)
    assert members == {"Bygg/2026/avgifter.txt": b"Text", "Bygg/plan.md": b"# Plan"}
    assert refused == []


REFUSED_MEMBERS = {
    "../../etc/passwd.txt": "The name of the file leads out of the archive.",
    "/etc/passwd.txt": "The name of the file leads out of the archive.",
    "..\\..\\system.txt": "The name of the file leads out of the archive.",
    "C:\\system.txt": "The name of the file leads out of the archive.",
    "inner.zip": "An archive in an archive is not unpacked. Unpack it and upload its files.",
    "inner.7z": "An archive in an archive is not unpacked. Unpack it and upload its files.",
    "virus.exe": "Files of the type “exe” cannot be read.",
    "bild.pdf": "The file is not of the type its name says. Save it anew and upload it again.",
    "tom.txt": "The file is empty.",
}


async def test_members_that_mean_harm_are_refused_and_the_others_taken(parser: DocumentParser, tmp_path: Path) -> None:
    content = more_documents.zip_of(
        {name: b"" if name == "tom.txt" else b"Text" for name in REFUSED_MEMBERS} | {"bra.txt": b"Bra"}
    )
    members, refused = await unpacked(parser, tmp_path, content)
    assert members == {"bra.txt": b"Bra"}
    assert [Failure(r.message, **r.params).text() for r in refused] == list(REFUSED_MEMBERS.values())
    assert all(".." not in r.path.split("/") and not r.path.startswith("/") for r in refused)


async def test_a_member_that_grows_too_large_is_refused(parser: DocumentParser, tmp_path: Path) -> None:
    content = more_documents.zip_of({"bomb.txt": b" " * 50_000_000, "bra.txt": b"Bra"})
    members, refused = await unpacked(parser, tmp_path, content)
    assert list(members) == ["bra.txt"]
    assert [r.message for r in refused] == ["The file grows too large when it is unpacked."]


async def test_a_member_that_is_larger_than_it_says_is_refused(parser: DocumentParser, tmp_path: Path) -> None:
    honest = more_documents.zip_of({"a.txt": b"x" * 5_000})
    lying = honest.replace((5_000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    members, refused = await unpacked(parser, tmp_path, lying)
    assert members == {}
    assert len(refused) == 1


async def test_links_in_archives_are_refused(parser: DocumentParser, tmp_path: Path) -> None:
    path = tmp_path.parent / f"{tmp_path.name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("lank.txt")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    members, refused = await unpacked(parser, tmp_path, path.read_bytes())
    assert members == {}
    assert [r.message for r in refused] == ["This is a link to another file, not a file."]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (more_documents.zip_of({"mapp/": b""}), UnreadableFile, "The archive holds no files."),
        (more_documents.zip_of({f"{n}.txt": b"x" for n in range(2_001)}), UnreadableFile, "holds 2001 files"),
        (more_documents.zip_of({"a.txt": b"x"})[:-10], CorruptFile, "damaged"),
    ],
)
async def test_whole_archives_are_refused_with_the_reason(
    parser: DocumentParser, tmp_path: Path, content: bytes, kind: type[Failure], message: str
) -> None:
    with pytest.raises(kind) as refusal:
        await unpacked(parser, tmp_path, content)
    assert message in refusal.value.text()


async def test_an_encrypted_archive_says_so(parser: DocumentParser, tmp_path: Path) -> None:
    content = bytearray(more_documents.zip_of({"a.txt": b"Text"}))
    # The flag that says so, in the file's own head and in the list at the end.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(EncryptedFile) as refusal:
        await unpacked(parser, tmp_path, bytes(content))
    assert refusal.value.text() == PASSWORD


@pytest.mark.skipif(find(FFMPEG) is None, reason="ffmpeg is not installed")
async def test_a_long_recording_is_cut_into_parts(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(more_documents.wav(1_250))
    async with child("split", tmp_path / "upload", {"seconds": 60}, LIMITS) as folder:
        assert sorted(p.name for p in folder.iterdir()) == ["000.mp3", "001.mp3", "002.mp3"]


def test_what_was_read_by_ocr_survives_its_trip() -> None:
    document = ParsedDocument("", [], "image/png", pages_by_ocr=[1], refused=[Refused("a.exe", "Nej {x}", {"x": 1})])
    assert ParsedDocument.from_json(document.to_json()) == document
