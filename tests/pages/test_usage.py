"""What was used and what it cost, in a browser: for the administrator, the space, and everybody their own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own: its ledger begins empty."""
    with installed(tmp_path_factory.mktemp("usage") / "data", WORKERS="0") as made:
        yield made


def test_usage_of_the_organisation_a_space_and_oneself(
    page: Page, installation: Installation, provider: Provider
) -> None:
    installation.add_model(provider.url, "ok:30")
    with installation.client() as client:
        [model] = [m for m in client.get("/api/v1/completion-models/").json()["items"] if m["name"] == "ok:30"]
        price = {"valid_from": "2020-01-01", "input": 1000, "output": 2000}
        client.post(f"/api/v1/admin/models/{model['id']}/prices/", json=price).raise_for_status()
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lovhjälpen"}).json()["id"]
        client.post(
            f"/api/v1/assistants/{assistant}/", json={"completion_model": {"id": model["id"]}}
        ).raise_for_status()
        asked = {"assistant_id": assistant, "question": "Vad kostar det?"}
        said = client.post("/api/v1/conversations/", json=asked).raise_for_status().json()
    sign_in(page, installation.url)
    for address in ("/admin/usage", f"/spaces/{space}/usage", "/account/usage"):
        page.goto(f"{installation.url}{address}")
        ready(page)
        expect(page.get_by_role("cell", name="0.071 SEK").first).to_be_visible()
        expect(page.get_by_role("rowheader", name="Lovhjälpen")).to_be_visible()
        assert grave(page) == []
    page.goto(f"{installation.url}/admin/usage")
    ready(page)
    page.get_by_label("From").fill("2021-01-01")
    page.get_by_label("To", exact=True).fill("2021-01-31")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("No calls of models in this time.").first).to_be_visible()
    page.goto(f"{installation.url}/conversations/{said['session_id']}/why/{said['id']}")
    ready(page)
    expect(page.get_by_text("0.071 SEK")).to_be_visible()
