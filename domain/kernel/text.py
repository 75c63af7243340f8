"""Texts that people write: cleaned and bounded in one place."""

import unicodedata

from domain.kernel.errors import N_, Invalid

NAME_LIMIT = 255


def clean_name(value: str | None, field: str = "name", limit: int = NAME_LIMIT) -> str:
    """A trimmed one-line name of 1 to `limit` characters; raises `Invalid`."""
    text = "".join(c for c in (value or "") if c in "\t " or unicodedata.category(c)[0] != "C").strip()
    if not text:
        raise Invalid(N_("Give a name."), field=field)
    if len(text) > limit:
        raise Invalid(N_("Use at most {limit} characters."), field=field, limit=limit)
    return text


def clean_text(value: str | None, field: str, limit: int) -> str:
    """A text of at most `limit` characters that can be kept: without NUL and halves of characters; raises `Invalid`."""
    text = (value or "").replace("\x00", "").encode(errors="replace").decode()
    if len(text) > limit:
        raise Invalid(N_("Use at most {limit} characters."), field=field, limit=limit)
    return text
