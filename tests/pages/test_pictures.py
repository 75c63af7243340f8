"""Pictures of assistants and spaces in a browser: chosen, seen everywhere, taken away."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.pages.test_assistants import assistant_of
from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.pictures import picture
from tests.support.server import Installation, installed

ADDRESS = re.compile(r"/api/v1/icons/[0-9a-f-]{36}/$")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own."""
    with installed(tmp_path_factory.mktemp("pictures") / "data", WORKERS="0") as made:
        yield made


def seen(place: Locator) -> None:
    """The place shows one picture, and it has come."""
    image = place.locator("img.picture")
    expect(image).to_have_count(1)
    expect(image).to_have_attribute("src", ADDRESS)
    expect(image).to_have_attribute("alt", "")
    image.page.wait_for_function("image => image.complete && image.naturalWidth === 64", arg=image.element_handle())


def choose(page: Page, content: Path) -> None:
    """A picture for what is edited."""
    page.locator("input[type=file]").set_input_files(content)
    expect(page.get_by_role("status").get_by_text("The picture is chosen. Save to keep it.")).to_be_visible()


def mentioned_elsewhere(page: Page, installation: Installation, space: str) -> None:
    """Its answer in the conversation of another assistant bears its picture, also after a reload, else its letters."""
    with installation.client() as client:
        other = client.post(f"/api/v1/spaces/{space}/applications/assistants/", json={"name": "Annan"}).json()["id"]
    page.goto(f"{installation.url}/chat/{other}")
    ready(page)
    box = page.get_by_label("Message", exact=True)
    box.press_sequentially("@Lovhj")
    page.get_by_role("option", name="Lovhjälpen").click()
    box.press_sequentially("Vad kostar det?")
    page.keyboard.press("Enter")
    seen(page.get_by_test_id("message-answer-0"))
    expect(page).to_have_url(re.compile("/conversations/"))
    page.reload()
    ready(page)
    answer = page.get_by_test_id("message-answer-0")
    seen(answer)
    # One that cannot be shown any more gives way to letters.
    page.route("**/api/v1/icons/**", lambda route: route.abort())
    page.reload()
    ready(page)
    expect(answer.locator(".av")).to_have_text("L")
    page.unroute("**/api/v1/icons/**")


def test_an_assistant_gets_a_picture_and_loses_it(page: Page, installation: Installation, tmp_path: Path) -> None:
    space, assistant = assistant_of(installation, "Bildrummet")
    (tmp_path / "bild.png").write_bytes(picture(64))
    (tmp_path / "text.png").write_bytes(b"<svg/>")
    sign_in(page, installation.url)
    edit, url = f"{installation.url}/assistants/{assistant}", installation.url
    page.goto(edit)
    ready(page)
    field = page.locator(".setting").filter(has=page.get_by_role("heading", name="Picture"))
    # The keyboard reaches it as any other field.
    field.locator("input[type=file]").focus()
    page.locator("input[type=file]").set_input_files(tmp_path / "text.png")
    expect(field.get_by_text("Choose a picture in the format PNG, JPEG or WebP.")).to_be_visible()
    choose(page, tmp_path / "bild.png")
    seen(field)
    page.get_by_test_id("save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.locator("img.picture")).to_have_count(2)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert grave(page) == []
    page.goto(f"{url}/spaces/{space}/assistants")
    ready(page)
    seen(page.locator(".tile"))
    assert grave(page) == []
    page.goto(f"{url}/chat/{assistant}")
    ready(page)
    seen(page.locator(".chathead"))
    seen(page.locator(".welcome"))
    page.get_by_test_id("mention").click()
    seen(page.get_by_role("option", name="Lovhjälpen"))
    page.keyboard.press("Escape")
    mentioned_elsewhere(page, installation, space)
    page.goto(f"{url}/chat/{assistant}")
    ready(page)
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("document.documentElement.scrollWidth <= 360")
    assert grave(page) == []
    page.goto(edit)
    ready(page)
    page.get_by_role("button", name="Remove the picture").click()
    expect(page.locator("input[type=file]")).to_be_focused()
    expect(page.get_by_text("Changes to keep")).to_be_visible()
    page.get_by_test_id("save").click()
    expect(page.locator("img.picture")).to_have_count(0)
    page.goto(f"{url}/spaces/{space}/assistants")
    ready(page)
    expect(page.locator(".tile").filter(has_text="Lovhjälpen").locator(".face")).to_have_text("L")
    expect(page.locator("img.picture")).to_have_count(0)


def test_a_space_gets_a_picture(page: Page, installation: Installation, tmp_path: Path) -> None:
    space, _ = assistant_of(installation, "Gatukontoret")
    (tmp_path / "bild.webp").write_bytes(picture(64, form="WEBP"))
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{space}/settings")
    ready(page)
    choose(page, tmp_path / "bild.webp")
    page.get_by_role("button", name="Save", exact=True).click()
    seen(page.get_by_role("navigation", name="Main"))
    page.goto(installation.url)
    ready(page)
    seen(page.get_by_role("main").get_by_role("link", name="Gatukontoret"))
    seen(page.get_by_role("navigation", name="Main"))
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_label("Search").fill("Gatuk")
    seen(page.get_by_role("dialog").get_by_role("link", name="Gatukontoret"))
    page.keyboard.press("Escape")
    page.goto(f"{installation.url}/spaces/{space}")
    ready(page)
    seen(page.get_by_role("main"))
    assert grave(page) == []
