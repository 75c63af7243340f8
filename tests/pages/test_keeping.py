"""Conversations that stand first, and those that are gone when they are left, in a real browser."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_chat import ask
from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.server import Installation, installed


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation."""
    with installed(tmp_path_factory.mktemp("keeping") / "data", WORKERS="0") as made:
        yield made


def test_pinning_and_a_temporary_chat(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    ask(page, installation.url, "Vad kostar en altan?")
    expect(page.get_by_test_id("send")).to_be_visible()
    menu = page.get_by_role("navigation").get_by_role("button", name="Options for Vad kostar en altan?")
    menu.click()
    page.get_by_role("menuitem", name="Pin").click()
    expect(page.get_by_role("heading", name="Pinned")).to_be_visible()
    page.goto(f"{installation.url}/chat")
    ready(page)
    page.set_viewport_size({"width": 360, "height": 700})
    page.get_by_role("button", name="Temporary chat").click()
    notice = page.get_by_test_id("temporary")
    expect(notice).to_contain_text("is deleted for good")
    page.get_by_label("Message", exact=True).fill("Får hönan Agda bo här?")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("why")).to_be_visible()
    expect(notice).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    assert grave(page) == []
    assert page.url.endswith("/temporary")
    page.set_viewport_size({"width": 1440, "height": 900})
    with closing(sqlite3.connect(installation.data / "samrad.db")) as database:
        left = "select count(*) from conversations where temporary"
        assert database.execute(left).fetchone() == (1,)
        page.get_by_role("navigation").get_by_role("link", name=re.compile("All conversations")).click()
        expect(page.get_by_role("heading", name="Conversations", level=1)).to_be_visible()
        expect(page.get_by_role("main").get_by_text("Agda")).to_have_count(0)
        expect(page.get_by_role("main").get_by_text("Vad kostar en altan?")).to_be_visible()
        deadline = time.monotonic() + 20
        while database.execute(left).fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
