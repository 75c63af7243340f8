"""When a website is read by itself."""

import re
from datetime import datetime, timedelta, tzinfo

from domain.kernel.errors import N_, Invalid
from domain.websites.entities import Interval, Website

WAITS = tuple(timedelta(hours=hours) for hours in (1, 4, 24, 48, 96, 168))
"""From a failed crawl to the next attempt, by how many have failed in a row; the last for all further ones."""
GIVE_UP = 10
"""So many failures in a row switch the schedule off."""


def clean_time(value: str) -> str:
    """A time of day as HH:MM; raises `Invalid`."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise Invalid(N_("Give a time like 03:00."), field="update_time")
    return value


def next_time(website: Website, moment: datetime, zone: tzinfo) -> datetime | None:
    """The next regular crawl: so many days after `moment`, at the time of day; None for never."""
    days = Interval(website.update_interval).days
    if days is None:
        return None
    hour, minute = (int(part) for part in website.update_time.split(":"))
    last = moment.astimezone(zone)
    due = last.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
    due += timedelta(days=days - 1 if due > last else days)
    return due.astimezone(moment.tzinfo)


def succeeded(website: Website, moment: datetime, zone: tzinfo) -> None:
    """A crawl went well: the schedule goes on."""
    website.consecutive_failures = 0
    website.next_crawl_at = next_time(website, moment, zone)


def failed(website: Website, moment: datetime) -> None:
    """A crawl failed as a whole: the schedule waits longer each time, and is switched off in the end."""
    website.consecutive_failures += 1
    if website.consecutive_failures >= GIVE_UP:
        website.update_interval = Interval.NEVER
    if website.update_interval == Interval.NEVER:
        website.next_crawl_at = None
        return
    website.next_crawl_at = moment + WAITS[min(website.consecutive_failures, len(WAITS)) - 1]


def given_up(website: Website) -> bool:
    """Whether failures have switched the schedule off."""
    return website.consecutive_failures >= GIVE_UP and website.update_interval == Interval.NEVER
