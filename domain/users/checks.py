"""What is entered about people, checked in one place."""

import re
from collections.abc import Sequence
from typing import Any

from domain.kernel.errors import N_, Invalid

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)*")


def clean_email(value: str) -> str:
    """A trimmed address in lower case; raises `Invalid`."""
    email = value.strip().lower()
    if len(email) > 320 or not _EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid(N_("Give a valid e-mail address."), field="email")
    return email


def one_of(value: Any, allowed: Sequence[str], field: str) -> str:
    """The value, if it is allowed; raises `Invalid`."""
    if value not in allowed:
        raise Invalid(N_("Choose one of the listed values."), field=field)
    return str(value)
