"""An administrator orders security classes with the keyboard; whoever changes one sees first what stops working."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own: classes hold for everybody."""
    with installed(tmp_path_factory.mktemp("classes") / "data", WORKERS="0") as made:
        yield made


def fits(page: Page, name: str) -> None:
    """Nothing grave for axe, and nothing wider than a narrow screen."""
    assert grave(page) == [], name
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("document.documentElement.scrollWidth <= 360")
    page.set_viewport_size({"width": 1280, "height": 900})


def add(page: Page, name: str) -> None:
    page.get_by_role("button", name="New class").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Save").click()
    expect(rows(page).filter(has_text=name)).to_be_visible()


def rows(page: Page) -> Locator:
    return page.get_by_role("main").get_by_role("listitem")


def choose(page: Page, place: Locator, label: str, option: str) -> None:
    place.get_by_label(label).first.click()
    page.get_by_role("option", name=option).click()


def test_classes_from_the_first_to_a_space_that_obeys(
    page: Page, installation: Installation, provider: Provider
) -> None:
    installation.add_model(provider.url, "ok:3")
    with installation.client() as client:
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lovhjälpen"}).json()["id"]
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/admin/security-classes")
    ready(page)
    expect(page.get_by_text("No security classes.")).to_be_visible()
    for name in ("Open", "Confidential", "Internal"):
        add(page, name)
    expect(rows(page).nth(0)).to_contain_text("Internal")
    down = page.get_by_role("button", name="Move Internal down")
    down.focus()
    page.keyboard.press("Enter")
    expect(rows(page).nth(0)).to_contain_text("Confidential")
    expect(down).to_be_focused()
    expect(page.get_by_role("button", name="Move Confidential up")).to_be_disabled()
    page.get_by_role("switch", name="Security classes count").click()
    expect(page.get_by_text("Security classes count now.")).to_be_visible()
    fits(page, "classes")

    page.goto(f"{installation.url}/admin/models")
    ready(page)
    page.get_by_role("button", name="Facts and price of ok:3").click()
    dialog = page.get_by_role("dialog")
    choose(page, dialog, "Security class", "Open")
    assert grave(page) == []
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Security class Open").first).to_be_visible()

    page.goto(f"{installation.url}/spaces/{space}/settings")
    ready(page)
    choose(page, page.get_by_role("main"), "Security class", "Internal")
    page.get_by_role("button", name="Save").click()
    line = "Assistant “Lovhjälpen” in Bygg: its model “ok:3” is not approved there"
    expect(dialog.get_by_text(line)).to_be_visible()
    fits(page, "impact")
    dialog.get_by_role("button", name="Cancel").click()
    with installation.client() as client:
        assert client.get(f"/api/v1/spaces/{space}/").json()["security_classification"] is None
    page.get_by_role("button", name="Save").click()
    dialog.get_by_role("button", name="Change it").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    fits(page, "settings")

    page.goto(f"{installation.url}/chat/{assistant}")
    ready(page)
    page.get_by_label("Message", exact=True).fill("Hej?")
    page.keyboard.press("Enter")
    refusal = "“ok:3” is not approved for this space. Choose another model in the assistant's settings."
    expect(page.get_by_text(refusal)).to_be_visible()

    page.goto(f"{installation.url}/admin/security-classes")
    ready(page)
    page.get_by_role("button", name="Delete Internal").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("have the class “Internal”: “Bygg”.")).to_be_visible()
    page.get_by_role("button", name="Move Open up").click()
    expect(rows(page).nth(1)).to_contain_text("Open")
    # Above the class of the space, the model may serve it after all.
    with installation.client() as client:
        asked = {"assistant_id": assistant, "question": "Hej?"}
        assert client.post("/api/v1/conversations/", json=asked).status_code == 200


def test_a_space_chooses_the_models_that_it_uses(page: Page, installation: Installation, provider: Provider) -> None:
    with installation.client() as client:
        server = {"name": "Skolans", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
        added = client.post("/api/v1/admin/model-providers/", json=server).raise_for_status().json()["id"]
        body = {"provider_id": added, "name": "ok:4", "display_name": "ok:4"}
        model = client.post("/api/v1/admin/tenant-models/completion/", json=body).raise_for_status().json()["id"]
        space = client.post("/api/v1/spaces/", json={"name": "Skola"}).json()["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = client.post(path, json={"name": "Lotsen"}).json()["id"]
        client.post(f"/api/v1/assistants/{assistant}/", json={"completion_model": {"id": model}}).raise_for_status()
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{space}/settings")
    ready(page)
    page.get_by_role("switch", name="Models that answer: only these").click()
    page.get_by_role("main").get_by_label("Models that answer", exact=True).click()
    page.get_by_role("option", name="ok:4").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    fits(page, "lists")
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Assistant “Lotsen” in Skola: its model “ok:4” is not approved there")).to_be_visible()
    dialog.get_by_role("button", name="Change it").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    with installation.client() as client:
        names = {each["name"] for each in client.get(f"/api/v1/spaces/{space}/").json()["completion_models"]}
        assert "ok:4" not in names
        assert "extractive" in names
        asked = {"assistant_id": assistant, "question": "Hej?"}
        assert client.post("/api/v1/conversations/", json=asked).status_code == 403
    page.goto(f"{installation.url}/assistants/{assistant}")
    ready(page)
    page.get_by_label("AI model", exact=True).click()
    expect(page.get_by_role("option", name="Quotes from the documents")).to_be_visible()


def test_a_press_on_its_way_while_the_list_is_drawn_anew_counts(page: Page, installation: Installation) -> None:
    held: list[str | bytes] = []
    holding = False

    def through(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        server.on_message(lambda message: held.append(message) if holding else browser.send(message))
        browsers.append(browser)

    browsers: list[WebSocketRoute] = []
    page.route_web_socket("**/_nicegui_ws/**", through)
    with installation.client() as client:
        client.post("/api/v1/security-classifications/", json={"name": "Sluten"}).raise_for_status()
        sign_in(page, installation.url)
        page.goto(f"{installation.url}/admin/security-classes")
        ready(page)
        delete = page.get_by_role("button", name="Delete Sluten")
        expect(delete).to_be_visible()
        holding = True
        client.post("/api/v1/security-classifications/", json={"name": "Hemlig"}).raise_for_status()
    while not any("Delete Hemlig" in str(message) for message in held):
        page.wait_for_timeout(10)
    delete.click()  # The browser still shows what the server has replaced.
    holding = False
    for message in held:
        browsers[-1].send(message)
    expect(page.get_by_role("button", name="Delete Hemlig")).to_be_visible()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("“Sluten” is gone for good.")).to_be_visible()
    dialog.get_by_role("button", name="Delete").click()
    expect(delete).to_have_count(0)


def test_the_focus_stays_while_the_list_is_drawn_anew(page: Page, installation: Installation) -> None:
    with installation.client() as client:

        def create(name: str) -> None:
            client.post("/api/v1/security-classifications/", json={"name": name}).raise_for_status()
            expect(rows(page).filter(has_text=name)).to_be_visible()

        sign_in(page, installation.url)
        page.goto(f"{installation.url}/admin/security-classes")
        ready(page)
        create("Alfa")
        edit, dialog = page.get_by_role("button", name="Edit Alfa"), page.get_by_role("dialog")
        # After a dialog that has changed the row, and after the news of what somebody else does.
        edit.press("Enter")
        dialog.get_by_label("Description").fill("Får läsas av alla")
        dialog.get_by_role("button", name="Save").press("Enter")
        expect(rows(page).filter(has_text="Får läsas av alla")).to_be_visible()
        expect(edit).to_be_focused()
        former = edit.element_handle()
        create("Beta")
        expect(edit).to_be_focused()
        assert former is not None
        assert not former.evaluate("element => element.isConnected")
        # What is gone hands over to its neighbour; whoever has left a control is not brought back to it.
        gone = page.get_by_role("button", name="Delete Alfa")
        gone.press("Enter")
        dialog.get_by_role("button", name="Delete").press("Enter")
        expect(gone).to_have_count(0)
        focused = rows(page).get_by_role("button").and_(page.locator(":focus"))
        expect(focused).to_have_count(1)
        page.get_by_text("How sensitive spaces are").click()
        create("Gamma")
        expect(focused).to_have_count(0)
