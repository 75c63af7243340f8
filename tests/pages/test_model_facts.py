"""An administrator says in a browser what a model costs; whoever chooses a model sees it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own: models are everybody's."""
    with installed(tmp_path_factory.mktemp("facts") / "data", WORKERS="0") as made:
        yield made


def test_facts_and_price_of_a_model(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "ok:3")
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/admin/models")
    ready(page)
    page.get_by_role("button", name="Facts and price of ok:3").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("No price is set for this model.")).to_be_visible()
    assert grave(page) == []
    dialog.get_by_label("A million tokens read", exact=True).fill("25")
    dialog.get_by_label("A million tokens written").fill("75")
    dialog.get_by_role("button", name="Add price").click()
    expect(dialog.get_by_text("25.00 SEK / 75.00 SEK a million tokens")).to_be_visible()
    dialog.get_by_role("button", name="Add price").click()
    expect(dialog.get_by_text("The model has a price from this day on already.")).to_be_visible()
    dialog.get_by_label("Licence").fill("Apache-2.0")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Apache-2.0 · 25.00 SEK / 75.00 SEK a million tokens")).to_be_visible()
    with installation.client() as client:
        [model] = [m for m in client.get("/api/v1/completion-models/").json()["items"] if m["name"] == "ok:3"]
        assert (model["license"], model["price"]["input"]) == ("Apache-2.0", "25")


def test_a_model_is_replaced_by_another(page: Page, installation: Installation, provider: Provider) -> None:
    with installation.client() as client:
        server = {"name": "Ny server", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
        added = client.post("/api/v1/admin/model-providers/", json=server).raise_for_status().json()["id"]
        for name in ("ok:8", "ok:9"):
            model = {
                "provider_id": added,
                "name": name,
                "display_name": name,
                "token_limit": 64_000 if name == "ok:8" else 32_000,
            }
            made = client.post("/api/v1/admin/tenant-models/completion/", json=model).raise_for_status().json()["id"]
        old = next(m for m in client.get("/api/v1/completion-models/").json()["items"] if m["name"] == "ok:8")["id"]
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lovhjälpen"}).json()["id"]
        client.post(f"/api/v1/assistants/{assistant}/", json={"completion_model": {"id": old}}).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/admin/models")
    ready(page)
    page.get_by_role("button", name="Replace ok:8").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Use instead").click()
    page.get_by_role("option", name="ok:9").click()
    expect(dialog.get_by_text("1 assistant changes.")).to_be_visible()
    expect(dialog.get_by_text("It reads less at once: 32,000 instead of 64,000 tokens.")).to_be_visible()
    assert grave(page) == []
    dialog.get_by_role("button", name="Replace", exact=True).click()
    expect(page.get_by_text("ok:8 by ok:9")).to_be_visible()
    with installation.client() as client:
        assert client.get(f"/api/v1/assistants/{assistant}/").json()["completion_model"]["id"] == made


def test_a_rerank_model_is_added_and_its_order_is_shown(
    page: Page, installation: Installation, provider: Provider
) -> None:
    with installation.client() as client:
        server = {"name": "Ordning", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
        client.post("/api/v1/admin/model-providers/", json=server).raise_for_status()
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/admin/models")
    ready(page)
    page.locator(".card").filter(has_text="Ordning").get_by_role("button", name="Add model").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What it does").click()
    page.get_by_role("option", name="Puts search results in order").click()
    dialog.get_by_label("Name at the provider").fill("orders")
    dialog.get_by_label("Name people see (optional)").fill("Ordnaren")
    dialog.get_by_role("button", name="Add model").click()
    expect(page.get_by_text("orders · puts search results in order")).to_be_visible()
    assert grave(page) == []
    page.get_by_role("button", name="Facts and price of Ordnaren").click()
    dialog.get_by_label("A million tokens read", exact=True).fill("20")
    dialog.get_by_role("button", name="Add price").click()
    expect(dialog.get_by_text("20.00 SEK a million tokens")).to_be_visible()
    page.goto(f"{installation.url}/spaces/{space}/settings")
    ready(page)
    page.get_by_role("switch", name="Models that put search results in order: only these").click()
    expect(page.get_by_label("Models that put search results in order", exact=True)).to_be_visible()
