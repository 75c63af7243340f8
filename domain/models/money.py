"""Money in whole billionths of a currency: what a call costs is far less than an öre, and sums must be exact."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from domain.kernel.errors import N_, Invalid
from domain.models.entities import ModelPrice

BILLIONTH = 10**9
MILLION = 10**6
HIGHEST = 10**6
"""No price or budget is higher, in whole units of the currency."""
CURRENCIES = ("SEK", "EUR", "USD", "NOK", "DKK", "GBP", "CHF")


def from_decimal(value: Decimal | float | str | None, field: str) -> int:
    """Billionths of an amount that somebody entered; raises `Invalid`."""
    try:
        amount = Decimal(str(value if value is not None else 0))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or not 0 <= amount <= HIGHEST:
        raise Invalid(N_("Give a number from {low} to {high}."), field=field, low=0, high=HIGHEST)
    return int((amount * BILLIONTH).to_integral_value(ROUND_HALF_EVEN))


def to_decimal(billionths: int) -> Decimal:
    """The amount in whole units, exactly."""
    return (Decimal(billionths) / BILLIONTH).normalize() + Decimal(0)


def clean_currency(value: str) -> str:
    """One of the known currencies; raises `Invalid`."""
    found = (value or "").strip().upper()
    if found not in CURRENCIES:
        raise Invalid(N_("Choose one of the listed currencies."), field="currency")
    return found


def cost(price: ModelPrice, tokens_in: int, tokens_out: int, tokens_cached: int = 0, seconds: float = 0.0) -> int:
    """What a call costs, in billionths. `tokens_cached` are among `tokens_in`; fractions count in the payer's disfavour."""
    cached = min(tokens_cached, tokens_in)
    rate = price.input if price.cached is None else price.cached
    tokens = (tokens_in - cached) * price.input + cached * rate + tokens_out * price.output
    return -(-tokens // MILLION) + -(-round(seconds * 1000) * price.minute // 60_000)
