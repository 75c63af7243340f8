"""Editing questions and going from one version to another, in a real browser."""

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
    with installed(tmp_path_factory.mktemp("branches") / "data", WORKERS="0") as made:
        yield made


def test_versions_of_questions_and_answers_by_keyboard(
    page: Page, installation: Installation, provider: Provider
) -> None:
    installation.add_model(provider.url, "ok:5")
    page.set_viewport_size({"width": 360, "height": 700})
    sign_in(page, installation.url)
    ask(page, installation.url, "Fråga ett?")
    log, box = page.get_by_role("log"), page.get_by_label("Message", exact=True)
    expect(page.get_by_test_id("send")).to_be_visible()
    box.fill("Fråga två?")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("why")).to_have_count(2)
    edit = page.get_by_role("button", name="Edit the question").first
    edit.focus()
    page.keyboard.press("Enter")
    editing = page.get_by_role("textbox", name="Edit the question")
    expect(editing).to_be_focused()
    assert grave(page) == []
    page.keyboard.press("Escape")
    expect(edit).to_be_focused()
    page.keyboard.press("Enter")
    editing.fill("Fråga ett i andra ord?")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_test_id("version")).to_have_text("2 of 2")
    expect(log).not_to_contain_text("Fråga två?")
    expect(page.get_by_test_id("why")).to_have_count(1)
    page.get_by_role("button", name="Answer again").click()
    expect(page.get_by_test_id("version")).to_have_text("3 of 3")
    expect(page.get_by_test_id("why")).to_have_count(1)
    former = page.get_by_role("button", name="Former version")
    former.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("version")).to_have_text("2 of 3")
    expect(former).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("version")).to_have_text("1 of 3")
    expect(log).to_contain_text("Fråga två?")
    assert grave(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    second = page.context.new_page()
    second.goto(page.url)
    ready(second)
    expect(second.get_by_role("log")).to_contain_text("Fråga två?")
    second.get_by_role("button", name="Later version").click()
    expect(page.get_by_test_id("version")).to_have_text("2 of 3")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{installation.url}/conversations")
    ready(page)
    page.get_by_label("Search conversations").fill("två")
    page.get_by_role("listitem").filter(has=page.get_by_test_id("excerpt")).get_by_role("link").click()
    expect(log).to_contain_text("Fråga två?")
    expect(page.get_by_test_id("version")).to_have_text("1 of 3")


def test_easy_language_and_copying_with_formatting(page: Page, installation: Installation, provider: Provider) -> None:
    provider.script = "Det är **viktigt** att söka bygglov."
    installation.add_model(provider.url, "script")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, installation.url)
    ask(page, installation.url, "Fråga ett?")
    page.get_by_test_id("copy-rich").click()
    expect(page.get_by_test_id("copy-rich")).to_contain_text("check")
    read = """async () => { const [item] = await navigator.clipboard.read();
        return Promise.all(["text/html", "text/plain"].map(async (kind) => (await item.getType(kind)).text())); }"""
    formatted, plain = page.evaluate(read)
    assert "<strong>viktigt</strong>" in formatted
    assert plain == provider.script
    page.get_by_role("button", name="In easy language").click()
    expect(page.get_by_test_id("easy")).to_have_text("Easy language")
    expect(page.get_by_test_id("version")).to_have_text("2 of 2")
    expect(page.get_by_role("button", name="In easy language")).to_have_count(0)
    expect(page.get_by_test_id("why")).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 700})
    assert grave(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= 360")


def test_who_presses_twice_asks_once(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "ok:5")
    sign_in(page, installation.url)
    ask(page, installation.url, "Fråga ett?")
    page.get_by_role("button", name="Answer again").dblclick()
    expect(page.get_by_test_id("version")).to_have_text("2 of 2")
    expect(page.get_by_test_id("why")).to_have_count(1)
    page.get_by_role("button", name="Edit the question").click()
    page.get_by_role("textbox", name="Edit the question").fill("Fråga två?")
    page.get_by_role("button", name="Ask", exact=True).dblclick()
    expect(page.get_by_test_id("version")).to_have_text("3 of 3")
    expect(page.get_by_test_id("why")).to_have_count(1)
    page.get_by_role("button", name="Former version").click()
    expect(page.get_by_test_id("version")).to_have_text("2 of 3")
    expect(page.get_by_role("log")).to_contain_text("Fråga ett?")
