"""Pictures of every kind, good and bad."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

TELLTALE = b"Fotograferat av Anna"


def picture(width: int, height: int | None = None, form: str = "PNG", colour: str = "#c1440e", **more: Any) -> bytes:
    """A plain picture."""
    output = io.BytesIO()
    Image.new("RGB", (width, height or width), colour).save(output, form, **more)
    return output.getvalue()


def moving(form: str) -> bytes:
    """A picture that moves: its first frame is red, the second one blue."""
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("#ff0000", "#0000ff")]
    output = io.BytesIO()
    frames[0].save(output, form, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    return output.getvalue()


def telling(form: str) -> bytes:
    """A picture that says who has taken it, and that it was held on its side: red left, blue right."""
    made = Image.new("RGB", (64, 64), "#0000ff")
    # Turned a quarter to the right when it is shown, the lower half comes to the left.
    made.paste("#ff0000", (0, 32, 64, 64))
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, TELLTALE.decode()
    output = io.BytesIO()
    made.save(output, form, exif=exif, quality=95)
    return output.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says it has so many points."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (width // 8 + 1) * min(height, 1_000), 9)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")
