"""The one source of time: aware, in UTC."""

from datetime import UTC, datetime, timedelta

SET_BACK = timedelta(minutes=10)
"""Leases, signs of life and pauses reach less far ahead: one that reaches further is from before the clock was set back."""


def now() -> datetime:
    """The current moment in UTC."""
    return datetime.now(UTC)


def over(moment: datetime) -> bool:
    """Whether a lease, a sign of life or a pause is over, also when the clock was set back in between."""
    present = now()
    return moment <= present or moment > present + SET_BACK
