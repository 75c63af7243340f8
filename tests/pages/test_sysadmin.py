"""The operator's page in a real browser: the key, organisations, and their deletion."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.conftest import OPERATOR_KEY
from tests.pages.test_pages import grave, open_page
from tests.support.server import Installation, installed

WRONG = "not-the-operators-key"
MODULE_KEY = "module-key-of-the-tests"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation, whose operator has a key."""
    with installed(
        tmp_path_factory.mktemp("operator") / "data", WORKERS="0", SUPER_API_KEY=OPERATOR_KEY,
        SUPER_DUPER_API_KEY=MODULE_KEY,
    ) as made:  # fmt: skip
        yield made


def enter(page: Page, installation: Installation, key: str = OPERATOR_KEY) -> None:
    open_page(page, f"{installation.url}/sysadmin")
    page.get_by_label("The operator's key").fill(key)
    page.get_by_role("button", name="Continue").click()


def options(page: Page, name: str, item: str) -> None:
    page.get_by_role("button", name=f"Options for {name}").click()
    page.get_by_role("menuitem", name=item).click()


def test_an_organisation_from_its_founding_to_its_certificate(page: Page, installation: Installation) -> None:
    enter(page, installation)
    row = page.get_by_role("listitem").filter(has_text="Älvsbyns kommun")
    page.get_by_role("button", name="New organisation").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Älvsbyns kommun")
    dialog.get_by_label("E-mail of the owner").fill("chef@alvsbyn.se")
    assert grave(page) == []
    dialog.get_by_role("button", name="Create").click()
    link = page.get_by_label("One-time link").input_value()
    page.get_by_role("button", name="Done").click()
    expect(row).to_contain_text("alvsbyns-kommun · 1 person · 0 B of 10 GB")
    assert "chef@alvsbyn.se" in httpx.get(link, trust_env=False).text

    options(page, "Älvsbyns kommun", "Settings")
    dialog.get_by_label("Storage in GB").fill("2")
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("0 B of 2 GB")
    options(page, "Älvsbyns kommun", "Suspend")
    dialog.get_by_role("button", name="Suspend").click()
    expect(row).to_contain_text("suspended")
    options(page, "Älvsbyns kommun", "Reactivate")
    expect(row.get_by_text("active", exact=True)).to_be_visible()
    assert grave(page) == []

    options(page, "Älvsbyns kommun", "Delete")
    expect(dialog.get_by_role("listitem").filter(has_text="People")).to_contain_text("1")
    dialog.get_by_label("Type “Älvsbyns kommun” to confirm").fill("Älvsby")
    dialog.get_by_role("button", name="Delete for good").click()
    expect(dialog.get_by_text("This is not the name.")).to_be_visible()
    assert grave(page) == []
    dialog.get_by_label("Type “Älvsbyns kommun” to confirm").fill("Älvsbyns kommun")
    dialog.get_by_role("button", name="Delete for good").click()
    # For a moment both are there: the organisation that goes, and the certificate that stays.
    expect(row.filter(has_text="signature holds")).to_be_visible(timeout=40_000)
    expect(row).to_have_count(1)


def test_the_key_is_asked_for_again_and_is_nowhere_in_the_browser(page: Page, installation: Installation) -> None:
    enter(page, installation)
    expect(page.get_by_role("heading", name="Organisations", exact=True)).to_be_visible()
    assert OPERATOR_KEY not in page.url
    stored = page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert OPERATOR_KEY not in stored + str(page.context.cookies()) + page.content()
    page.reload()
    expect(page.get_by_label("The operator's key")).to_be_visible()
    expect(page.get_by_text("Sundviks kommun")).to_have_count(0)


def test_modules_want_their_own_key(page: Page, installation: Installation) -> None:
    with httpx.Client(base_url=installation.url, headers={"x-api-key": MODULE_KEY}, trust_env=False) as client:
        assert client.post("/api/v1/modules/", json={"name": "Statistics"}).status_code == 200
    enter(page, installation)
    options(page, "Sundviks kommun", "Modules")
    dialog = page.get_by_role("dialog")
    for key in (OPERATOR_KEY, MODULE_KEY):
        expect(dialog.get_by_role("checkbox")).to_have_count(0)
        dialog.get_by_label("The key of modules").fill(key)
        dialog.get_by_role("button", name="Continue").click()
        if key == OPERATOR_KEY:
            expect(dialog.get_by_role("alert").get_by_text("The key is wrong.")).to_be_visible()
    dialog.get_by_role("checkbox", name="Statistics").click()
    assert grave(page) == []
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    options(page, "Sundviks kommun", "Modules")
    expect(dialog.get_by_role("checkbox", name="Statistics")).to_be_checked()


def test_who_guesses_is_held_back(page: Page, installation: Installation) -> None:
    open_page(page, f"{installation.url}/sysadmin")
    entry, go = page.get_by_label("The operator's key"), page.get_by_role("button", name="Continue")
    for _ in range(8):
        entry.fill(WRONG)
        go.click()
        expect(page.get_by_role("alert").get_by_text("The key is wrong.")).to_be_visible()
        expect(entry).to_have_value("")
    entry.fill(OPERATOR_KEY)
    go.click()
    expect(page.get_by_role("alert").get_by_text("Too many attempts.")).to_be_visible()
    expect(page.get_by_text("Sundviks kommun")).to_have_count(0)


def test_the_pages_socket_is_its_browsers_alone(page: Page, installation: Installation) -> None:
    open_page(page, f"{installation.url}/sysadmin")
    client_id = page.evaluate("() => window.socket.io.opts.query.client_id")
    name = "__Host-samrad-operator"
    cookie = next(c["value"] for c in page.context.cookies() if c["name"] == name)
    url = f"{installation.url}/_nicegui_ws/socket.io/"
    query = {"EIO": "4", "transport": "polling", "client_id": client_id}
    for sent, status in ((f"{name}={cookie}", 200), (f"{name}={'x' * 43}", 401), ("", 401)):
        answer = httpx.get(url, params=query, headers={"cookie": sent} if sent else {}, trust_env=False)
        assert answer.status_code == status, sent
    assert httpx.get(url, params={**query, "client_id": "x"}, headers={"cookie": f"{name}={cookie}"}).status_code == 401


def test_without_a_key_there_is_no_such_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    with installed(tmp_path_factory.mktemp("closed") / "data", WORKERS="0") as closed:
        answer = httpx.get(f"{closed.url}/sysadmin", trust_env=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/sysadmin")
