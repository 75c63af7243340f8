"""Uploading a folder in the browser: every file under its path, with progress, cancel and retry."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.pages.test_pages import grave, open_page
from tests.support.browser import sign_in
from tests.support.server import EMAIL, PASSWORD, Installation, installed

TREE = {
    "Bygg/avgifter.txt": b"Avgiften ar 4711 kronor.",
    "Bygg/2026/plan.md": b"# Plan\n\nBerget.",
    "Bygg/2026/stor.txt": b"Den stora filen.",
    "Bygg/2026/trasig.txt": b"Den som inte kom fram.",
    "Bygg/program.exe": b"MZ",
    "Bygg/.DS_Store": b"x",
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("folders") / "data", WORKERS="0") as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with folders in it."""
    for name, content in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path / "Bygg"


def collection(installation: Installation) -> str:
    """The address of an empty collection."""
    with httpx.Client(base_url=installation.url) as client:
        answer = client.post("/api/v1/users/login/token/", data={"username": EMAIL, "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        space = client.get("/api/v1/spaces/type/personal/").json()["id"]
        made = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Handböcker"}).json()["id"]
    return f"{installation.url}/collections/{made}"


def test_a_folder_with_cancel_and_retry(page: Page, installation: Installation, folder: Path) -> None:
    sign_in(page, installation.url)
    open_page(page, collection(installation))
    expect(page.get_by_text("of room are left")).to_be_visible()
    held: list[Route] = []
    broken: list[str] = []

    def on_the_way(route: Route) -> None:
        if "stor.txt" in route.request.url:
            held.append(route)
        elif "trasig.txt" in route.request.url and not broken:
            broken.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    page.route("**/documents/**", on_the_way)
    page.locator("input[webkitdirectory]").set_input_files(folder)
    uploads = page.locator(".uploads li")
    refused = uploads.filter(has_text="program.exe")
    expect(refused).to_contain_text("Files of this type cannot be read.")
    expect(refused.get_by_role("button", name="Try again")).to_have_count(0)
    failed = uploads.filter(has_text="trasig.txt")
    expect(failed).to_contain_text("The upload failed.")
    expect(page.get_by_role("status").filter(has_text="files are uploaded")).to_contain_text(
        "2 of 5 files are uploaded. 2 failed."
    )
    assert grave(page) == []
    # The one that does not come forward is cancelled, the one that failed is tried again, the wrong one is put away.
    uploads.filter(has_text="stor.txt").get_by_role("button", name="Cancel").click()
    failed.get_by_role("button", name="Try again").click()
    refused.get_by_role("button", name="Remove").click()
    expect(uploads).to_have_count(0)
    assert len(held) == 1
    rows = page.get_by_role("listitem")
    expect(rows.filter(has_text="Bygg/2026 ·")).to_have_count(2)
    expect(rows.filter(has_text="plan.md")).to_contain_text("Bygg/2026 ·")
    expect(rows.filter(has_text="avgifter.txt")).to_contain_text("Bygg ·")
    expect(rows.filter(has_text="trasig.txt")).to_be_visible()
    expect(page.get_by_text("stor.txt")).to_have_count(0)
    page.get_by_role("textbox", name="Search documents by name").fill("2026/pl")
    expect(rows.filter(has_text="avgifter.txt")).to_have_count(0)
    expect(rows.filter(has_text="plan.md")).to_be_visible()


def test_all_can_be_cancelled_and_all_failed_tried_again(page: Page, installation: Installation, folder: Path) -> None:
    sign_in(page, installation.url)
    open_page(page, collection(installation))
    page.route("**/documents/**", lambda route: route.abort())
    page.locator("input[webkitdirectory]").set_input_files(folder)
    expect(page.locator(".uploads li .why")).to_have_count(5)
    page.unroute("**/documents/**")
    page.get_by_role("button", name="Try all failed again").click()
    expect(page.locator(".uploads li")).to_have_count(1)
    expect(page.get_by_role("listitem").filter(has_text="Bygg/2026 ·")).to_have_count(3)


def test_waiting_files_are_cancelled_together(page: Page, installation: Installation, tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.txt").write_text(f"Text {number}")
    sign_in(page, installation.url)
    open_page(page, collection(installation))
    page.route("**/documents/**", lambda route: None)
    page.locator("input[webkitdirectory]").set_input_files(tmp_path)
    expect(page.locator(".uploads li")).to_have_count(8)
    page.get_by_role("button", name="Cancel all").click()
    expect(page.locator(".uploads li")).to_have_count(0)
    expect(page.get_by_text("No documents yet")).to_be_visible()


def test_a_dropped_folder_is_walked_through(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    open_page(page, collection(installation))
    # What a browser gives for a dropped folder, which no script can make by itself: entries that are read step by step.
    page.evaluate(DROP)
    expect(page.get_by_role("listitem").filter(has_text="Släppt/inre ·")).to_have_count(1)
    expect(page.get_by_role("listitem").filter(has_text="Släppt ·")).to_have_count(1)


def test_tags_of_several_documents_are_changed_by_keyboard(
    page: Page, installation: Installation, tmp_path: Path
) -> None:
    for name in ("avgift", "beslut", "karta"):
        (tmp_path / f"{name}.txt").write_text(f"Om {name}.")
    sign_in(page, installation.url)
    open_page(page, collection(installation))
    page.locator("input[webkitdirectory]").set_input_files(tmp_path)
    rows = page.get_by_role("listitem")
    bar = page.get_by_test_id("chosen")
    expect(rows.filter(has_text="karta.txt")).to_be_visible()
    expect(page.locator(".uploads li")).to_have_count(0)
    expect(bar).to_be_hidden()
    boxes = page.get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    boxes.first.focus()
    page.keyboard.press("Space")
    expect(bar).to_contain_text("1 document chosen")
    bar.get_by_role("button", name="Choose all shown").press("Enter")
    expect(bar).to_contain_text("3 documents chosen")
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("document.documentElement.scrollWidth <= 360")
    assert grave(page) == []
    bar.get_by_role("button", name="Change tags").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Name at least one tag to add or to take away.")).to_be_visible()
    field = dialog.get_by_label("Add to all of them")
    field.fill("Nämnden")
    field.press("Enter")
    assert grave(page) == []
    dialog.get_by_role("button", name="Save").press("Enter")
    expect(rows.filter(has_text="#Nämnden")).to_have_count(3)
    expect(bar).to_be_hidden()
    boxes.first.focus()
    page.keyboard.press("Space")
    bar.get_by_role("button", name="Change tags").press("Enter")
    dialog.get_by_label("Take away").click()
    page.get_by_role("option", name="Nämnden").click()
    page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Save").click()
    expect(rows.filter(has_text="#Nämnden")).to_have_count(2)


DROP = """() => {
  const file = (name, path) => ({ isFile: true, fullPath: path, file: (done) => done(new File(['Text ' + path], name)) });
  const folder = (path, inside) => ({ isDirectory: true, fullPath: path, createReader: () => {
    const rest = [...inside];
    return { readEntries: (done) => done(rest.splice(0, 1)) };
  } });
  const inner = folder('/Släppt/inre', [file('b.txt', '/Släppt/inre/b.txt')]);
  const entry = folder('/Släppt', [file('a.txt', '/Släppt/a.txt'), inner]);
  const event = new Event('drop', { bubbles: true, cancelable: true });
  event.dataTransfer = { items: [{ webkitGetAsEntry: () => entry }], files: [] };
  document.querySelector('label.drop').dispatchEvent(event);
}"""
