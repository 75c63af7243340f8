"""Mentioning another assistant in a real browser, by keyboard."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_chat import ask
from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation."""
    with installed(tmp_path_factory.mktemp("mentions") / "data", WORKERS="0") as made:
        yield made


def test_another_assistant_is_mentioned_by_keyboard(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "ok:5")
    with installation.client() as client:
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
        for name in ("Bygglov Höganäs", "Skolskjuts"):
            client.post(f"/api/v1/spaces/{space}/applications/assistants/", json={"name": name}).raise_for_status()
    sign_in(page, installation.url)
    ask(page, installation.url, "Fråga ett?")
    box, found = page.get_by_label("Message", exact=True), page.get_by_role("listbox", name="Assistants")
    box.press_sequentially("Vad kostar det @")
    expect(found.get_by_role("option")).to_have_count(2)
    assert grave(page) == []
    page.keyboard.press("Escape")
    expect(found).to_have_count(0)
    box.press_sequentially("höga")
    expect(found.get_by_role("option").locator(".named")).to_have_text(["Bygglov Höganäs" + "Bygg"])
    expect(box).to_have_attribute("aria-activedescendant", found.get_by_role("option").get_attribute("id") or "-")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("mentioned")).to_contain_text("@Bygglov Höganäs")
    expect(box).to_have_value("Vad kostar det ")
    expect(box).to_be_focused()
    page.keyboard.press("Enter")
    who = page.get_by_test_id("message-answer-1")
    expect(who).to_contain_text("Bygglov Höganäs")
    expect(page.get_by_test_id("why")).to_have_count(2)
    expect(page.get_by_test_id("mentioned")).to_have_count(0)
    page.get_by_test_id("mention").click()
    page.get_by_role("option", name="Skolskjuts").click()
    page.get_by_role("button", name="Do not ask Skolskjuts").click()
    expect(page.get_by_test_id("mentioned")).to_have_count(0)
    gauge = page.get_by_role("meter", name="Room in the model")
    expect(gauge).to_have_attribute("aria-valuetext", re.compile("^About \\d+ % of what the model can take in is used"))
    before = int(gauge.get_attribute("aria-valuenow") or 0)
    box.fill("Avgiften. " * 36_000)
    expect(gauge).to_contain_text("%")
    assert int(gauge.get_attribute("aria-valuenow") or 0) > before
    expect(gauge).to_have_attribute("aria-valuetext", re.compile("Begin a new conversation"))
    assert grave(page) == []
    box.fill("")
    page.reload()
    expect(who).to_contain_text("Bygglov Höganäs")


def test_the_menu_of_assistants_stays_short_and_leads_to_the_search(page: Page, installation: Installation) -> None:
    with installation.client() as client:
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
        for number in range(22):
            name = {"name": f"Hjälp {number:02}"}
            client.post(f"/api/v1/spaces/{space}/applications/assistants/", json=name).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/chat")
    ready(page)
    page.get_by_role("button", name="Change assistant").click()
    expect(page.get_by_role("menuitem")).to_have_count(21)
    page.get_by_role("menuitem", name="Search all assistants").click()
    page.get_by_label("Search", exact=True).last.fill("HJÄLP 21")
    page.get_by_role("dialog").get_by_role("link", name="Hjälp 21").click()
    expect(page).to_have_url(re.compile("/chat/"))
    expect(page.get_by_role("heading", name="Hjälp 21").first).to_be_visible()
