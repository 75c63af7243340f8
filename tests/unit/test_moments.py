"""Moments are shown as the clocks of the installation tell them."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from nicegui import Client
from nicegui.page import page

from domain.kernel.actor import Actor
from domain.kernel.ids import new_id
from pages.admin.audit import _day
from pages.i18n import moment
from pages.visit import Site, Visit, enter

NOTHING = cast("Any", None)
"""What has no part in it."""


@pytest.fixture
def tab() -> Iterator[Client]:
    """A tab of somebody in an installation in Stockholm."""
    actor = Actor(tenant_id=new_id(), user_id=new_id())
    made = Client(page(""))
    site = Site(NOTHING, NOTHING, NOTHING, NOTHING, zone=ZoneInfo("Europe/Stockholm"))
    with made:
        enter(Visit(site, made, NOTHING, actor, "en"))
    yield made
    made.delete()


def test_a_moment_is_shown_in_the_time_of_the_installation(tab: Client) -> None:
    with tab:
        assert moment(datetime(2026, 7, 1, 22, 30, tzinfo=UTC)) == "2 Jul 2026 00:30"
        assert moment(datetime(2026, 12, 1, 22, 30, tzinfo=UTC)) == "1 Dec 2026 23:30"
        assert moment(None) == ""


def test_a_day_of_the_audit_log_begins_when_it_begins_there(tab: Client) -> None:
    with tab:
        begins = _day("2026-07-01", time.min)
    assert begins == datetime(2026, 6, 30, 22, tzinfo=UTC)
