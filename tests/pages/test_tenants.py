"""Organisations in a real browser: what is open ends when the operator suspends them."""

import re
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.conftest import OPERATOR_KEY
from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation, whose operator has a key."""
    data = tmp_path_factory.mktemp("tenants") / "data"
    with installed(data, WORKERS="0", SUPER_API_KEY=OPERATOR_KEY) as made:
        yield made


def test_an_administrator_sees_what_is_stored(page: Page, installation: Installation) -> None:
    with closing(installation.client()) as client:
        client.post("/api/v1/spaces/", json={"name": "Avtal"}).raise_for_status()
        space = client.post("/api/v1/spaces/", json={"name": "Bygglov"}).json()["id"]
        url = f"/api/v1/spaces/{space}/knowledge/groups/"
        collection = client.post(url, json={"name": "Handböcker"}).json()["id"]
        file = {"file": ("a.txt", b"x" * 2048)}
        client.post(f"/api/v1/groups/{collection}/info-blobs/upload/", files=file).raise_for_status()
    sign_in(page, installation.url)
    page.get_by_role("link", name="Storage").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Storage")
    expect(page.get_by_text("2 kB of 10 GB used")).to_be_visible()
    lines = page.get_by_role("list").first.get_by_role("listitem")
    expect(lines.filter(has_text="Bygglov")).to_contain_text("2 kB")
    expect(lines.filter(has_text="Bygglov")).to_contain_text("1 document")
    expect(lines.first).to_contain_text("Avtal")
    page.get_by_label("Order").click()
    page.get_by_role("option", name="Largest first").click()
    expect(lines.first).to_contain_text("Bygglov")
    # Those who have stored most: the owner, whose own limit others set.
    people = page.get_by_role("list").last.get_by_role("listitem")
    expect(people).to_contain_text("2 kB")
    expect(people.get_by_role("button")).to_have_count(0)
    assert grave(page) == []
    # Documents and passages have limits too: of the organisation, and of a space.
    dialog = page.get_by_role("dialog")
    for name, shown in (
        ("the whole organisation", page.get_by_role("main")),
        ("Bygglov", lines.filter(has_text="Bygglov")),
    ):
        page.get_by_role("button", name=f"Limit of {name}").click()
        dialog.get_by_label("Documents (empty for no limit)").fill("1")
        dialog.get_by_role("button", name="Save").click()
        expect(shown).to_contain_text("1 document (at most 1)")
        expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Limit of the whole organisation").click()
    expect(dialog.get_by_label("Megabytes")).to_be_hidden()
    expect(dialog.get_by_label("Documents (empty for no limit)")).to_have_value("1")
    assert grave(page) == []


def test_the_pages_of_a_suspended_organisation_end_at_once(page: Page, installation: Installation) -> None:
    operator = httpx.Client(base_url=installation.url, headers={"x-api-key": OPERATOR_KEY}, trust_env=False)
    [tenant] = operator.get("/api/v1/sysadmin/tenants/").json()["items"]
    url = f"/api/v1/sysadmin/tenants/{tenant['id']}/"
    sign_in(page, installation.url)
    assert operator.post(url, json={"state": "suspended"}).status_code == 200
    begun = time.monotonic()
    expect(page).to_have_url(re.compile(r"/sign-in\?reason=suspended$"))
    assert time.monotonic() - begun < 1
    expect(page.get_by_text("This organisation is suspended.")).to_be_visible()
    page.goto(f"{installation.url}/spaces")
    assert "/sign-in?next=/spaces" in page.url
    assert operator.post(url, json={"state": "active"}).status_code == 200
    page.goto(f"{installation.url}/")
    ready(page)
    operator.close()
