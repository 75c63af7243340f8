"""Answers that can be checked, in a real browser: verdicts, the marked page, why, and the chunks themselves."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support import documents
from tests.support.browser import ARTIFACTS, ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed

PAGES = [
    "Handbok om bygglov för handläggare i kommunen, med allt som gäller för ansökan.",
    "Avgiften för bygglov för en altan är 4 300 kronor och betalas innan beslutet. Ansökan görs på webbplatsen.",
    "Beslutet kan överklagas inom tre veckor hos länsstyrelsen. Överklagandet skickas till kommunen först.",
]
QUESTION = "Vad kostar bygglov för en altan?"
TRUTH = "Bygglov för en altan kostar 4 300 kronor i avgift"
LIE = "Avgiften för bygglov för en altan är 9 900 kronor"
DONE_SECONDS = 60.0


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with one organisation and its workers."""
    with installed(tmp_path_factory.mktemp("citations") / "data") as made:
        yield made


def upload(client: httpx.Client, collection: str, name: str, content: bytes, state: str = "ready", **query: Any) -> str:
    """Send a document and wait until it is in a state; its id."""
    path = f"/api/v1/groups/{collection}/documents/"
    sent = client.put(path, params={"name": name, **query}, content=content).raise_for_status().json()
    deadline = time.monotonic() + DONE_SECONDS
    while client.get(f"/api/v1/info-blobs/{sent['id']}/").json()["state"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return str(sent["id"])


@pytest.fixture(scope="module")
def ids(installation: Installation, shared_provider: Provider) -> dict[str, str]:
    """A space with a handbook and an assistant that says what the test wants."""
    installation.add_model(shared_provider.url, "script")
    with closing(installation.client()) as client:
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
        collection = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Handböcker"}).json()["id"]
        document = upload(client, collection, "Handbok.pdf", documents.pdf(PAGES))
        made = client.post(f"/api/v1/spaces/{space}/applications/assistants/", json={"name": "Hjälpen"}).json()["id"]
        changes = {"groups": [{"id": collection}], "insight_enabled": True}
        client.post(f"/api/v1/assistants/{made}/", json=changes).raise_for_status()
        query = {"query": QUESTION, "collection_ids": [collection]}
        found = client.post("/api/v1/search/", json=query).json()["items"]
    number = next(str(item["rank"]) for item in found if "4 300" in item["text"])
    return {"space": space, "collection": collection, "document": document, "assistant": made, "number": number}


def ask(page: Page, installation: Installation, ids: dict[str, str], provider: Provider) -> None:
    provider.script = f"{TRUTH} [{ids['number']}]. {LIE} [{ids['number']}]."
    page.goto(f"{installation.url}/chat/{ids['assistant']}")
    ready(page)
    page.get_by_label("Message", exact=True).fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/conversations/"))
    expect(page.get_by_test_id("checked")).to_be_visible()


def fits(page: Page, name: str) -> None:
    """Nothing grave for axe, and nothing wider than a narrow screen; pictures of it where they are wanted."""
    assert grave(page) == [], name
    if os.environ.get("SCREENSHOTS"):
        page.screenshot(path=ARTIFACTS / f"{name}-light.png", full_page=True)
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("document.documentElement.scrollWidth <= 360")
    if os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(600)  # until the panels have moved away
        page.screenshot(path=ARTIFACTS / f"{name}-360.png", full_page=True)
    page.set_viewport_size({"width": 1440, "height": 900})


def drawn(page: Page) -> None:
    """The picture of the page has arrived."""
    picture = page.locator("img.pageimage")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('img.pageimage').naturalWidth > 300")


def test_a_citation_shows_its_verdict_and_opens_the_marked_page(
    page: Page, installation: Installation, ids: dict[str, str], provider: Provider
) -> None:
    sign_in(page, installation.url)
    ask(page, installation, ids, provider)
    true, false = page.locator(".cite").all()
    expect(true).to_contain_text("supported")
    expect(true).to_have_accessible_name(re.compile(r"Source \d.*supported.*: The passage says this"))
    expect(false).to_contain_text("not found")
    expect(false).to_have_accessible_name(re.compile("Do not rely on it"))
    expect(page.get_by_test_id("checked")).to_contain_text("1 supported, 1 not found")
    true.click()
    panel = page.get_by_role("complementary", name="Sources")
    expect(panel.locator("mark")).to_have_text(PAGES[1].split(". ")[0] + ".")
    expect(panel.get_by_role("list", name="What the answer says with this source")).to_contain_text(TRUTH)
    fits(page, "citations")
    false.click()
    expect(panel.locator("mark")).to_have_count(0)
    page.reload()
    ready(page)
    expect(page.locator(".cite.not_found")).to_contain_text("not found")
    page.locator(".cite.supported").click()
    panel.get_by_role("link", name="Show the place in the document").click()
    expect(page).to_have_url(re.compile("/sources/"))
    ready(page)
    drawn(page)
    expect(page.locator(".excerpt mark")).to_contain_text("4 300 kronor")
    fits(page, "source")
    address = installation.url + (page.locator("img.pageimage").get_attribute("src") or "")
    before = page.request.get(address).body()

    with closing(installation.client()) as client:
        upload(client, ids["collection"], "Handbok.pdf", documents.pdf(["Allt är nytt här.", *PAGES[:1]]))
    page.reload()
    ready(page)
    drawn(page)
    expect(page.get_by_text("The document has been replaced since.")).to_be_visible()
    assert page.request.get(address).body() == before
    with closing(installation.client()) as client:
        upload(client, ids["collection"], "Handbok.pdf", documents.pdf(PAGES))


def test_a_citation_that_is_pressed_while_the_answer_grows_opens(
    page: Page, installation: Installation, ids: dict[str, str], provider: Provider
) -> None:
    with closing(installation.client()) as client:
        body = {"name": "Långsam", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
        added = client.post("/api/v1/admin/model-providers/", json=body).raise_for_status().json()["id"]
        model = client.post(f"/api/v1/admin/model-providers/{added}/models/", json={"name": "script:8"}).json()["id"]
        path = f"/api/v1/spaces/{ids['space']}/applications/assistants/"
        made = client.post(path, json={"name": "Den långsamma"}).json()["id"]
        changes = {"groups": [{"id": ids["collection"]}], "completion_model": {"id": model}}
        client.post(f"/api/v1/assistants/{made}/", json=changes).raise_for_status()
    provider.script = f"{TRUTH} [{ids['number']}]. " + "Mer finns att läsa. " * 8
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/chat/{made}")
    ready(page)
    page.get_by_label("Message", exact=True).fill(QUESTION)
    page.keyboard.press("Enter")
    panel, marker = page.get_by_role("complementary", name="Sources"), page.locator(".cite")
    expect(panel.get_by_role("button", name="Close the sources")).to_be_in_viewport(ratio=1)
    marker.hover()
    page.mouse.down()
    pressed = page.locator(".prose").inner_text()
    # The answer ends, and is checked, under the finger.
    expect(page.get_by_test_id("checked")).to_be_visible()
    assert page.locator(".prose").inner_text() == pressed
    page.mouse.up()
    expect(panel.locator("mark")).to_be_visible()
    expect(page.locator(".prose")).to_contain_text("Mer finns att läsa. " * 7)
    expect(marker).to_contain_text("supported")


def test_why_this_answer(page: Page, installation: Installation, ids: dict[str, str], provider: Provider) -> None:
    sign_in(page, installation.url)
    ask(page, installation, ids, provider)
    page.get_by_test_id("why").click()
    expect(page).to_have_url(re.compile("/why/"))
    ready(page)
    for title in (
        "Checked citations",
        "The search",
        "Passages for the model",
        "Model",
        "Time",
        "What the model was sent",
    ):
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    expect(page.get_by_text("No price is set for this model.")).to_be_visible()
    page.locator("summary", has_text="Person").click()
    expect(page.locator(".excerpt.sent").last).to_contain_text('<passage number="1"')
    fits(page, "why")


def test_the_playground_shows_both_lists_and_their_fusion(
    page: Page, installation: Installation, ids: dict[str, str]
) -> None:
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{ids['space']}/knowledge")
    ready(page)
    page.get_by_role("button", name="Try the search").click()
    expect(page).to_have_url(re.compile("/playground"))
    page.get_by_label("Question").fill(QUESTION)
    page.keyboard.press("Enter")
    legs = page.locator(".leg")
    expect(legs).to_have_count(3)
    for leg in legs.all():
        expect(leg.locator("li").first).to_contain_text("Handbok.pdf · Page 2")
    fits(page, "playground")
    page.get_by_label("How to search").click()
    page.get_by_role("option", name="Words alone").click()
    page.get_by_role("button", name="Search", exact=True).last.click()
    expect(legs.first).to_contain_text("Nothing was found this way.")
    page.get_by_text("Narrow the search").click()
    tags = page.get_by_label("With all of the tags")
    tags.fill("nämnden")
    tags.press("Enter")
    fits(page, "narrowed playground")
    page.get_by_role("button", name="Search", exact=True).last.click()
    expect(legs.last).to_contain_text("Nothing was found this way.")
    page.goto(f"{installation.url}/documents/{ids['document']}")
    ready(page)
    page.get_by_role("button", name="Options for Handbok.pdf").click()
    page.get_by_role("menuitem", name="Tags").click()
    entry = page.get_by_role("dialog").get_by_label("Tags", exact=True)
    entry.fill("Nämnden")
    entry.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_text("#Nämnden")).to_be_visible()
    page.goto(f"{installation.url}/spaces/{ids['space']}/playground")
    ready(page)
    page.get_by_label("Question").fill(QUESTION)
    page.get_by_text("Narrow the search").click()
    tags.fill("nämnden")
    tags.press("Enter")
    page.get_by_role("button", name="Search", exact=True).last.click()
    expect(legs.last.locator("li").first).to_contain_text("Handbok.pdf")


def test_a_question_is_narrowed_at_the_box_in_which_it_is_written(
    page: Page, installation: Installation, ids: dict[str, str], provider: Provider
) -> None:
    sign_in(page, installation.url)
    provider.script = f"{TRUTH} [{ids['number']}]."
    page.goto(f"{installation.url}/chat/{ids['assistant']}")
    ready(page)
    page.get_by_test_id("narrow").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Types of files").click()
    page.get_by_role("option", name="PDF", exact=True).click()
    page.keyboard.press("Escape")
    dialog.get_by_label("Collections (all if none is chosen)").click()
    page.get_by_role("option", name="Handböcker").click()
    page.keyboard.press("Escape")
    tags = dialog.get_by_label("With all of the tags")
    tags.fill("Finns inte")
    tags.press("Enter")
    dialog.get_by_role("button", name="Narrow the search").click()
    expect(dialog).to_have_count(0)
    chips = page.get_by_test_id("narrowed").get_by_role("listitem")
    expect(chips).to_have_count(3)
    fits(page, "narrowed chat")
    box = page.get_by_label("Message", exact=True)
    box.fill(QUESTION)
    box.press("Enter")
    expect(page).to_have_url(re.compile("/conversations/"))
    first = page.get_by_test_id("turn-narrowed").first
    expect(first).to_contain_text("#finns inte")
    expect(page.get_by_test_id("references")).to_have_count(0)
    page.get_by_role("button", name="No longer narrow to #finns inte").click()
    expect(chips).to_have_count(2)
    expect(box).to_be_focused()
    expect(page.get_by_test_id("send")).to_be_visible()
    box.fill(QUESTION)
    box.press("Enter")
    expect(page.get_by_test_id("references")).to_have_count(1)
    page.reload()
    ready(page)
    expect(page.get_by_test_id("turn-narrowed")).to_have_count(2)
    expect(chips.locator(".fn")).to_have_text(["Handböcker", "PDF"])
    page.get_by_test_id("why").last.click()
    expect(page).to_have_url(re.compile("/why/"))
    expect(page.get_by_text("Handböcker, PDF")).to_be_visible()


def test_a_chunk_is_changed_and_switched_off_on_the_page(
    page: Page, installation: Installation, ids: dict[str, str]
) -> None:
    sign_in(page, installation.url)
    with closing(installation.client()) as client:
        document = upload(
            client, ids["collection"], "Parker.pdf", documents.pdf(["Parken öppnar i gryningen varje dag."])
        )
    page.goto(f"{installation.url}/documents/{document}")
    ready(page)
    page.get_by_role("button", name="Change passage 1").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Text").fill("Parken är stängd för ombyggnad.")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator(".passage")).to_contain_text("stängd för ombyggnad")
    expect(page.locator(".passage")).to_contain_text("Changed by hand")
    page.get_by_role("button", name="Switch passage 1 off").click()
    expect(page.locator(".passage")).to_contain_text("Switched off")
    fits(page, "chunks")
    query = {"query": "ombyggnad", "collection_ids": [ids["collection"]], "mode": "text"}
    with closing(installation.client()) as client:
        assert client.post("/api/v1/search/", json=query).json()["items"] == []
        page.get_by_role("button", name="Switch passage 1 on").click()
        expect(page.get_by_role("button", name="Switch passage 1 off")).to_be_visible()
        assert len(client.post("/api/v1/search/", json=query).json()["items"]) == 1


def test_a_look_before_indexing(page: Page, installation: Installation, ids: dict[str, str]) -> None:
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/collections/{ids['collection']}")
    ready(page)
    page.get_by_role("switch", name="Look at the passages before they are indexed").click()
    expect(page.locator("[data-url$='preview=true']")).to_be_visible()
    content = documents.pdf(["Badplatsen har toaletter och omklädningsrum.", "Hundar får inte bada vid badplatsen."])
    page.locator("input[type=file]").first.set_input_files(
        {"name": "Badplats.pdf", "mimeType": "application/pdf", "buffer": content}
    )
    row = page.get_by_role("listitem").filter(has_text="Badplats.pdf")
    expect(row.filter(has_text="To be looked at")).to_be_visible(timeout=60_000)
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name="A look before indexing")).to_be_visible()
    expect(page.locator(".passage").first).to_contain_text("Badplatsen har toaletter")
    fits(page, "preview")
    page.get_by_role("button", name="Index", exact=True).click()
    expect(page.get_by_text("Ready")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", name="A look before indexing")).to_have_count(0)


def test_another_size_of_passages_offers_to_cut_anew(page: Page, installation: Installation) -> None:
    with closing(installation.client()) as client:
        space = client.post("/api/v1/spaces/", json={"name": "Storlek"}).json()["id"]
        collection = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Planer"}).json()["id"]
        text = " ".join(f"Mening nummer {n} handlar om planen." for n in range(60))
        document = upload(client, collection, "plan.txt", text.encode())
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/collections/{collection}")
    ready(page)
    page.get_by_role("button", name="Options for Planer").click()
    page.get_by_role("menuitem", name="Size of passages").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Tokens in a passage").fill("80")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Cut anew").click()
    deadline = time.monotonic() + DONE_SECONDS
    with closing(installation.client()) as client:
        while client.get(f"/api/v1/groups/{collection}/chunk-size/").json()["outdated"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        chunks = client.get(f"/api/v1/info-blobs/{document}/chunks/").json()["items"]
    assert len(chunks) > 4
    assert all(chunk["tokens"] <= 90 for chunk in chunks)


def test_questions_without_an_answer(
    page: Page, installation: Installation, ids: dict[str, str], provider: Provider
) -> None:
    with closing(installation.client()) as client:
        space = ids["space"]
        empty = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Tom"}).json()["id"]
        made = client.post(f"/api/v1/spaces/{space}/applications/assistants/", json={"name": "Tomma"}).json()["id"]
        client.post(f"/api/v1/assistants/{made}/", json={"groups": [{"id": empty}], "insight_enabled": True})
        provider.script = "Det vet jag inte."
        client.post("/api/v1/conversations/", json={"assistant_id": made, "question": "Får man ha höns?"})
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{space}/unanswered")
    ready(page)
    row = page.get_by_role("listitem").filter(has_text="Får man ha höns?")
    expect(row).to_contain_text("1 time")
    fits(page, "unanswered")
    row.get_by_role("button").click()
    expect(page.get_by_role("heading", name="No questions without an answer")).to_be_visible()
