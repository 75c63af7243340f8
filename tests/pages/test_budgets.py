"""A budget is set in a browser; whoever uses it up is told, and so are administrators."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.pages.test_pages import grave, open_page
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own: budgets hold for everybody."""
    with installed(tmp_path_factory.mktemp("budgets") / "data", WORKERS="0") as made:
        yield made


def new_budget(page: Page, installation: Installation) -> Locator:
    """The form of a budget that the administrator is about to add."""
    sign_in(page, installation.url)
    open_page(page, f"{installation.url}/admin/budgets")
    page.get_by_role("button", name="Add budget").click()
    return page.get_by_role("dialog")


def test_a_budget_is_set_used_and_told_of(page: Page, installation: Installation, provider: Provider) -> None:
    installation.add_model(provider.url, "ok:900")
    with installation.client() as client:
        [model] = [m for m in client.get("/api/v1/completion-models/").json()["items"] if m["name"] == "ok:900"]
        path = f"/api/v1/admin/tenant-models/completion/{model['id']}/"
        client.put(path, json={"max_output": 256}).raise_for_status()
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lovhjälpen"}).json()["id"]
        client.post(
            f"/api/v1/assistants/{assistant}/", json={"completion_model": {"id": model["id"]}}
        ).raise_for_status()
    dialog = new_budget(page, installation)
    dialog.get_by_label("For", exact=True).click()
    page.get_by_role("option", name="Space", exact=True).click()
    dialog.get_by_label("Which").click()
    page.get_by_role("option", name="Bygg").click()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Say how many tokens or how much money.")).to_be_visible()
    tokens = dialog.get_by_label("Tokens")
    tokens.fill("1000")
    assert grave(page) == []
    tokens.press("Enter")
    expect(page.get_by_text("1,000 tokens in a month")).to_be_visible()
    with installation.client() as client:
        asked = {"assistant_id": assistant, "question": "Vad kostar det?"}
        client.post("/api/v1/conversations/", json=asked).raise_for_status()
        assert client.post("/api/v1/conversations/", json=asked).status_code == 403
    page.goto(f"{installation.url}/chat/{assistant}")
    ready(page)
    expect(page.get_by_text("Budget (Space): 91 % is used.")).to_be_visible()
    page.goto(f"{installation.url}/")
    ready(page)
    expect(page.get_by_text("91 % of a budget is used: Bygg, 1,000 tokens in a month.")).to_be_visible()
    assert grave(page) == []
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    expect(page.get_by_text("1,000 tokens in a month")).to_be_visible()
    page.get_by_role("button", name="Add budget").click()
    expect(dialog.get_by_text("Lovhjälpen")).to_be_visible()
    dialog.get_by_label("Tokens").fill("50000")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("50,000 tokens in a month")).to_be_visible()
    assert grave(page) == []


def test_there_is_room_for_money_in_a_new_budget(page: Page, installation: Installation) -> None:
    dialog = new_budget(page, installation)
    field = dialog.get_by_label("Money").bounding_box()
    assert field is not None
    assert field["width"] > 200


def test_who_types_right_after_a_choice_types_where_they_are(page: Page, installation: Installation) -> None:
    dialog = new_budget(page, installation)
    dialog.get_by_label("In", exact=True).click()
    page.get_by_role("option", name="a week").click()
    tokens = dialog.get_by_label("Tokens")
    tokens.click()
    expect(page.locator("[id^='q-portal--menu']")).to_have_count(0)
    expect(tokens).to_be_focused()
    page.keyboard.type("2000")
    expect(tokens).to_have_value("2000")
