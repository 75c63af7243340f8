"""The pages in a real browser: usable by everybody, in both languages, themes and sizes."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.support.browser import ready, sign_in, somebody
from tests.support.server import EMAIL, PASSWORD, Installation, installed

AXE = (Path(__file__).parent.parent / "support/axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation, set up from the command line."""
    with installed(tmp_path_factory.mktemp("pages") / "data", WORKERS="0") as made:
        yield made


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    ready(page)


def grave(page: Page) -> list[str]:
    """What axe finds that keeps people out."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    # Only what it finds comes back: all that is in order weighs megabytes.
    run = "async rules => (await axe.run(document, {runOnly: rules, resultTypes: ['violations']})).violations"
    found: list[dict[str, Any]] = page.evaluate(run, RULES)
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in GRAVE]


def add_user(installation: Installation, browser: Browser, name: str, email: str) -> None:
    """Invite a colleague as the administrator does, and accept as the colleague does."""
    context = somebody(browser)
    page = context.new_page()
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/users")
    page.get_by_role("button", name="Invite user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill(email)
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("listitem").get_by_text(name)).to_be_visible()
    link = page.get_by_label("One-time link").input_value()
    context.close()
    accept(browser, installation, link, name)


def accept(browser: Browser, installation: Installation, link: str, name: str) -> None:
    """Open an invitation, choose a password, and arrive signed in. The link is used up then."""
    context = somebody(browser)
    page = context.new_page()
    page.goto(link)
    assert grave(page) == []
    expect(page.get_by_label("Your name")).to_have_value(name)
    page.get_by_label("Language").select_option("en")
    page.get_by_label("Password").fill("short")
    page.get_by_label("Password").evaluate("input => input.removeAttribute('minlength')")
    page.locator("button.main").click()
    expect(page.get_by_role("alert")).to_contain_text("password")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("button.main").click()
    expect(page).to_have_url(f"{installation.url}/")
    ready(page)
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("The link does not work")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_grave_before_and_beside_the_pages(
    page: Page, installation: Installation, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{installation.url}/sign-in")
    assert grave(page) == []
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/nothing-here")
    assert grave(page) == []
    open_page(page, installation.url)
    page.get_by_role("button", name="Create space").first.click()
    page.get_by_role("dialog").get_by_label("Name").wait_for()
    assert grave(page) == [], "dialog"


def test_the_navigation_opens_on_a_narrow_screen(page: Page, installation: Installation) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/nothing-here")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for _ in range(5):
        # Pressed as early as can be: before the browser has told whether the navigation is shown.
        page.goto(f"{installation.url}/nothing-here", wait_until="commit")
        page.get_by_role("button", name="Show or hide the navigation").click()
        expect(page.get_by_role("link", name="Start")).to_be_in_viewport()


def test_links_are_drawn_anew_only_when_they_say_something_else(page: Page, installation: Installation) -> None:
    with installation.client() as client:
        space = client.post("/api/v1/spaces/", json={"name": "Gata"}).raise_for_status().json()["id"]
        sign_in(page, installation.url)
        open_page(page, installation.url)
        links = page.get_by_role("navigation", name="Main")
        expect(links.get_by_role("link", name="Gata")).to_be_visible()
        links.evaluate(
            """nav => { window.drawn = 0; new MutationObserver(changes => {
                for (const change of changes)
                    window.drawn += [...change.addedNodes].filter(node => node.nodeName === 'NAV').length;
            }).observe(nav.parentElement, {childList: true}); }"""
        )
        client.patch(f"/api/v1/spaces/{space}/", json={"description": "Gator och vägar"}).raise_for_status()
        expect(page.get_by_text("Gator och vägar")).to_be_visible()
        client.patch(f"/api/v1/spaces/{space}/", json={"name": "Park"}).raise_for_status()
        expect(links.get_by_role("link", name="Park")).to_be_visible()
    assert page.evaluate("window.drawn") == 1


def test_the_language_switches_without_loading_the_page_again(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    page.evaluate("window.same = true")
    page.get_by_role("button", name="Language").click()
    page.get_by_role("menuitem", name="Svenska").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hej")
    expect(page.get_by_role("link", name="Användare")).to_be_visible()
    assert page.evaluate("[window.same, document.documentElement.lang]") == [True, "sv"]
    page.get_by_role("button", name="Språk").click()
    page.get_by_role("menuitem", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")


def test_strangers_sign_in_and_come_back_to_where_they_wanted(page: Page, installation: Installation) -> None:
    page.goto(f"{installation.url}/conversations")
    expect(page).to_have_url(re.compile("/sign-in"))
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill("not the password")
    page.locator("button.main").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    expect(page.get_by_label("E-mail")).to_have_value(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("button.main").click()
    expect(page).to_have_url(f"{installation.url}/conversations")
    expect(page.get_by_role("heading", level=1)).to_have_text("Conversations")


def test_an_unknown_address_says_so(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    for path in ("/nothing-here", "/spaces/not-an-id", "/conversations/01a20e90-67b1-7dbe-be99-e293963bb2e9"):
        open_page(page, installation.url + path)
        expect(page.get_by_role("heading", level=1)).to_have_text("This page cannot be shown")
        assert page.locator("h1").count() == 1


def test_administration_begins_with_its_first_page(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    open_page(page, installation.url + "/admin")
    expect(page.get_by_role("heading", level=1)).to_have_text("AI models")


def test_the_composer_keeps_lines_and_drafts(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/chat")
    box = page.get_by_label("Message", exact=True)
    box.fill("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    page.reload()
    ready(page)
    expect(box).to_have_value("first line\nsecond line")
    box.press("Enter")
    expect(page.locator(".ask .bubble")).to_have_text("first line\nsecond line")
    expect(page).to_have_url(re.compile("/conversations/"))
    expect(page.get_by_test_id("send")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("first line")


def test_attached_files_outlive_a_reload_as_the_draft_does(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/chat")
    composer = page.locator(".composer")
    page.get_by_label("Message", exact=True).fill("What is in the file?")
    composer.locator("input[type=file]").set_input_files(
        [{"name": "rutin.txt", "mimeType": "text/plain", "buffer": "Posten öppnas klockan åtta.".encode()}]
    )
    expect(page.get_by_test_id("send")).to_be_enabled()
    page.reload()
    ready(page)
    expect(composer.get_by_role("listitem")).to_contain_text("rutin.txt")
    page.get_by_test_id("send").click()
    expect(page.locator(".ask .files")).to_contain_text("rutin.txt")
    expect(page).to_have_url(re.compile("/conversations/"))
    page.get_by_label("Message", exact=True).fill("And when?")
    page.reload()
    ready(page)
    expect(page.get_by_label("Message", exact=True)).to_have_value("And when?")
    expect(composer.get_by_role("listitem")).to_have_count(0)


def test_a_question_that_got_lost_on_its_way_is_still_there(page: Page, installation: Installation) -> None:
    lost = False

    def connect(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda message: None if lost else server.send(message))

    page.route_web_socket(re.compile("_nicegui"), connect)
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/chat")
    page.get_by_label("Message", exact=True).fill("May one keep hens?")
    lost = True
    page.get_by_test_id("send").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("")
    lost = False
    page.reload()
    ready(page)
    expect(page.get_by_label("Message", exact=True)).to_have_value("May one keep hens?")


def test_who_presses_twice_makes_one(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    page.get_by_role("button", name="Create space").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("Only once")
    page.get_by_role("dialog").get_by_role("button", name="Create space").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("Only once")
    expect(page.get_by_role("navigation").get_by_text("Only once")).to_have_count(1)


def test_on_a_phone_what_stands_beside_a_name_leaves_it_room(page: Page, installation: Installation) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/models")
    expect(page.get_by_text("multilingual-e5-small")).to_be_visible()
    widths = page.locator(".rowline > .grow").evaluate_all("all => all.map(each => each.getBoundingClientRect().width)")
    assert min(widths) >= 90
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_who_deletes_a_document_on_its_page_is_led_to_its_collection(page: Page, installation: Installation) -> None:
    with closing(installation.client()) as client:
        space = client.post("/api/v1/spaces/", json={"name": "Arkiv"}).raise_for_status().json()["id"]
        path = f"/api/v1/spaces/{space}/knowledge/groups/"
        collection = client.post(path, json={"name": "Handlingar"}).raise_for_status().json()["id"]
        blobs = f"/api/v1/groups/{collection}/info-blobs/"
        file = {"file": ("gammal.txt", b"Det som var.", "text/plain")}
        client.post(f"{blobs}upload/", files=file).raise_for_status()
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/collections/{collection}")
    page.get_by_role("link", name="gammal.txt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("gammal.txt")
    page.get_by_role("button", name="Options for gammal.txt").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Handlingar")
    expect(page.get_by_text("gammal.txt")).to_have_count(0)


def test_the_palette_finds_by_keyboard(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_label("Search").fill("users")
    expect(page.locator(".hit")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Users")
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_whose_session_has_ended_comes_back_to_where_they_were(
    page: Page, installation: Installation, browser: Browser
) -> None:
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/conversations")
    context = somebody(browser)
    elsewhere = context.new_page()
    sign_in(elsewhere, installation.url)
    open_page(elsewhere, f"{installation.url}/account")
    elsewhere.get_by_role("button", name="Sign out everywhere").click()
    elsewhere.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("button.main").click()
    expect(page).to_have_url(f"{installation.url}/conversations")
    context.close()


def test_a_deactivated_user_is_sent_away_at_once(page: Page, installation: Installation, browser: Browser) -> None:
    add_user(installation, browser, "Vi Holm", "vi@sundvik.se")
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/users")
    context = somebody(browser)
    theirs = context.new_page()
    sign_in(theirs, installation.url, "vi@sundvik.se")
    page.get_by_role("button", name="Options for Vi Holm").click()
    page.get_by_role("menuitem", name="Deactivate").click()
    page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    expect(theirs).to_have_url(re.compile("/sign-in"))
    context.close()
