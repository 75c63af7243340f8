"""Names and relative paths of files as people give them, made harmless."""

import re
import unicodedata

LIMIT = 255
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')


def clean_filename(name: str) -> str:
    """The last part of a path, without control characters and in NFC; at most 255 characters, the extension kept."""
    base = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    base = "".join(c for c in _FORBIDDEN.sub("_", base) if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    base = base.strip().strip(".").strip() or "file"
    if len(base) <= LIMIT:
        return base
    stem, dot, extension = base.rpartition(".")
    if not dot or len(extension) > 10:
        return base[:LIMIT]
    return f"{stem[: LIMIT - len(extension) - 1]}.{extension}"


def clean_path(path: str) -> str:
    """A relative path, each part of it a clean name; at most 255 characters, the end kept."""
    parts = [part for part in path.replace("\\", "/").split("/") if part.strip(". ")]
    clean = "/".join(clean_filename(part) for part in parts) or "file"
    return clean if len(clean) <= LIMIT else f"…{clean[1 - LIMIT :]}"
