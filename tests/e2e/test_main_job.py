"""The main job in a browser: set up, upload, ask, and open the cited page; on all three shapes of an installation.

With RUNNING_URL in the environment the test of citations goes to a program that runs there and has never been set up, such
as the one file or a container.
"""

import gzip
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from playwright.sync_api import Page, expect

from app.ingestion.readers import page_parts
from tests.support import documents
from tests.support.browser import in_thread, ready, sign_in
from tests.support.postgres import Postgres
from tests.support.provider import Provider
from tests.support.server import EMAIL, PASSWORD, Installation, installed
from tests.support.valkey import Valkey

RUNNING = os.environ.get("RUNNING_URL", "")
SHAPES = ("running",) if RUNNING else ("builtin", "provider", "production")
QUESTION = "Vad kostar ett bygglov för en altan?"
FACT = "Avgiften för bygglov för en altan är 4 300 kronor."
FILLER = [
    "Sökanden ska bifoga en situationsplan och ritningar i skala ett till hundra.",
    "Handläggaren kontrollerar att handlingarna är fullständiga och begär annars komplettering.",
    "Grannar som berörs får tillfälle att yttra sig innan ärendet avgörs.",
    "Beslutet kungörs och skickas till sökanden och till dem som har lämnat synpunkter.",
    "Kontrollplanen anger vilka kontroller som ska göras medan arbetet pågår.",
]
HANDBOOK = [
    "\n".join(
        ["Handbok om bygglov", "Den här handboken beskriver hur kommunen handlägger ansökningar om lov.", *FILLER]
    ),
    "\n".join(["Avgifter", FACT, "Avgiften betalas innan beslutet fattas av byggnadsnämnden.", *FILLER]),
    "\n".join(["Överklagande", "Beslutet kan överklagas till länsstyrelsen inom tre veckor.", *FILLER]),
]
PAPERS = Path(__file__).resolve().parents[2] / ".cache" / "papers" / "usr" / "share" / "doc" / "debian-policy"


@dataclass(frozen=True, slots=True)
class Shape:
    """An installation and what answers there."""

    url: str
    installation: Installation | None = None
    provider: Provider | None = None


@pytest.fixture(params=SHAPES)
def shape(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres, shared_valkey: Valkey, provider: Provider
) -> Iterator[Shape]:
    """Built-in answers on one node; a provider on one node; Postgres, Redis and a worker of its own."""
    if request.param == "running":
        yield Shape(RUNNING)
        return
    settings: dict[str, str] = {}
    name = ""
    if request.param == "production":
        name = in_thread(postgres.create())
        settings = {"DATABASE_URL": postgres.url(name), "REDIS_URL": shared_valkey.url, "WORKERS": "0"}
        in_thread(postgres.execute("create extension if not exists vector", name))
    installation = Installation(tmp_path / "data", **settings)
    # The worker waits for the database that the first start of the other brings to the present schema.
    installation.start(*(("worker", "serve") if name else ("serve",)))
    yield Shape(installation.url, installation, provider if request.param == "provider" else None)
    installation.stop()
    if name:
        in_thread(postgres.drop(name))


def set_up(page: Page, url: str) -> None:
    """The first start."""
    page.goto(url)
    page.get_by_label("Organisation").fill("Sundviks kommun")
    page.get_by_label("name", exact=False).nth(1).fill("Anna Lind")
    page.locator("input[name=email]").fill(EMAIL)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("select[name=language]").select_option("en")
    page.locator("button.main").click()
    expect(page).to_have_url(re.compile("/welcome"))
    ready(page)


def make_collection(page: Page, url: str, folder: Path) -> None:
    """A space with a collection of two documents, read to the end."""
    page.goto(url)
    ready(page)
    page.get_by_role("button", name="Create space").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Bygg")
    dialog.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile("/spaces/"))
    page.goto(f"{page.url}/knowledge")
    ready(page)
    page.get_by_role("button", name="Create collection").first.click()
    dialog.get_by_label("Name").fill("Handböcker")
    dialog.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile("/collections/"))
    handbook, notes = folder / "Handbok åäö.pdf", folder / "Anteckningar.md"
    handbook.write_bytes(documents.pdf(HANDBOOK))
    notes.write_text("# Möte\n\nNästa möte är den 3 december.", encoding="utf-8")
    page.locator("input[type=file]").first.set_input_files([handbook, notes])
    expect(page.get_by_text("Ready")).to_have_count(2, timeout=90_000)


def make_assistant(page: Page, url: str) -> None:
    """An assistant that answers from the collection, opened for a question."""
    page.goto(url)
    ready(page)
    page.get_by_role("link", name="Bygg").first.click()
    expect(page).to_have_url(re.compile("/spaces/"))
    page.goto(f"{page.url}/assistants")
    ready(page)
    page.get_by_role("button", name="Create assistant").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Bygglovshjälpen")
    dialog.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile("/assistants/"))
    page.get_by_label("Knowledge").last.click()
    page.get_by_role("option", name="Handböcker").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved").first).to_be_visible()
    page.get_by_role("button", name="Try it").click()
    expect(page).to_have_url(re.compile("/chat/"))


def test_a_citation_opens_the_right_page_with_the_passage_highlighted(page: Page, shape: Shape, tmp_path: Path) -> None:
    do_the_main_job(page, shape, tmp_path)


def do_the_main_job(page: Page, shape: Shape, folder: Path) -> None:
    """From the first start to the cited page, in an installation that has never been set up."""
    url = shape.url
    set_up(page, url)
    if shape.installation and shape.provider:
        shape.installation.add_model(shape.provider.url, "echo")
    make_collection(page, url, folder)
    make_assistant(page, url)
    page.get_by_role("textbox").last.fill(QUESTION)
    page.keyboard.press("Enter")
    log = page.get_by_role("log")
    citation = log.get_by_role("button", name=re.compile("1")).first
    expect(citation).to_be_visible()
    citation.click()
    source = page.get_by_text("Handbok åäö.pdf").first
    expect(source).to_be_visible()
    picture = page.locator("img[src*='/sources/']").first
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector(\"img[src*='/sources/']\").naturalWidth > 300")
    # The highlight is in the picture itself: the marker's yellow is nowhere else on a page of black text.
    yellow = page.evaluate(
        """() => { const i = document.querySelector("img[src*='/sources/']"); const c = document.createElement("canvas");
        c.width = i.naturalWidth; c.height = i.naturalHeight; const g = c.getContext("2d"); g.drawImage(i, 0, 0);
        const d = g.getImageData(0, 0, c.width, c.height).data; let n = 0;
        for (let k = 0; k < d.length; k += 4) if (d[k] > 200 && d[k + 1] > 180 && d[k + 2] < 180) n++; return n; }"""
    )
    assert yellow > 500
    if shape.provider is None:
        expect(log).to_contain_text("4 300 kronor")
        expect(page.get_by_text("Page 2").first).to_be_visible()
    answer = log.inner_text()
    page.reload()
    ready(page)
    expect(log).to_contain_text(answer.splitlines()[-3][:30] if shape.provider else "4 300 kronor")


@pytest.fixture
def single_node(tmp_path: Path) -> Iterator[Installation]:
    """One node with its organisation, built-in models only."""
    with installed(tmp_path / "data") as installation:
        yield installation


@pytest.mark.timeout(400)
def test_a_real_handbook_is_cited_page_by_page(page: Page, single_node: Installation, tmp_path: Path) -> None:
    packed = PAPERS / "fhs" / "fhs-3.0.pdf.gz"
    if not packed.exists():
        pytest.skip("the Debian package with the PDF is not at hand (make papers)")
    handbook = tmp_path / "fhs-3.0.pdf"
    handbook.write_bytes(gzip.decompress(packed.read_bytes()))
    with closing(single_node.client()) as client:
        space = client.post("/api/v1/spaces/", json={"name": "Drift"}).json()["id"]
        collection = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Standarder"}).json()["id"]
        assistant = client.post(f"/api/v1/spaces/{space}/applications/assistants/", json={"name": "Driften"}).json()[
            "id"
        ]
        client.post(f"/api/v1/assistants/{assistant}/", json={"groups": [{"id": collection}]})
        sign_in(page, single_node.url)
        page.goto(f"{single_node.url}/collections/{collection}")
        ready(page)
        page.locator("input[type=file]").first.set_input_files([handbook])
        expect(page.get_by_text("Ready")).to_be_visible(timeout=300_000)
        page.goto(f"{single_node.url}/chat/{assistant}")
        ready(page)
        page.get_by_role("textbox").last.fill("Where must static configuration files for add-on packages be installed?")
        page.keyboard.press("Enter")
        page.get_by_role("log").get_by_role("button", name=re.compile("1")).first.click()
        page.wait_for_function("document.querySelector(\"img[src*='/sources/']\")?.naturalWidth > 300")
        session = client.get("/api/v1/conversations/").json()["items"][0]["id"]
        answer = client.post("/api/v1/conversations/", json={"session_id": session, "question": "And for X11?"}).json()
    assert answer["references"]
    pdf = pdfium.PdfDocument(handbook)
    for reference in answer["references"]:
        parts = page_parts(pdf, reference["page"] - 1)
        texts = [part if isinstance(part, str) else "".join(cell for row in part for cell in row) for part in parts]
        assert solid(reference["text"])[:60] in solid("".join(texts))


def solid(text: str) -> str:
    """Without spaces, and without what stands between the cells of a table."""
    return "".join(text.replace("|", "").split())


def test_a_reload_in_mid_answer_loses_nothing(page: Page, single_node: Installation, provider: Provider) -> None:
    single_node.add_model(provider.url, "rate:15:120")
    sign_in(page, single_node.url)
    page.goto(f"{single_node.url}/chat")
    ready(page)
    page.get_by_role("textbox").last.fill("Berätta långsamt")
    page.keyboard.press("Enter")
    log = page.get_by_role("log")
    expect(page).to_have_url(re.compile("/conversations/"))
    expect(log).to_contain_text("w10 ")
    page.reload()
    ready(page)
    expect(log).to_contain_text("w20 ")
    with closing(single_node.client()) as client:
        session = client.get("/api/v1/conversations/").json()["items"][0]["id"]
        expect(log).to_contain_text("w119", timeout=60_000)
        [message] = client.get(f"/api/v1/conversations/{session}/").json()["messages"]
    assert message["answer"].split() == [f"w{n}" for n in range(120)]
    shown = re.findall(r"w\d+", log.inner_text())
    assert shown == message["answer"].split()
