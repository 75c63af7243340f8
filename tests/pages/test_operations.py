"""Notices and status in a real browser: the operator speaks, open pages show it; maintenance closes them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import OPERATOR_KEY
from tests.pages.test_pages import grave, open_page
from tests.pages.test_sysadmin import enter
from tests.support.browser import ready, sign_in, somebody
from tests.support.server import EMAIL, Installation, installed

TEXT = "Vi uppgraderar klockan 18."


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation, whose operator has a key."""
    folder = tmp_path_factory.mktemp("operations") / "data"
    with installed(folder, WORKERS="0", SUPER_API_KEY=OPERATOR_KEY) as made:
        yield made


def announce(page: Page, kind: str) -> None:
    page.get_by_role("button", name="New notice").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kind").click()
    page.get_by_role("option", name=kind).click()
    dialog.get_by_label("Text in Swedish").fill(TEXT)
    assert grave(page) == []
    dialog.get_by_role("button", name="Show to everybody").click()
    expect(dialog).to_have_count(0)


def test_a_notice_reaches_open_pages_and_maintenance_closes_them(
    page: Page, browser: Browser, installation: Installation
) -> None:
    enter(page, installation)
    expect(page.get_by_text("Everything works.")).to_be_visible()
    with somebody(browser, locale="en-GB") as context:
        other = context.new_page()
        sign_in(other, installation.url, EMAIL)
        other.goto(f"{installation.url}/admin/status")
        ready(other)
        expect(other.get_by_text("SQLite", exact=True)).to_be_visible()
        assert grave(other) == []
        announce(page, "Warning")
        expect(other.get_by_text(TEXT)).to_be_visible()
        announce(page, "Maintenance")
        expect(other.get_by_text("The service is closed for maintenance.")).to_be_visible()
        # The operator's own page goes on, and opens the product again.
        page.get_by_role("button", name="Withdraw").click()
        expect(page.get_by_text("Nothing is said at present.")).to_be_visible()
        open_page(other, f"{installation.url}/admin/status")
        expect(other.get_by_text(TEXT)).to_have_count(0)
