"""Pictures: what they are, the text on them (by tesseract), small ones of them. Runs only in the sandboxed child process."""

import io
import os
import re
from pathlib import Path
from typing import Any

from app.ingestion.readers import MAX_PAGES, TOO_MANY_PAGES, clean
from app.ingestion.tools import TESSERACT, find, run
from domain.kernel.errors import N_, CorruptFile, UnreadableFile
from domain.knowledge.parsing import PICTURES, WRONG_TYPE, ParsedDocument, extension_of

MAX_PIXELS = 80_000_000
DOTS_PER_INCH = 200
OCR_PIXELS = 12_000_000
"""A page is made this small before it is read: more costs time and memory and finds no more words."""
SQUARE_PIXELS = 4_096 * 4_096
"""No more points has a picture of which a small one is made."""
PLAIN = 24
"""A page whose lightest and darkest points differ by less (of 255) is blank."""
LANGUAGES = ("swe", "eng")
HUGE = N_("The picture is too large to be read ({width} × {height} points). Save it smaller and upload it again.")
_FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "tiff": "TIFF", "webp": "WEBP"}
_LINE_END_HYPHEN = re.compile(r"(\w)-\n(?=[a-zåäöé])")


def read_picture(path: Path, media_type: str) -> ParsedDocument:
    """A picture, or a fax of several pages (TIFF): pages without text, until they are read by OCR."""
    from PIL import Image

    # What it is by name was compared with its first bytes before.
    kinds = sorted({_FORMATS[e] for e in PICTURES})
    with _opened(Image, path, kinds) as picture:
        if Image.MIME.get(picture.format or "") != media_type:
            raise CorruptFile(WRONG_TYPE)
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise UnreadableFile(HUGE, width=width, height=height)
        pages = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
        picture.load()
    if pages > MAX_PAGES:
        raise UnreadableFile(TOO_MANY_PAGES, pages=pages, limit=MAX_PAGES)
    return ParsedDocument(
        "", [], media_type, page_count=pages, page_starts=[0] * pages, pages_without_text=list(range(1, pages + 1))
    )


def _opened(image: Any, path: Path, kinds: list[str]) -> Any:
    from PIL import UnidentifiedImageError

    image.MAX_IMAGE_PIXELS = None
    try:
        return image.open(path, formats=kinds)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise CorruptFile from error


def square(path: Path, side: int) -> bytes:
    """The middle of a picture, of a moving one its first frame, as PNG: at most `side` × `side` points and nothing else."""
    from PIL import Image, ImageOps

    with _opened(Image, path, ["PNG", "JPEG", "WEBP"]) as picture:
        # Of a photograph no more is read than its square needs; what can only be read whole may not be as large.
        picture.draft(None, (2 * side, 2 * side))
        width, height = picture.size
        if width * height > SQUARE_PIXELS:
            raise UnreadableFile(HUGE, width=width, height=height)
        # As it was held when it was taken, which is written beside the points.
        upright = ImageOps.exif_transpose(picture)
        plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    edge = min(side, *plain.size)
    small = ImageOps.fit(plain, (edge, edge), Image.Resampling.LANCZOS)
    # Where it was taken, by whom and with what: Pillow would write some of it to the new file.
    small.info.clear()
    output = io.BytesIO()
    small.save(output, "PNG", optimize=True)
    return output.getvalue()


def read_by_ocr(path: Path, filename: str, page: int, seconds: float) -> str:
    """The text on a page, from 1, of a PDF or picture; empty when the page is blank."""
    picture = _drawn(path, page) if extension_of(filename) == "pdf" else _frame(path, page)
    low, high = picture.getextrema()
    if high - low < PLAIN:
        return ""
    place = Path(os.environ["TMPDIR"]) / "page.png"
    picture.save(place, "PNG", compress_level=1, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    program = find(TESSERACT) or TESSERACT
    known = run([program, "--list-langs"], seconds).split()
    languages = "+".join(language for language in LANGUAGES if language in known) or "eng"
    text = clean(run([program, str(place), "stdout", "-l", languages, "--dpi", str(DOTS_PER_INCH)], seconds))
    return _LINE_END_HYPHEN.sub(r"\1", text.replace("\f", "")).strip()


def _drawn(path: Path, page: int) -> Any:
    import pypdfium2 as pdfium

    leaf = pdfium.PdfDocument(path)[page - 1]
    scale = min(DOTS_PER_INCH / 72, (OCR_PIXELS / max(1.0, leaf.get_width() * leaf.get_height())) ** 0.5)
    return leaf.render(scale=scale, grayscale=True).to_pil().convert("L")


def _frame(path: Path, page: int) -> Any:
    from PIL import Image

    with _opened(Image, path, sorted(set(_FORMATS.values()))) as picture:
        if page > 1:
            picture.seek(page - 1)
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise UnreadableFile(HUGE, width=width, height=height)
        # What is see-through is paper.
        if picture.mode in ("RGBA", "LA", "P", "PA"):
            paper = Image.new("RGBA", picture.size, "white")
            paper.alpha_composite(picture.convert("RGBA"))
            picture = paper
        gray = picture.convert("L")
    factor = (OCR_PIXELS / (width * height)) ** 0.5
    return gray.resize((max(1, int(width * factor)), max(1, int(height * factor)))) if factor < 1 else gray
