"""Reading files of every format in the sandboxed child, and refusing those that mean harm."""

import asyncio
import io
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.ingestion.drawing import draw
from app.ingestion.parse import DocumentParser
from app.ingestion.sandbox import Limits
from domain.kernel.errors import CorruptFile, EncryptedFile, UnreadableFile, UnsupportedFile
from domain.knowledge.parsing import ParsedDocument
from tests.support import documents
from tests.support.programs import children

ROWS = [["Namn", "Ort"], ["Åsa Öberg", "Östersund"], ["Kåre", "Malmö"]]
SWEDISH = "Det här är en text som handlar om bygglov och om hur man söker det i kommunen."
LIMITS = Limits(memory_bytes=700 * 1024**2, cpu_seconds=60, wall_seconds=60)


class WordTokenizer:
    """A token for each word."""

    async def token_offsets(self, text: str) -> Sequence[int]:
        return [match.start() for match in re.finditer(r"\w+", text)]


@pytest.fixture
def parser() -> DocumentParser:
    return DocumentParser(WordTokenizer(), LIMITS)


async def read(parser: DocumentParser, folder: Path, name: str, content: bytes) -> ParsedDocument:
    path = folder / "upload"
    path.write_bytes(content)
    document = await parser.parse(path, name)
    for block in document.blocks:
        assert 0 <= block.start < block.end <= len(document.text)
        assert document.text[block.start : block.end].strip()
    assert os.listdir(folder) == ["upload"]
    return document


def blocks(document: ParsedDocument) -> list[tuple[str, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


async def test_pdf_with_pages_headings_and_swedish_letters(parser: DocumentParser, tmp_path: Path) -> None:
    content = documents.pdf(
        [f"Översiktsplan\n{SWEDISH}", "", "Åtgärder för ån (2026)"],
        title="Plan",
        outline=[("Inledning", 1), ("Åtgärder", 3)],
    )
    document = await read(parser, tmp_path, "plan.pdf", content)
    assert document.media_type == "application/pdf"
    assert (document.title, document.page_count, document.language) == ("Plan", 3, "sv")
    assert document.pages_without_text == [2]
    assert "Översiktsplan" in document.text
    last = document.blocks[-1]
    assert document.text[last.start : last.end] == "Åtgärder för ån (2026)"
    assert (last.page, last.heading_path) == (3, ("Åtgärder",))
    assert document.blocks[0].heading_path == ("Inledning",)
    assert document.page_of(last.start) == 3
    assert document.page_of(0) == 1
    assert document.text[slice(*document.page_span(1))].startswith("Översiktsplan")
    assert document.text[slice(*document.page_span(2))] == ""


FEES = [["Åtgärd", "Avgift", "Tid"], ["Altan", "4 300 kr", "tio veckor\nfrån ansökan"], ["Rivning", "", "fyra veckor"]]


async def test_a_ruled_table_of_a_pdf_is_read_row_by_row(parser: DocumentParser, tmp_path: Path) -> None:
    content = documents.pdf_with_table("Taxa för bygglov", FEES, "Gäller från januari.", merged=[(2, 1)])
    document = await read(parser, tmp_path, "taxa.pdf", content)
    found = [(block.kind, document.text[block.start : block.end].strip()) for block in document.blocks]
    table = "Åtgärd | Avgift | Tid\nAltan | 4 300 kr | tio veckor från ansökan\nRivning |  | fyra veckor"
    assert found == [("paragraph", "Taxa för bygglov"), ("table", table), ("paragraph", "Gäller från januari.")]
    assert [(block.page, block.header) for block in document.blocks][1] == (1, "Åtgärd | Avgift | Tid")


async def test_a_row_of_a_table_is_found_on_its_page(tmp_path: Path) -> None:
    path = tmp_path / "taxa.pdf"
    path.write_bytes(documents.pdf_with_table("Taxa", FEES, "Slut."))
    plain, marked = draw(path, 1, [], 600), draw(path, 1, ["Altan | 4 300 kr | tio veckor från ansökan"], 600)
    assert plain != marked


async def test_a_frame_is_no_table(parser: DocumentParser, tmp_path: Path) -> None:
    text = "Rubrik\n\n" + "En lång rad med text som går tvärs över hela sidan i en ram.\n" * 8
    document = await read(parser, tmp_path, "ram.pdf", documents.pdf_with_frame(text))
    assert {block.kind for block in document.blocks} == {"paragraph"}
    assert document.text.count("En lång rad med text") == 8


async def test_pdf_leaders_say_nothing(parser: DocumentParser, tmp_path: Path) -> None:
    document = await read(parser, tmp_path, "innehall.pdf", documents.pdf(["Inledning ........................ 4"]))
    assert document.text.strip() == "Inledning … 4"


async def test_word_with_headings_lists_and_a_table(parser: DocumentParser, tmp_path: Path) -> None:
    parts = [
        ("Title", "Handbok"),
        ("Heading 1", "Bygglov"),
        ("Normal", SWEDISH),
        ("Heading 2", "Altan"),
        ("List Bullet", "Rita"),
    ]
    document = await read(parser, tmp_path, "Handbok.DOCX", documents.docx(parts, table=ROWS, title="Handbok 2026"))
    assert document.title == "Handbok 2026"
    assert blocks(document) == [
        ("heading", "Handbok"),
        ("heading", "Bygglov"),
        ("paragraph", SWEDISH),
        ("heading", "Altan"),
        ("list", "Rita"),
        ("table", "Namn | Ort\nÅsa Öberg | Östersund\nKåre | Malmö"),
    ]
    assert document.blocks[-1].heading_path == ("Bygglov", "Altan")
    assert (document.page_count, document.page_of(5)) == (None, None)


async def test_powerpoint_slides_are_pages(parser: DocumentParser, tmp_path: Path) -> None:
    content = documents.pptx([("Budget", "Intäkter ökar"), ("Risker", "Kostnader ökar")], notes="Säg detta högt.")
    document = await read(parser, tmp_path, "budget.pptx", content)
    assert [(b.page, document.text[b.start : b.end]) for b in document.blocks] == [
        (1, "Budget"),
        (1, "Intäkter ökar"),
        (1, "Säg detta högt."),
        (2, "Risker"),
        (2, "Kostnader ökar"),
    ]
    assert document.page_count == 2
    assert document.blocks[-1].heading_path == ("Risker",)


@pytest.mark.parametrize("extension", ["xlsx", "ods"])
async def test_sheets_name_their_columns_in_each_row(parser: DocumentParser, tmp_path: Path, extension: str) -> None:
    content = {"xlsx": documents.xlsx, "ods": documents.ods}[extension]("Kontakter", ROWS)
    document = await read(parser, tmp_path, f"blad.{extension}", content)
    assert blocks(document) == [
        ("heading", "Kontakter"),
        ("table", "Namn: Åsa Öberg | Ort: Östersund\nNamn: Kåre | Ort: Malmö"),
    ]


async def test_opendocument_text(parser: DocumentParser, tmp_path: Path) -> None:
    content = documents.odt([(1, "Bygglov"), (0, SWEDISH), (2, "Altan"), (0, "Kort.")], table=ROWS[:2])
    document = await read(parser, tmp_path, "text.odt", content)
    assert [kind for kind, _ in blocks(document)] == ["heading", "paragraph", "heading", "paragraph", "table"]
    assert blocks(document)[-1][1] == "Namn | Ort\nÅsa Öberg | Östersund"
    assert document.blocks[-1].heading_path == ("Bygglov", "Altan")


@pytest.mark.parametrize("extension", ["html", "htm"])
async def test_html_without_navigation_and_scripts(parser: DocumentParser, tmp_path: Path, extension: str) -> None:
    source = (
        "<html><head><title>Bygglov – kommunen</title><script>alert('nej')</script></head><body><nav><p>Meny</p></nav>"
        f"<main>Ingress<h1>Bygglov</h1><p>{SWEDISH.replace('bygglov', '<b>bygg</b>lov<!-- nej -->')}</p>"
        "<ul><li>Rita</li></ul><pre>x = 1</pre><table><tr><th>Namn</th><td>Åsa</td></tr></table>"
        "<div>Löst <i>och</i> fritt</div></main><footer><p>Sidfot</p></footer></body></html>"
    )
    document = await read(parser, tmp_path, f"sida.{extension}", source.encode())
    assert document.title == "Bygglov – kommunen"
    assert blocks(document) == [
        ("paragraph", "Ingress"),
        ("heading", "Bygglov"),
        ("paragraph", SWEDISH),
        ("list", "Rita"),
        ("code", "x = 1"),
        ("table", "Namn | Åsa"),
        ("paragraph", "Löst och fritt"),
    ]


async def test_markdown_headings_are_not_taken_from_code(parser: DocumentParser, tmp_path: Path) -> None:
    source = "# Bygglov #\n\nEtt stycke\nmed två rader.\n\n```\n# ingen rubrik\n\nkvar\n```\n\n"
    source += "| a | b |\n|---|---|\n\n## Altan\nSlut."
    document = await read(parser, tmp_path, "a.md", source.encode())
    assert blocks(document) == [
        ("heading", "Bygglov"),
        ("paragraph", "Ett stycke\nmed två rader."),
        ("code", "```\n# ingen rubrik\n\nkvar\n```"),
        ("table", "| a | b |\n|---|---|"),
        ("heading", "Altan"),
        ("paragraph", "Slut."),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_text_in_every_usual_encoding(parser: DocumentParser, tmp_path: Path, encoding: str) -> None:
    document = await read(parser, tmp_path, "a.txt", f"Första åäö.\r\n\r\nAndra ÅÄÖ.\r\n{SWEDISH}".encode(encoding))
    assert blocks(document) == [("paragraph", "Första åäö."), ("paragraph", f"Andra ÅÄÖ.\n{SWEDISH}")]
    assert document.language == "sv"


async def test_the_language_of_a_text_is_found_out(parser: DocumentParser, tmp_path: Path) -> None:
    english = b"The building permit is needed for all houses that are to be built in the city, and it is not free."
    assert (await read(parser, tmp_path, "a.txt", english)).language == "en"
    assert (await read(parser, tmp_path, "a.txt", b"1 2 3 4 5 6 7 8 9")).language == ""


async def test_soft_hyphens_do_not_split_words(parser: DocumentParser, tmp_path: Path) -> None:
    document = await read(parser, tmp_path, "a.html", "<p>Bygg&shy;lovs&shy;hand\u200bläggare</p>".encode())
    assert document.text.strip() == "Bygglovshandläggare"


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
async def test_csv_with_any_separator(parser: DocumentParser, tmp_path: Path, separator: str) -> None:
    document = await read(parser, tmp_path, "a.csv", documents.csv_file(ROWS, separator))
    assert blocks(document) == [("table", "Namn: Åsa Öberg | Ort: Östersund\nNamn: Kåre | Ort: Malmö")]


async def test_mail_with_head_body_and_names_of_files(parser: DocumentParser, tmp_path: Path) -> None:
    content = documents.eml("Ärende om bygglov", "Hej!\n\nSe ritningen å.", attached=["ritning.pdf", "karta.png"])
    document = await read(parser, tmp_path, "brev.eml", content)
    found = blocks(document)
    assert found[0] == ("heading", "Ärende om bygglov")
    assert "From: anna@example.se" in found[1][1]
    assert found[2:] == [("paragraph", "Hej!"), ("paragraph", "Se ritningen å."), ("list", "ritning.pdf\nkarta.png")]
    assert document.title == "Ärende om bygglov"


async def test_mail_in_html_alone(parser: DocumentParser, tmp_path: Path) -> None:
    content = documents.eml("Svar", "<p>Första</p><script>nej()</script><p>Andra</p>", html=True)
    assert blocks(await read(parser, tmp_path, "brev.eml", content))[2:] == [
        ("paragraph", "Första"),
        ("paragraph", "Andra"),
    ]


DAMAGED = "The file is damaged or not of the type its name says."
WRONG = "The file is not of the type its name says. Save it anew and upload it again."
PASSWORD = "The file is protected with a password. Remove the protection and upload it again."
EMPTY = "The file is empty."
NO_TEXT = "No text was found in the file. If it is scanned, make it searchable first (OCR)."
HOSTILE = {
    "empty.txt": (b"", UnreadableFile, EMPTY),
    "empty.pdf": (b"", UnreadableFile, EMPTY),
    "empty.docx": (b"", UnreadableFile, EMPTY),
    "blank.txt": (b" \n\t\r\n ", UnreadableFile, EMPTY),
    "zeros.txt": (b"\x00" * 5_000, UnreadableFile, EMPTY),
    "truncated.pdf": (documents.pdf(["Text " * 100])[:300], CorruptFile, DAMAGED),
    "truncated.docx": (documents.docx([("Normal", "Text")])[:-4_000], CorruptFile, DAMAGED),
    "truncated.xlsx": (documents.xlsx("Blad", ROWS)[:500], CorruptFile, DAMAGED),
    "no_document.docx": (documents.xlsx("Blad", ROWS), CorruptFile, DAMAGED),
    "encrypted.pdf": (documents.encrypted_pdf(), EncryptedFile, PASSWORD),
    "encrypted.docx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4_000), EncryptedFile, PASSWORD),
    "picture.pdf": (documents.png(), CorruptFile, WRONG),
    "picture.txt": (documents.png(), CorruptFile, WRONG),
    "text.docx": (b"Bara text.", CorruptFile, WRONG),
    "zip.csv": (documents.xlsx("Blad", ROWS), CorruptFile, WRONG),
    "no_pages.pdf": (documents.pdf_of_pages(0), CorruptFile, DAMAGED),
    "no_text.pdf": (documents.pdf_of_pages(3), UnreadableFile, NO_TEXT),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_cannot_be_read_is_refused_with_the_reason(
    parser: DocumentParser, tmp_path: Path, name: str
) -> None:
    content, kind, message = HOSTILE[name]
    with pytest.raises(UnreadableFile) as refusal:
        await read(parser, tmp_path, name, content)
    assert type(refusal.value) is kind
    assert refusal.value.text() == message
    assert os.listdir(tmp_path) == ["upload"]


@pytest.mark.parametrize("name", ["virus.exe", "arkiv.rar", "bild.gif", "utan ändelse", ".pdf.", "a.pdf.exe"])
async def test_other_types_are_refused_by_name(parser: DocumentParser, tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedFile):
        await read(parser, tmp_path, name, documents.pdf(["Text"]))


async def test_too_many_pages_are_refused_with_their_number(parser: DocumentParser, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        await read(parser, tmp_path, "lag.pdf", documents.pdf_of_pages(5_001))
    assert refusal.value.params == {"pages": 5_001, "limit": 5_000}
    assert "5001 pages" in refusal.value.text()


async def test_a_zip_bomb_is_not_unpacked(parser: DocumentParser, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        await read(parser, tmp_path, "bomb.docx", documents.zip_bomb_docx())
    assert refusal.value.text() == "The file grows too large when it is unpacked."


async def test_a_pdf_that_unpacks_to_more_than_the_memory_is_refused(parser: DocumentParser, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        await read(parser, tmp_path, "bomb.pdf", documents.flate_bomb_pdf())
    assert "more memory than is allowed" in refusal.value.text()


def odt_of(content: str) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("content.xml", content)
    return output.getvalue()


TEXT_SPACE = "xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0'"


async def test_a_billion_laughs_do_not_laugh(parser: DocumentParser, tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(10))
    content = odt_of(f"<!DOCTYPE x [{entities}]><x {TEXT_SPACE}><text:p>&a9;</text:p></x>")
    with pytest.raises(UnreadableFile):
        await read(parser, tmp_path, "skratt.odt", content)


async def test_files_of_the_machine_cannot_be_drawn_into_a_document(parser: DocumentParser, tmp_path: Path) -> None:
    secret = tmp_path.parent / "hemlighet"
    secret.write_text("hemligt innehall")
    entity = f'<!DOCTYPE x [<!ENTITY f SYSTEM "file://{secret}">]>'
    content = odt_of(f"{entity}<x {TEXT_SPACE}><text:p>Före &f; efter</text:p></x>")
    document = await read(parser, tmp_path, "fil.odt", content)
    assert "hemligt" not in document.text
    assert document.text.startswith("Före")


async def test_reading_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    impatient = DocumentParser(WordTokenizer(), Limits(wall_seconds=0))
    with pytest.raises(UnreadableFile) as refusal:
        await read(impatient, tmp_path, "a.txt", b"Text")
    assert "took longer than" in refusal.value.text()
    assert os.listdir(tmp_path) == ["upload"]


async def test_a_reader_that_computes_for_ever_is_ended(tmp_path: Path) -> None:
    busy = DocumentParser(WordTokenizer(), Limits(cpu_seconds=1))
    long = documents.pdf(["\n".join("ord " * 20 for _ in range(45))] * 4_000)
    with pytest.raises(UnreadableFile) as refusal:
        await read(busy, tmp_path, "lang.pdf", long)
    assert "took longer than 1 seconds" in refusal.value.text()


async def test_a_caller_that_goes_away_takes_the_child_along(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(documents.pdf(["\n".join("ord " * 20 for _ in range(45))] * 4_000))
    task = asyncio.create_task(DocumentParser(WordTokenizer(), LIMITS).parse(path, "lang.pdf"))
    async with asyncio.timeout(20):
        while not children(path):
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children(path) == []


async def test_the_child_gets_nothing_of_our_environment(
    parser: DocumentParser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "hemlig-nyckel")
    path = tmp_path / "upload"
    path.write_bytes(documents.pdf(["\n".join("ord " * 20 for _ in range(45))] * 300))
    task = asyncio.create_task(parser.parse(path, "lang.pdf"))
    seen = b""
    async with asyncio.timeout(20):
        while not task.done() and b"OMP_NUM_THREADS=1" not in seen:
            for process in children(path):
                try:
                    seen = Path(f"/proc/{process}/environ").read_bytes()
                except OSError:
                    continue
            await asyncio.sleep(0.005)
    await task
    assert b"OMP_NUM_THREADS=1" in seen
    assert b"hemlig-nyckel" not in seen


async def test_chunks_come_with_their_pages(parser: DocumentParser, tmp_path: Path) -> None:
    document = await read(parser, tmp_path, "a.pdf", documents.pdf([f"Sida {n}.\n{SWEDISH}" for n in range(1, 41)]))
    chunks = await parser.chunk(document, "Plan")
    assert chunks[0].page_from == 1
    assert chunks[-1].page_to == 40
    for chunk in chunks:
        named = [int(number) for number in re.findall(r"Sida (\d+)\.", chunk.text)]
        assert chunk.page_from == (named[0] if chunk.text.startswith("Sida") else named[0] - 1)
        assert chunk.page_to == named[-1]


def test_what_was_read_survives_its_trip_between_processes() -> None:
    from app.ingestion.readers import Builder

    builder = Builder()
    builder.heading(1, "Å\ud83d\ude00")
    builder.add("paragraph", "Text \u0007här", 1)
    document = builder.document("text/plain", "T")
    document.page_starts = [0]
    again = ParsedDocument.from_json(document.to_json())
    assert again == document
    assert again.text == "Å😀\n\nText här\n\n"
