"""Pages of a PDF as pictures with the quotes marked."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from app.ingestion.drawing import MAX_HEIGHT, MAX_WIDTH, find
from app.ingestion.parse import DocumentParser
from app.ingestion.sandbox import Limits
from domain.kernel.errors import UnreadableFile
from tests.support import documents
from tests.unit.test_parse import WordTokenizer

PAGES = [
    "Bygglov krävs för altanen.\nHandläggningen tar tio\nveckor från det att ansökan är komplett.",
    "Avgiften är 500 kronor.",
]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("render") / "upload"
    path.write_bytes(documents.pdf(PAGES))
    return path


@pytest.fixture
def parser() -> DocumentParser:
    return DocumentParser(WordTokenizer(), Limits())


async def picture(parser: DocumentParser, path: Path, page: int, *quotes: str, width: int = 1_000) -> Image.Image:
    data = await parser.draw_page(path, page, quotes, width)
    assert data.startswith(b"\x89PNG")
    return Image.open(io.BytesIO(data)).convert("RGB")


def changed(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int] | None:
    """The box in which two pictures differ."""
    return ImageChops.difference(before, after).getbbox()


async def test_a_quote_that_stands_on_the_page_is_marked_where_it_stands(parser: DocumentParser, plan: Path) -> None:
    plain = await picture(parser, plan, 1)
    marked = await picture(parser, plan, 1, "krävs för")
    assert plain.size == marked.size
    assert plain.width == 1_000
    assert plain.height == pytest.approx(1_415, abs=2)
    box = changed(plain, marked)
    assert box is not None
    left, top, right, bottom = box
    # The line begins 72 of 595 points from the left and stands 770 of 842 points above the foot.
    assert 72 / 595 * 1_000 < left < right < 400
    assert 842 - 770 - 15 < top / plain.height * 842 < bottom / plain.height * 842 < 842 - 770 + 10
    assert marked.getpixel((left + 1, top + 1)) != (255, 255, 255)


@pytest.mark.parametrize(
    "quotes", [[], ["kommunfullmäktige beslutade"], ["Avgiften är 500 kronor."], ["", "   "], ["krävs bygglov"]]
)
async def test_nothing_changes_when_the_quote_is_not_there(
    parser: DocumentParser, plan: Path, quotes: list[str]
) -> None:
    assert changed(await picture(parser, plan, 1), await picture(parser, plan, 1, *quotes)) is None


async def test_a_quote_over_two_lines_is_marked_on_both(parser: DocumentParser, plan: Path) -> None:
    plain = await picture(parser, plan, 1)
    one = changed(plain, await picture(parser, plan, 1, "Handläggningen tar tio"))
    both = changed(plain, await picture(parser, plan, 1, "Handläggningen tar tio veckor från"))
    assert one is not None
    assert both is not None
    assert both[1] == one[1]
    assert both[3] - one[3] == pytest.approx(16 / 842 * plain.height, abs=8)


async def test_each_page_has_its_own_picture_and_quotes(parser: DocumentParser, plan: Path) -> None:
    first, second = await picture(parser, plan, 1), await picture(parser, plan, 2)
    assert changed(first, second) is not None
    assert changed(second, await picture(parser, plan, 2, "500 kronor")) is not None


async def test_sizes_are_bounded(parser: DocumentParser, plan: Path) -> None:
    assert (await picture(parser, plan, 1, width=300)).width == 300
    assert (await picture(parser, plan, 1, width=100_000)).width == MAX_WIDTH
    tall = plan.parent / "tall"
    tall.write_bytes(documents.pdf_of_pages(1).replace(b"[0 0 100 100]", b"[0 0 10 9999]"))
    assert (await picture(parser, tall, 1, width=2_000)).height <= MAX_HEIGHT


@pytest.mark.parametrize("page", [0, -1, 3, 10_000])
async def test_a_page_that_is_not_there_is_refused(parser: DocumentParser, plan: Path, page: int) -> None:
    with pytest.raises(UnreadableFile):
        await parser.draw_page(plan, page, [])


async def test_what_is_no_pdf_is_refused(parser: DocumentParser, plan: Path) -> None:
    other = plan.parent / "other"
    other.write_bytes(b"Bara text.")
    with pytest.raises(UnreadableFile):
        await parser.draw_page(other, 1, [])


def test_quotes_are_found_whatever_the_spaces_and_hyphens_between() -> None:
    raw = "Ansökan om bygg\ufffe\r\nlov lämnas  till\r\nnämnden."
    assert raw[slice(*find(raw, "bygglov lämnas till nämnden.") or ())] == raw[11:]
    assert find(raw, "bygg-lov") == (11, 21)
    assert find("bygg\u00adlov", "bygglov") == (0, 8)
    assert find(raw, "marklov") is None
    assert find(raw, " \n") is None
    assert find("", "bygglov") is None


def test_a_quote_that_goes_on_over_the_page_break_is_found_by_its_part() -> None:
    beginning, end = (
        "Nämnden beslutar att bevilja bygglov för nybyggnad",
        "av ett enbostadshus på fastigheten Kullen 1:23 i Sundsvall",
    )
    assert find(f"Inledning. {beginning}", f"{beginning} {end}") is not None
    place = find(f"{end}. Slut.", f"{beginning} {end}")
    assert place is not None
    assert f"{end}. Slut."[slice(*place)].endswith("Sundsvall")
    assert find("Något helt annat.", f"{beginning} {end}") is None
