"""The chat in a real browser: stopping, a second tab, and text that would like to be a program."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed

HOSTILE = (
    "<img src=x onerror=window.owned=1> <script>window.owned=1</script> [here](javascript:window.owned=1) "
    "<iframe srcdoc='<script>parent.owned=1</script>'></iframe>"
)


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation."""
    with installed(tmp_path_factory.mktemp("chat") / "data", WORKERS="0") as made:
        yield made


def ask(page: Page, url: str, question: str) -> None:
    page.goto(f"{url}/chat")
    ready(page)
    page.get_by_label("Message", exact=True).fill(question)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/conversations/"))


def test_a_stopped_answer_keeps_its_text_in_every_tab(
    page: Page, installation: Installation, provider: Provider
) -> None:
    installation.add_model(provider.url, "rate:10:600")
    sign_in(page, installation.url)
    ask(page, installation.url, "Berätta länge")
    expect(page.get_by_role("log")).to_contain_text("w3 ")
    second = page.context.new_page()
    second.goto(page.url)
    ready(second)
    expect(second.get_by_role("log")).to_contain_text("w8 ")
    second.get_by_test_id("stop").click()
    for tab in (page, second):
        expect(tab.get_by_test_id("send")).to_be_visible()
        expect(tab.get_by_role("log")).to_contain_text("w8 ")
    assert provider.wait_for_disconnect()
    with closing(installation.client()) as client:
        session = client.get("/api/v1/conversations/").json()["items"][0]["id"]
        [message] = client.get(f"/api/v1/conversations/{session}/").json()["messages"]
    assert message["state"] == "stopped"
    words = message["answer"].split()
    assert words == [f"w{n}" for n in range(len(words))]
    assert 8 < len(words) < 600


def test_a_question_to_begin_with_goes_into_the_box(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "echo")
    with closing(installation.client()) as client:
        assistant = client.get("/api/v1/spaces/type/personal/").json()["default_assistant"]["id"]
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    page.get_by_label("Questions to begin with").fill("Vad kostar bygglov?\n\nVem <b>beslutar</b>?")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved").first).to_be_visible()
    page.goto(f"{installation.url}/chat/{assistant}")
    ready(page)
    starters = page.get_by_role("list", name="Questions to begin with").get_by_role("button")
    expect(starters).to_have_text(["Vad kostar bygglov?", "Vem <b>beslutar</b>?"])
    assert grave(page) == []
    starters.first.focus()
    page.keyboard.press("Enter")
    box = page.get_by_label("Message", exact=True)
    expect(box).to_have_value("Vad kostar bygglov?")
    expect(box).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/conversations/"))
    expect(page.get_by_role("log")).to_contain_text("Vad kostar bygglov?")
    expect(starters).to_have_count(0)


def test_what_a_model_says_is_never_a_program(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "echo")
    sign_in(page, installation.url)
    ask(page, installation.url, HOSTILE)
    log = page.get_by_role("log")
    expect(log).to_contain_text("Enligt underlaget")
    expect(page.get_by_test_id("send")).to_be_visible()
    assert page.evaluate("window.owned") is None
    assert log.locator("script, iframe, [onerror], a[href^='javascript']").count() == 0
    page.reload()
    ready(page)
    expect(log).to_contain_text("Enligt underlaget")
    assert page.evaluate("window.owned") is None


def test_a_conversation_is_taken_along_from_its_menu(
    page: Page, installation: Installation, provider: Provider
) -> None:
    installation.add_model(provider.url, "echo")
    sign_in(page, installation.url)
    ask(page, installation.url, "Får jag ta med mig åäö?")
    expect(page.get_by_test_id("send")).to_be_visible()
    page.get_by_role("main").get_by_label(re.compile("^Options for")).first.click()
    with page.expect_download() as taken:
        page.get_by_role("menuitem", name="Export as Markdown").click()
    assert "Får jag ta med mig åäö" in taken.value.path().read_text("utf-8")


def test_an_answer_is_found_again_by_its_words(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "echo")
    sign_in(page, installation.url)
    ask(page, installation.url, "Var står ordet blåklint?")
    expect(page.get_by_test_id("send")).to_be_visible()
    page.get_by_role("link", name="All conversations").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/conversations$"))
    page.get_by_label("Search conversations").fill("BLÅKLINT")
    expect(page.get_by_test_id("excerpt").locator("mark").first).to_have_text("blåklint")
    page.get_by_label("Search conversations").fill("prästkrage")
    expect(page.get_by_text("Nothing was found.")).to_be_visible()


def test_a_question_mark_shows_what_the_keyboard_does(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/conversations")
    ready(page)
    page.keyboard.press("Shift+?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys).to_contain_text("New chat")
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
