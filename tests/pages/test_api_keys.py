"""API keys and service accounts on the pages: made, used, shown once, renewed, revoked."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.pages.test_pages import grave, open_page
from tests.support.browser import ready, sign_in
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation, set up from the command line."""
    with installed(tmp_path_factory.mktemp("keys") / "data", WORKERS="0") as made:
        yield made


def opens(installation: Installation, secret: str, path: str = "/api/v1/users/me/") -> int:
    return httpx.get(f"{installation.url}{path}", headers={"X-API-Key": secret}, trust_env=False).status_code


def take_secret(page: Page) -> str:
    """The secret in the dialog, which is closed."""
    shown = page.get_by_label("API key", exact=True)
    expect(shown).to_be_visible()
    assert grave(page) == []
    secret = shown.input_value()
    page.keyboard.press("Escape")
    expect(shown).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    return secret


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has_text=name)


def choose(page: Page, name: str, action: str) -> None:
    page.get_by_role("button", name=f"Options for {name}").click()
    page.get_by_role("menuitem", name=action).click()


def test_a_key_of_ones_own_from_making_to_revoking(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("menuitem", name="API keys").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Nightly report")
    dialog.get_by_label("Networks").fill("nowhere")
    assert grave(page) == []
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text("nowhere is not a network")
    dialog.get_by_label("Networks").fill("127.0.0.0/8, ::1")
    page.keyboard.press("Tab")
    dialog.get_by_role("button", name="Create").click()
    first = take_secret(page)
    assert opens(installation, first) == 200
    assert opens(installation, first, "/api/v1/admin/users/") == 403
    page.reload()
    ready(page)
    expect(row(page, "Nightly report")).to_contain_text("Read, Ask")
    expect(row(page, "Nightly report")).to_contain_text("Last used")
    assert first not in page.content()
    choose(page, "Nightly report", "Change")
    dialog.get_by_label("Name").fill("Report of the night")
    dialog.get_by_label("Requests a minute").fill("100")
    dialog.get_by_role("checkbox", name="Administer").click()
    dialog.get_by_role("button", name="Save").click()
    expect(row(page, "Report of the night")).to_contain_text("100 requests a minute")
    assert opens(installation, first, "/api/v1/admin/users/") == 200
    choose(page, "Report of the night", "Renew")
    assert grave(page) == []
    dialog.get_by_role("button", name="Renew").click()
    second = take_secret(page)
    expect(row(page, "Report of the night")).to_contain_text("Old secret until")
    assert [opens(installation, secret) for secret in (first, second)] == [200, 200]
    choose(page, "Report of the night", "Revoke")
    dialog.get_by_role("button", name="Revoke").click()
    expect(row(page, "Report of the night")).to_contain_text("Revoked")
    assert [opens(installation, secret) for secret in (first, second)] == [401, 401]


def test_an_assistants_keys_have_a_page_of_their_own(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    with installation.client() as client:
        space = client.post("/api/v1/spaces/", json={"name": "Building"}).raise_for_status().json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Permits"}).raise_for_status().json()["id"]
    open_page(page, f"{installation.url}/assistants/{assistant}")
    page.get_by_role("button", name="API keys").click()
    expect(page).to_have_url(f"{installation.url}/assistants/{assistant}/api-keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox")).to_have_count(0)
    dialog.get_by_label("Name").fill("Web site")
    dialog.get_by_role("button", name="Create").click()
    secret = take_secret(page)
    assert grave(page) == []
    assert opens(installation, secret) == 401
    assert opens(installation, secret, f"/api/v1/assistants/{assistant}/sessions/") == 200
    expect(row(page, "Web site")).to_contain_text("ina_")


def test_service_accounts_and_the_rules_about_keys(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/api-keys")
    page.get_by_role("button", name="New service account").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Case system")
    dialog.get_by_label("Purpose").fill("Asks about cases")
    assert grave(page) == []
    dialog.get_by_role("button", name="Save").click()
    expect(row(page, "Asks about cases")).to_contain_text("0 keys")
    page.get_by_role("button", name="New key for Case system").click()
    dialog.get_by_label("Name").fill("Production")
    dialog.get_by_label("Lives for").click()
    expect(page.get_by_role("option", name="No end")).to_have_count(0)
    page.get_by_role("option", name="365 days").click()
    dialog.get_by_role("button", name="Create").click()
    secret = take_secret(page)
    expect(row(page, "Asks about cases")).to_contain_text("1 key")
    expect(row(page, "Production")).to_contain_text("Service account Case system")
    assert grave(page) == []
    assert opens(installation, secret) == 200
    choose(page, "Case system", "Deactivate")
    expect(row(page, "Asks about cases")).to_contain_text("Deactivated")
    assert opens(installation, secret) == 403
    open_page(page, f"{installation.url}/admin/users")
    expect(page.get_by_text("Case system")).to_have_count(0)
    open_page(page, f"{installation.url}/admin/api-keys")
    page.get_by_role("switch", name="Every key ends").click()
    page.get_by_role("button", name="Save the rules").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    open_page(page, f"{installation.url}/account/api-keys")
    page.get_by_role("button", name="New key").click()
    dialog.get_by_label("Lives for").click()
    expect(page.get_by_role("option", name="No end")).to_be_visible()


@pytest.mark.parametrize("may", [True, False])
def test_copying_over_plain_http_copies_or_says_that_it_did_not(
    page: Page, installation: Installation, may: bool
) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    if not may:
        page.add_init_script("document.execCommand = () => false")
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/account/api-keys")
    ready(page)
    page.get_by_role("button", name="New key").click()
    page.get_by_role("dialog").get_by_label("Name").fill(f"Report {may}")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.get_by_role("dialog").get_by_role("button", name="Copy").click()
    said = "Copied." if may else "Your browser does not let pages copy."
    expect(page.get_by_text(said)).to_be_visible()
    secret = take_secret(page)
    if may:
        page.goto(f"{installation.url}/chat")
        ready(page)
        page.get_by_label("Message", exact=True).press("Control+v")
        expect(page.get_by_label("Message", exact=True)).to_have_value(secret)
