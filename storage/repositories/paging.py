"""Opaque cursors for keyset paging."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from domain.kernel.errors import N_, Invalid


def encode(*keys: Any) -> str:
    """A cursor that holds the sort keys of the last row of a page."""
    return base64.urlsafe_b64encode(json.dumps([str(key) for key in keys]).encode()).decode().rstrip("=")


def decode(cursor: str | None, count: int) -> Sequence[str] | None:
    """The sort keys in a cursor; None without one. Raises `Invalid` when it is not one of ours."""
    if not cursor:
        return None
    try:
        keys = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        keys = None
    if not isinstance(keys, list) or len(keys) != count or not all(isinstance(key, str) for key in keys):
        raise Invalid(N_("The list cannot be continued from here. Load it again."), field="cursor")
    return keys


def identifier(key: str) -> UUID:
    """An id in a cursor; raises `Invalid` when it is none."""
    try:
        return UUID(key)
    except ValueError:
        raise Invalid(N_("The list cannot be continued from here. Load it again."), field="cursor") from None


def number(key: str) -> int:
    """A whole number in a cursor; raises `Invalid` when it is none, or more than a database holds."""
    try:
        value = int(key)
    except ValueError:
        value = -1
    if not 0 <= value < 2**63:
        raise Invalid(N_("The list cannot be continued from here. Load it again."), field="cursor")
    return value


def escape_like(text: str) -> str:
    """`text` with the wildcards of LIKE made literal; the escape character is the backslash.

    What no text in the database holds (NUL, halves of characters) is left out: Postgres would refuse it.
    """
    text = "".join(character for character in text if character.isprintable())
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
