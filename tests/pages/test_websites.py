"""A website is added after a look at it, read, searched, and read again when it has changed, in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ARTIFACTS, ready, sign_in
from tests.support.server import Installation, installed
from tests.support.site import Site, html, municipality

CRAWL_MS = 90_000


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with a worker."""
    data: Path = tmp_path_factory.mktemp("websites") / "data"
    with installed(data, WORKERS="1") as made:
        yield made


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    made.pages = municipality()
    yield made
    made.stop()


def picture(page: Page, name: str, *, dialog: bool = False) -> None:
    """The page in a wide and in a narrow window, where nothing is wider than the window."""
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")
    page.set_viewport_size({"width": 360, "height": 780})
    if not dialog:
        page.reload()
        ready(page)
    page.screenshot(path=ARTIFACTS / f"{name}_360.png", full_page=not dialog)
    inside = "e => e.scrollWidth <= e.clientWidth + 1 && e.getBoundingClientRect().right <= window.innerWidth"
    assert page.locator(".dialog" if dialog else "html").evaluate(inside), name
    page.set_viewport_size({"width": 1440, "height": 900})


def test_from_the_look_at_a_website_to_its_second_crawl(page: Page, installation: Installation, site: Site) -> None:
    with installation.client() as client:
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{space}/knowledge")
    ready(page)
    expect(page.get_by_role("heading", name="No websites yet")).to_be_visible()
    page.get_by_role("button", name="Add website").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address").fill("ftp://example.se")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Give a web address")
    dialog.get_by_label("Address").fill(site.url)
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_text("Välkommen till Sundvik")).to_be_visible()
    expect(dialog.get_by_text("2 further pages so far")).to_be_visible()
    picture(page, "website_preview", dialog=True)
    assert grave(page) == []
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page).to_have_url(re.compile("/websites/"))
    ready(page)
    expect(page.get_by_text("5 new").first).to_be_visible(timeout=CRAWL_MS)
    expect(page.get_by_text("Bygglov", exact=True)).to_be_visible()
    picture(page, "website")
    assert grave(page) == []
    website = page.url.rpartition("/")[2]
    assert "xylofoner" not in found(installation, website, "xylofoner")

    site.pages["/avfall"] = html("Avfall", "Återvinningscentralen tar emot xylofoner.", ["/"])
    site.forget()
    page.get_by_role("button", name="Read now").click()
    expect(page.get_by_text("1 changed · 4 unchanged").first).to_be_visible(timeout=CRAWL_MS)
    assert "xylofoner" in found(installation, website, "xylofoner")
    assert site.statuses[304] == 4
    page.locator("a[href*='/crawls/']").first.click()
    expect(page.get_by_role("heading", name=re.compile("Crawl of"))).to_be_visible()
    page.get_by_label("What became of the pages").click()
    page.get_by_role("option", name="Changed", exact=True).click()
    expect(page.get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("listitem")).to_contain_text("Avfall")
    assert grave(page) == []
    picture(page, "crawl_log")
    page.get_by_role("link", name="Avfall").click()
    expect(page.get_by_text("tar emot xylofoner")).to_be_visible()
    expect(page.get_by_role("link", name="Open the page")).to_have_attribute("href", f"{site.url}/avfall")
    page.goto(f"{installation.url}/spaces/{space}/knowledge")
    ready(page)
    expect(page.get_by_text("5 pages")).to_be_visible()
    picture(page, "knowledge_websites")
    assert grave(page) == []


def found(installation: Installation, website: str, words: str) -> str:
    """What a search in the website finds, as one text."""
    with installation.client() as client:
        body = {"query": words, "collection_ids": [website], "mode": "text"}
        return " ".join(item["text"] for item in client.post("/api/v1/search/", json=body).json()["items"])


def test_settings_and_deletion(page: Page, installation: Installation, site: Site) -> None:
    with installation.client() as client:
        space = client.post("/api/v1/spaces/", json={"name": "Skola"}).json()["id"]
        body = {"url": site.url, "delay": 0}
        made = client.post(f"/api/v1/spaces/{space}/knowledge/websites/", json=body).raise_for_status().json()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/websites/{made['id']}")
    ready(page)
    expect(page.get_by_text("5 new").first).to_be_visible(timeout=CRAWL_MS)
    page.get_by_role("button", name="Settings").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name (optional)").fill("Sundviks webbplats")
    dialog.get_by_label("Read anew").click()
    page.get_by_role("option", name="Every day").click()
    dialog.get_by_label("Time of day").fill("04:30")
    dialog.get_by_text("More settings").click()
    dialog.get_by_label("No pages that fit").fill("skola")
    expect(dialog.get_by_label("No pages that fit")).to_have_value("skola")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("A pattern begins with")
    dialog.get_by_label("No pages that fit").fill("/skola/")
    picture(page, "website_settings", dialog=True)
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Sundviks webbplats")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Every day · next .* 04:30"))).to_be_visible()
    page.get_by_role("button", name="Read now").click()
    expect(page.get_by_text("1 removed").first).to_be_visible(timeout=CRAWL_MS)
    page.get_by_role("button", name="Delete Sundviks webbplats").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page).to_have_url(re.compile("/knowledge"))
    expect(page.get_by_role("heading", name="No websites yet")).to_be_visible()
