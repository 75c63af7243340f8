"""The audit log in a real browser: a reason first, then search, details and export; the way back in a history."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave, open_page
from tests.support.browser import ready, sign_in
from tests.support.server import EMAIL, Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with a worker, which makes the exports."""
    with installed(tmp_path_factory.mktemp("audit") / "data", WORKERS="1") as made:
        yield made


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_search_with_a_reason_and_export(page: Page, installation: Installation, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    with closing(installation.client()) as client:
        client.post("/api/v1/spaces/", json={"name": f"Bygglov {scheme}"}).raise_for_status()
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/audit")
    page.get_by_role("button", name="Open the log").click()
    expect(page.get_by_role("alert").first).to_contain_text("at least 10 characters")
    page.get_by_label("What you are looking for, and why").fill("Årlig granskning av ytor")
    page.get_by_role("button", name="Open the log").click()
    rows = page.get_by_role("listitem")
    expect(rows.filter(has_text="Access to the audit log justified").first).to_be_visible()
    page.get_by_label("Search description or person").fill(f"bygglov {scheme}")
    expect(rows.filter(has_text="Audit log read")).to_have_count(0)
    expect(rows.filter(has_text="Space created")).to_have_count(1)
    assert grave(page) == []
    page.get_by_role("button", name="Details of Space created").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(EMAIL)
    expect(dialog).to_contain_text(f"– → Bygglov {scheme}")
    assert grave(page) == [], "details"
    dialog.get_by_role("button", name="Close").click()
    made = rows.filter(has_text="audit-log.csv")
    earlier = made.count()
    page.get_by_role("button", name="Export").click()
    page.get_by_role("dialog").get_by_role("button", name="Export").click()
    expect(made).to_have_count(earlier + 1)
    expect(made.first).to_contain_text("Done", timeout=60_000)
    with page.expect_download() as downloading:
        made.first.get_by_role("link", name="Download").click()
    text = Path(downloading.value.path()).read_text(encoding="utf-8")
    assert text.startswith("Timestamp,")
    assert len(text.splitlines()) == 2
    assert f"Bygglov {scheme}" in text


def test_settings_hold_and_the_log_is_checked(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/audit/settings")
    page.get_by_label("Days that entries are kept").fill("0")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").first).to_contain_text("1 to 2555")
    page.get_by_role("button", name="Check the log").click()
    expect(page.get_by_text(re.compile(r"\d+ entries, whole and unaltered"))).to_be_visible()
    page.get_by_role("button", name="Files").click()
    page.get_by_role("switch", name="File deleted").click()
    page.reload()
    ready(page)
    page.get_by_role("button", name="Files").click()
    expect(page.get_by_role("switch", name="File deleted")).not_to_be_checked()


def test_an_assistant_goes_back_to_an_earlier_version(page: Page, installation: Installation) -> None:
    with closing(installation.client()) as client:
        space = client.post("/api/v1/spaces/", json={"name": "Miljö"}).raise_for_status().json()["id"]
        place = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(place, json={"name": "Miljöhjälpen"}).raise_for_status().json()["id"]
        client.post(f"/api/v1/assistants/{assistant}/", json={"description": "Den rätta"}).raise_for_status()
        client.post(f"/api/v1/assistants/{assistant}/", json={"description": "Ett misstag"}).raise_for_status()
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/assistants/{assistant}")
    page.get_by_role("button", name="History").click()
    expect(page.get_by_text("Description: “Den rätta” → “Ett misstag”")).to_be_visible()
    assert grave(page) == []
    row = page.get_by_role("listitem").filter(has_text="Description: – → “Den rätta”")
    row.get_by_role("button", name=re.compile("Go back")).click()
    page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    expect(page.get_by_text("Description: “Ett misstag” → “Den rätta”")).to_be_visible()
    open_page(page, f"{installation.url}/assistants/{assistant}")
    expect(page.get_by_label("Description")).to_have_value("Den rätta")
