"""The settings of a space in a browser: two who change them, and who leaves without saving."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own."""
    with installed(tmp_path_factory.mktemp("settings") / "data", WORKERS="0") as made:
        yield made


def settings_of(page: Page, installation: Installation, name: str) -> str:
    """The settings of a new space, opened; the path of the space in the API."""
    with closing(installation.client()) as client:
        space = client.post("/api/v1/spaces/", json={"name": name}).raise_for_status().json()["id"]
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{space}/settings")
    ready(page)
    return f"/api/v1/spaces/{space}/"


def test_two_who_change_a_space_do_not_undo_each_other(page: Page, installation: Installation) -> None:
    path = settings_of(page, installation, "Gata")
    page.get_by_label("Description", exact=True).fill("Gator och vägar")
    with closing(installation.client()) as client:
        model = client.get("/api/v1/ai-models/").json()["completion_models"][0]["id"]
        changes = {"name": "Gata och park", "completion_models": [{"id": model}], "data_retention_days": 30}
        client.patch(path, json=changes).raise_for_status()
        told = page.get_by_text("anna@sundvik.se has changed this space meanwhile")
        expect(told).to_be_visible()
        expect(told).to_contain_text("Name")
        assert "Saving replaces it" not in told.inner_text()
        page.get_by_test_id("save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        assert grave(page) == []
        kept = client.get(path).json()
        assert (kept["name"], kept["description"]) == ("Gata och park", "Gator och vägar")
        assert (kept["data_retention_days"], [each["id"] for each in kept["completion_models"]]) == (30, [model])
        page.get_by_label("Name", exact=True).fill("Gator")
        expect(page.get_by_text("You have changed the same: Name. Saving replaces it.")).to_be_visible()
        page.get_by_test_id("save").click()
        expect(page.get_by_text("Changes to keep")).to_be_hidden()
        assert client.get(path).json()["name"] == "Gator"


def test_who_leaves_without_saving_is_asked(page: Page, installation: Installation) -> None:
    path = settings_of(page, installation, "Skola")
    page.get_by_label("Description", exact=True).fill("Skolor")
    links = page.get_by_role("navigation", name="Main")
    links.get_by_role("link", name="Members").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Leave without saving?")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Description", exact=True)).to_have_value("Skolor")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_label("Description", exact=True)).to_have_value("")
    links.get_by_role("link", name="Members").click()
    expect(page).to_have_url(re.compile("/members"))
    with closing(installation.client()) as client:
        assert client.get(path).json()["description"] is None
