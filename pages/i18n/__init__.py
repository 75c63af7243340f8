"""The words people read, in their language.

English sentences in the code are the message ids; `<language>.po` in this folder holds the others, compiled when they
are first needed, so that nothing has to be built. Importing this package does not load NiceGUI: the REST interface and
the built-in model translate with it too.
"""

import io
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any, Protocol

LANGUAGES: Mapping[str, str] = {"sv": "Svenska", "en": "English"}
"""The languages people may choose, in their own words."""
DEFAULT = "sv"
FOLDER = Path(__file__).parent


@lru_cache
def catalogue(language: str) -> NullTranslations:
    """The translations into `language`; English needs none."""
    path = FOLDER / f"{language}.po"
    if language not in LANGUAGES or not path.exists():
        return NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def translate(message: str, language: str, /, **params: Any) -> str:
    """`message` in `language`, with its `{name}` parameters filled in."""
    text = catalogue(language).gettext(message) if message else ""
    return text.format(**params) if params else text


class Told(Protocol):
    """Something that may have failed: a message id, and what is to be filled in."""

    error: str | None
    error_params: dict[str, Any]


def reason(told: Told, language: str) -> str | None:
    """Why it failed, in `language`; a text that is filled in may be a message id too. None where it has not failed."""
    if not told.error:
        return None
    filled = {name: translate(p, language) if isinstance(p, str) else p for name, p in told.error_params.items()}
    return translate(told.error, language, **filled)


def current_language() -> str:
    """The language of the page that is being built or has sent an event."""
    from pages.visit import visit

    return visit().language


def current_zone() -> tzinfo:
    """The time zone in which times of day are meant."""
    from pages.visit import visit

    return visit().site.zone


def _(message: str, /, **params: Any) -> str:
    """`message` in the language of the page."""
    return translate(message, current_language(), **params)


def ngettext(singular: str, plural: str, n: int) -> str:
    """The form that fits `n`, with `{n}` filled in."""
    return catalogue(current_language()).ngettext(singular, plural, n).format(n=number(n))


def number(value: float) -> str:
    """A number with the language's separators."""
    from babel.numbers import format_decimal

    return format_decimal(value, locale=current_language())


def moment(value: datetime | None) -> str:
    """Date and time where the installation is, short; empty for None."""
    from babel.dates import format_datetime

    if value is None:
        return ""
    return format_datetime(value.astimezone(current_zone()), "d MMM y HH:mm", locale=current_language())


def date_text(value: date) -> str:
    """A day, short."""
    from babel.dates import format_date

    return format_date(value, "d MMM y", locale=current_language())


def money(value: Decimal, currency: str) -> str:
    """An amount with its currency; small ones with as many decimals as it takes to see them."""
    from babel.numbers import format_currency

    shown = f"#,##0.00{'' if value == 0 or value >= Decimal('0.1') else '####'} ¤¤"
    return format_currency(value, currency, shown, locale=current_language(), currency_digits=False)


def size(value: int) -> str:
    """Bytes as people read them: `2,4 MB`."""
    amount, unit = float(value), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1024 or unit == "GB":
            break
        amount /= 1024
    return f"{number(round(amount, 1 if amount < 10 else 0))} {unit}"


def preferred(accept_language: str) -> str:
    """The best of our languages for an `Accept-Language` header."""
    for part in accept_language.split(","):
        code = part.split(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return DEFAULT
