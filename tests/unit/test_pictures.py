"""Pictures that people bring are drawn anew, small and square, by a child process that is not trusted."""

import io
from pathlib import Path

import pytest
from PIL import Image

from app.ingestion.parse import DocumentParser
from domain.kernel.errors import CorruptFile, Failure, UnreadableFile
from tests.support.pictures import TELLTALE, bomb, moving, picture, telling


class NoTokens:
    """Pictures have none."""

    async def token_offsets(self, text: str) -> list[int]:
        return []


async def drawn(folder: Path, content: bytes) -> bytes:
    path = folder / "content"
    path.write_bytes(content)
    return await DocumentParser(NoTokens()).square(path, 256)


@pytest.mark.parametrize(
    ("content", "side"),
    [
        (picture(300, 200), 200), (picture(4_000, 1_000, "JPEG"), 256), (picture(700, form="WEBP"), 256),
        (picture(1), 1), (picture(40, form="JPEG"), 40), (picture(8_000, 6_000, "JPEG"), 256),
    ],
    ids=["png", "jpeg", "webp", "point", "small", "photograph"],
)  # fmt: skip
async def test_a_picture_becomes_a_small_square(tmp_path: Path, content: bytes, side: int) -> None:
    found = Image.open(io.BytesIO(await drawn(tmp_path, content)))
    assert (found.format, found.size) == ("PNG", (side, side))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
async def test_nothing_but_its_points_is_kept_of_a_picture(tmp_path: Path, form: str) -> None:
    content = telling(form)
    assert TELLTALE in content
    made = await drawn(tmp_path, content)
    assert TELLTALE not in made
    found = Image.open(io.BytesIO(made)).convert("RGB")
    (red, _, blue), (other_red, _, other_blue) = found.getpixel((5, 32)), found.getpixel((58, 32))
    assert red > 200 > blue
    assert other_blue > 200 > other_red


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
async def test_of_a_moving_picture_the_first_frame_is_kept(tmp_path: Path, form: str) -> None:
    found = Image.open(io.BytesIO(await drawn(tmp_path, moving(form))))
    assert getattr(found, "n_frames", 1) == 1
    assert found.convert("RGB").getpixel((32, 32)) == (255, 0, 0)


async def test_what_is_see_through_stays_so(tmp_path: Path) -> None:
    output = io.BytesIO()
    Image.new("RGBA", (20, 20), (10, 20, 30, 0)).save(output, "PNG")
    assert Image.open(io.BytesIO(await drawn(tmp_path, output.getvalue()))).getpixel((3, 3))[3] == 0


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, CorruptFile), (picture(300)[:120], CorruptFile),
        (b"RIFF\x10\0\0\0WEBPVP8 ", CorruptFile), (b"\xff\xd8\xff", CorruptFile),
        (picture(9, form="GIF"), CorruptFile), (b"<svg xmlns='http://www.w3.org/2000/svg'/>", CorruptFile),
        (bomb(30_000, 30_000), UnreadableFile), (bomb(4_097, 4_096), UnreadableFile),
    ],
    ids=["damaged", "cut", "webp", "jpeg", "gif", "svg", "bomb", "too wide"],
)  # fmt: skip
async def test_what_is_no_fit_picture_is_refused(tmp_path: Path, content: bytes, refusal: type[Failure]) -> None:
    with pytest.raises(refusal) as refused:
        await drawn(tmp_path, content)
    assert type(refused.value) is refusal
