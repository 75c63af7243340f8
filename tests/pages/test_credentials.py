"""The organisation's keys at AI providers, entered by an administrator in a browser and used for the next question."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose organisations have keys of their own."""
    data = tmp_path_factory.mktemp("credentials") / "data"
    with installed(data, WORKERS="0", TENANT_CREDENTIALS_ENABLED="true") as made:
        yield made


def test_a_key_is_entered_replaced_and_removed(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "ok:3")
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/admin/models")
    ready(page)
    page.get_by_role("button", name="Add key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Provider").click()
    page.get_by_role("option", name="A server of one's own (vLLM)").click()
    dialog.get_by_label("Key").fill("sk-kommunens-nyckel-0042")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert").get_by_text("Missing or wrong: endpoint.")).to_be_visible()
    dialog.get_by_label("Address").fill(provider.url)
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("key ending in 0042")).to_be_visible()
    assert grave(page) == []
    with installation.client() as client:
        [found] = [p for p in client.get("/api/v1/admin/model-providers/").json() if p["name"] == "Egen server"]
        assert client.post(f"/api/v1/admin/model-providers/{found['id']}/test/").json()["success"]
    assert provider.seen.headers[-1]["authorization"] == "Bearer sk-kommunens-nyckel-0042"
    page.get_by_role("button", name="Replace the key for A server").click()
    expect(page.get_by_role("dialog").get_by_label("Key")).to_have_value("")
    page.get_by_role("dialog").get_by_label("Key").fill("sk-kommunens-andra-0077")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_text("key ending in 0077")).to_be_visible()
    page.get_by_role("button", name="Remove the key for A server").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("key ending in 0077")).to_have_count(0)
