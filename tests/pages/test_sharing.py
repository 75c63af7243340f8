"""A collection is shared with another space and moved, in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation."""
    data: Path = tmp_path_factory.mktemp("sharing") / "data"
    with installed(data) as made:
        yield made


def test_shared_then_moved(page: Page, installation: Installation) -> None:
    with installation.client() as client:
        build, school = (client.post("/api/v1/spaces/", json={"name": name}).json()["id"] for name in ("Bygg", "Skola"))
        groups = f"/api/v1/spaces/{build}/knowledge/groups/"
        collection = client.post(groups, json={"name": "Handboken"}).json()["id"]
        made = client.post(f"/api/v1/spaces/{build}/applications/assistants/", json={"name": "Lotsen"}).json()["id"]
        client.post(f"/api/v1/assistants/{made}/", json={"groups": [{"id": collection}]}).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{build}/knowledge")
    ready(page)
    page.get_by_role("button", name="Options for Handboken").click()
    page.get_by_role("menuitem", name="Share").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("It is not shared with any space.")).to_be_visible()
    dialog.get_by_label("With the space").click()
    page.get_by_role("option", name="Skola").click()
    dialog.get_by_role("button", name="Share").click()
    expect(dialog.get_by_role("button", name="No longer share with Skola")).to_be_visible()
    assert grave(page) == []
    page.goto(f"{installation.url}/spaces/{school}/knowledge")
    ready(page)
    expect(page.get_by_text("Shared from Bygg")).to_be_visible()
    page.get_by_role("link", name="Handboken").click()
    expect(page.get_by_role("heading", name="Handboken")).to_be_visible()
    assert grave(page) == []

    page.goto(f"{installation.url}/spaces/{build}/knowledge")
    ready(page)
    page.get_by_role("button", name="Options for Handboken").click()
    page.get_by_role("menuitem", name="Move").click()
    dialog.get_by_label("To the space").click()
    page.get_by_role("option", name="Skola").click()
    expect(dialog.get_by_text("1 assistant loses it: Lotsen (Bygg)")).to_be_visible()
    assert grave(page) == []
    dialog.get_by_role("button", name="Move").click()
    expect(page.get_by_text("No collections yet")).to_be_visible()
    page.goto(f"{installation.url}/spaces/{school}/knowledge")
    ready(page)
    expect(page.get_by_role("link", name="Handboken")).to_be_visible()
    expect(page.get_by_text("Shared from Bygg")).to_have_count(0)
    page.get_by_role("button", name="Options for Handboken").click()
    page.get_by_role("menuitem", name="Move").click()
    dialog.get_by_label("To the space").click()
    page.get_by_role("option", name="Organisation").click()
    expect(dialog.get_by_text("No assistant loses it.")).to_be_visible()
    dialog.get_by_role("button", name="Move").click()
    expect(page.get_by_text("The organisation's")).to_be_visible()
