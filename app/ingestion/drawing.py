"""A page of a PDF as a picture, with quotes marked. Runs only in the sandboxed child process."""

import io
import re
from pathlib import Path
from typing import Any

MARK = (255, 214, 0, 105)
MAX_WIDTH, MAX_HEIGHT = 2_400, 4_800
_SKIPPED = re.compile("[|\\s\u00ad\u200b\ufffe\x02…-]+")


def draw(path: Path, page_number: int, quotes: list[str], width: int) -> bytes:
    """PNG of page `page_number` (from 1), `width` pixels wide, with each of `quotes` that stands on it highlighted."""
    import pypdfium2 as pdfium
    from PIL import Image, ImageDraw

    pdf = pdfium.PdfDocument(path)
    page = pdf[page_number - 1]
    scale = min(width, MAX_WIDTH) / page.get_width()
    scale = min(scale, MAX_HEIGHT / page.get_height())
    picture = page.render(scale=scale).to_pil().convert("RGBA")
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    for left, top, right, bottom in _boxes(page, quotes, picture.height, scale):
        pen.rectangle((left - 2, top - 1, right + 2, bottom + 1), fill=MARK)
    output = io.BytesIO()
    Image.alpha_composite(picture, layer).convert("RGB").save(output, "PNG", optimize=False, compress_level=4)
    return output.getvalue()


def _boxes(page: Any, quotes: list[str], height: int, scale: float) -> list[tuple[float, float, float, float]]:
    textpage = page.get_textpage()
    raw = textpage.get_text_range()
    boxes: list[tuple[float, float, float, float]] = []
    for quote in quotes:
        span = find(raw, quote)
        if span is None:
            continue
        for index in range(textpage.count_rects(span[0], span[1] - span[0])):
            left, bottom, right, top = textpage.get_rect(index)
            boxes.append((left * scale, height - top * scale, right * scale, height - bottom * scale))
    return boxes


def find(raw: str, quote: str) -> tuple[int, int] | None:
    """Where `quote` stands in the raw text of a page, whatever the spaces and hyphens between; None when it does not.

    A quote may run over page breaks: its longest beginning or end that stands here counts, if it is 30 characters long.
    """
    places = [(i, c) for i, c in enumerate(raw) if not _SKIPPED.match(c)]
    solid = "".join(c for _, c in places)
    wanted = _SKIPPED.sub("", quote)
    if not wanted:
        return None
    at, length = solid.find(wanted), len(wanted)
    while at < 0 and length > 30:
        length = int(length * 0.85)
        at = solid.find(wanted[:length])
        if at < 0:
            at = solid.find(wanted[-length:])
        else:
            # As much of the beginning as there is.
            while length < len(wanted) and at + length < len(solid) and solid[at + length] == wanted[length]:
                length += 1
    if at < 0:
        return None
    return places[at][0], places[at + length - 1][0] + 1
