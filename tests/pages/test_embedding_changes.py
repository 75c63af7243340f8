"""The embedding model is swapped while people search, in a browser."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in
from tests.support.provider import Provider
from tests.support.server import Installation, installed

WIDE = 96
TEXTS = {
    "bygglov.txt": "Bygglov söks hos byggnadsnämnden. Handläggningen tar tio veckor.",
    "skola.txt": "Skolskjuts beviljas elever som har lång väg till skolan.",
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with a worker."""
    data: Path = tmp_path_factory.mktemp("embedding") / "data"
    with installed(data, WORKERS="1") as made:
        yield made


def prepared(client: httpx.Client, provider: Provider) -> tuple[str, str]:
    """A space with a collection of searchable documents, and another model beside the built-in one."""
    space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
    collection = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Handboken"}).json()["id"]
    for name, content in TEXTS.items():
        client.put(f"/api/v1/groups/{collection}/documents/", params={"name": name}, content=content.encode())
    body = {"name": "Egen", "provider_type": "openai_compatible", "config": {"endpoint": provider.url}}
    made = client.post("/api/v1/admin/model-providers/", json=body).raise_for_status().json()
    model = {"provider_id": made["id"], "name": f"dims:{WIDE}", "dimensions": WIDE}
    client.post("/api/v1/admin/tenant-models/embedding/", json=model).raise_for_status()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        items = client.get(f"/api/v1/groups/{collection}/info-blobs/").json()["items"]
        if len(items) == len(TEXTS) and all(item["state"] == "ready" for item in items):
            return str(space), str(collection)
    raise AssertionError("the documents were not read")


def searched(page: Page, question: str) -> None:
    """Ask in the open playground, and find what is sought."""
    page.get_by_role("main").get_by_label("Question").fill(question)
    page.get_by_role("main").get_by_role("button", name="Search", exact=True).click()


def test_embedding_model_swap_while_people_search(page: Page, installation: Installation, provider: Provider) -> None:
    with installation.client() as client:
        space, collection = prepared(client, provider)
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/collections/{collection}")
    ready(page)
    expect(page.get_by_text("Embedding model: multilingual-e5-small", exact=True)).to_be_visible()
    page.get_by_role("button", name="Options for Handboken").click()
    page.get_by_role("menuitem", name="Embedding model").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New embedding model").click()
    page.get_by_role("option", name=f"dims:{WIDE} · Egen").click()
    expect(dialog.get_by_text(re.compile("1 collection, 2 documents, 2 passages, about"))).to_be_visible()
    assert grave(page) == []
    provider.hold_embeddings(words="bygglov")
    dialog.get_by_role("button", name="Change model").click()
    expect(page.get_by_text(re.compile("0 of 2 passages"))).to_be_visible()
    assert grave(page) == []
    # Somebody searches in the middle of it.
    searcher = page.context.new_page()
    searcher.goto(f"{installation.url}/spaces/{space}/playground")
    ready(searcher)
    searched(searcher, "Hur lång tid tar ett bygglov?")
    expect(searcher.get_by_text("bygglov.txt").first).to_be_visible()
    expect(page.get_by_text("Embedding model: multilingual-e5-small", exact=True)).to_be_visible()
    provider.release_embeddings()
    expect(page.get_by_text(f"Embedding model: dims:{WIDE}", exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_text(re.compile("of 2 passages"))).to_have_count(0)
    searched(searcher, "Skolskjuts beviljas elever")
    expect(searcher.get_by_text("skola.txt").first).to_be_visible()
    assert "Skolskjuts beviljas elever" in "".join(provider.seen.embedded)

    # And back, everywhere at once.
    provider.reset()
    page.goto(f"{installation.url}/admin/models")
    ready(page)
    page.get_by_role("button", name=f"Replace dims:{WIDE} everywhere").click()
    dialog.get_by_label("New embedding model").click()
    page.get_by_role("option", name="multilingual-e5-small · Samråd").click()
    dialog.get_by_role("button", name="Change model").click()
    expect(page.get_by_text("The change has begun")).to_be_visible()
    page.goto(f"{installation.url}/collections/{collection}")
    ready(page)
    expect(page.get_by_text("Embedding model: multilingual-e5-small", exact=True)).to_be_visible(timeout=60_000)
    page.goto(f"{installation.url}/spaces/{space}/settings")
    ready(page)
    expect(page.get_by_role("button", name="Change model")).to_be_visible()
    assert grave(page) == []
