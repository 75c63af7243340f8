"""Files of the formats that are no plain packages: Outlook messages, books, scans, archives, sounds."""

import io
import struct
import wave
import zipfile
from collections.abc import Mapping, Sequence

SECTOR, MINI, NONE, END, FAT = 512, 64, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
Tree = Mapping[str, "bytes | Tree"]


def compound_file(tree: Tree) -> bytes:
    """An OLE compound file with these streams and storages, each stream shorter than 4096 bytes."""
    entries: list[tuple[str, int, int, int, int, int]] = []
    mini = bytearray()
    mini_fat: list[int] = []

    def stream(data: bytes) -> int:
        first = len(mini_fat)
        count = max(1, -(-len(data) // MINI))
        mini_fat.extend([*range(first + 1, first + count), END])
        mini.extend(data.ljust(count * MINI, b"\x00"))
        return first

    def add(name: str, kind: int, children: Tree | None, data: bytes = b"") -> int:
        number = len(entries)
        entries.append(("", 0, 0, 0, 0, 0))
        first = NONE
        if children:
            # Siblings hang on each other's right, in the order that the format asks for.
            for child in sorted(children, key=lambda n: (len(n), n.upper()), reverse=True):
                value = children[child]
                inner = add(child, 2, None, value) if isinstance(value, bytes) else add(child, 1, value)
                known = entries[inner]
                entries[inner] = (known[0], known[1], first, known[3], known[4], known[5])
                first = inner
        start = stream(data) if kind == 2 else 0
        entries[number] = (name, kind, NONE, first, start, len(data))
        return number

    add("Root Entry", 5, tree)
    directory = bytearray()
    root = entries[0]
    entries[0] = (root[0], root[1], NONE, root[3], 0, len(mini))
    for name, kind, right, child, start, size in entries:
        encoded = name.encode("utf-16-le") + b"\x00\x00"
        directory += encoded.ljust(64, b"\x00") + struct.pack("<HBBIII", len(encoded), kind, 1, NONE, right, child)
        directory += bytes(16 + 4 + 16) + struct.pack("<IQ", start, size)
    parts = [
        _sectors(bytes(mini)),
        _sectors(bytes(directory)),
        _sectors(struct.pack(f"<{len(mini_fat)}I", *mini_fat), NONE),
    ]
    fat, starts = [FAT], []
    for part in parts:
        count = len(part) // SECTOR
        starts.append(len(fat))
        fat += [*range(len(fat) + 1, len(fat) + count), END]
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(SECTOR, b"\xff")
    # The root's stream is where the small streams are.
    body = bytearray(parts[1])
    struct.pack_into("<I", body, 116, starts[0])
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, starts[1], 0, 4096, starts[2], len(parts[2]) // SECTOR, END, 0)
    header += struct.pack("<I", 0).ljust(4 * 109, b"\xff")
    return header + table + parts[0] + bytes(body) + parts[2]


def _sectors(data: bytes, fill: int = 0) -> bytes:
    return data.ljust(max(1, -(-len(data) // SECTOR)) * SECTOR, b"\xff" if fill else b"\x00")


def msg(subject: str, body: str, *, attached: Sequence[str] = ()) -> bytes:
    """A message as Outlook saves it."""

    def text(tag: str, value: str) -> tuple[str, bytes]:
        return f"__substg1.0_{tag}001F", value.encode("utf-16-le")

    tree: dict[str, bytes | Tree] = dict(
        [
            text("0037", subject), text("1000", body), text("0C1A", "Anna Ek"), text("0C1F", "anna@example.se"),
            text("0E04", "registrator@example.se"), text("007D", "Date: Mon, 12 Jan 2026 09:00:00 +0100\r\n"),
        ]
    )  # fmt: skip
    tree["__properties_version1.0"] = bytes(32)
    for number, name in enumerate(attached):
        tree[f"__attach_version1.0_#{number:08X}"] = dict([text("3707", name), ("__properties_version1.0", bytes(8))])
    return compound_file(tree)


def epub(title: str, chapters: Sequence[tuple[str, str]], *, rights: bool = False) -> bytes:
    """A book of (heading, text) chapters, whose files are named against their order."""
    items, spine, members = "", "", {}
    for number, (heading, text) in enumerate(chapters):
        name = f"text/kapitel%20{len(chapters) - number}.xhtml"
        items += f'<item id="c{number}" href="{name}" media-type="application/xhtml+xml"/>'
        spine += f'<itemref idref="c{number}"/>'
        page = f"<html><head><title>{heading}</title></head><body><h1>{heading}</h1><p>{text}</p></body></html>"
        members[f"OEBPS/{name.replace('%20', ' ')}"] = page
    members["META-INF/container.xml"] = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'
    )
    members["OEBPS/content.opf"] = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>{title}</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    if rights:
        members["META-INF/rights.xml"] = "<rights/>"
    return zip_of({"mimetype": b"application/epub+zip", **{n: t.encode() for n, t in members.items()}})


def rtf(paragraphs: Sequence[str], table: Sequence[Sequence[str]] = ()) -> bytes:
    """A text in RTF."""

    def escaped(text: str) -> str:
        return "".join(c if ord(c) < 128 else f"\\'{c.encode('cp1252').hex()}" for c in text)

    body = "".join(f"{escaped(text)}\\par\n" for text in paragraphs)
    for row in table:
        body += "\\trowd" + "".join(f"\\cellx{1000 * (n + 1)}" for n in range(len(row)))
        body += "\\intbl " + "".join(f"{escaped(cell)}\\cell " for cell in row) + "\\row\n"
    return ("{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0 Arial;}}\n" + body + "}").encode()


def zip_of(members: Mapping[str, bytes]) -> bytes:
    """An archive of these files."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return output.getvalue()


def scan(text: str, kind: str = "PNG", *, pages: int = 1) -> bytes:
    """A picture of a page with this text; `kind` is PNG, JPEG, WEBP, TIFF or PDF, the last two of `pages` pages."""
    from PIL import Image, ImageDraw, ImageFont

    sheets = []
    for _ in range(pages):
        sheet = Image.new("L", (1240, 600), 255)
        ImageDraw.Draw(sheet).multiline_text((80, 80), text, font=ImageFont.load_default(size=34), fill=0, spacing=16)
        sheets.append(sheet)
    output = io.BytesIO()
    more = {"save_all": True, "append_images": sheets[1:]} if kind in ("TIFF", "PDF") else {}
    sheets[0].save(output, kind, resolution=150, **more)
    return output.getvalue()


def wav(seconds: float) -> bytes:
    """Silence, 8,000 samples a second."""
    output = io.BytesIO()
    with wave.open(output, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(int(seconds * 16_000)))
    return output.getvalue()
