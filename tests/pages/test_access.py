"""Every page and every socket, by those who should not: nobody, a colleague from outside, another organisation."""

import re
from collections.abc import Iterator
from typing import Any, Literal
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as TooSlow
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from pages.site import ROUTES
from tests.conftest import Counted
from tests.pages.test_pages import grave
from tests.support.browser import ready, sign_in, somebody
from tests.support.server import EMAIL, PASSWORD, Installation, installed

OPERATOR_KEY = "operator-key-of-the-tests"
SETTINGS = {"ENEO_SUPER_API_KEY": OPERATOR_KEY, "PUBLIC_ORIGIN": "http://samrad.example"}
SECRET = f"Hemligheten är {uuid4()}"
COLLEAGUE, STRANGER = "kollega@sundvik.se", "spion@grannen.se"
SOCKET = "/_nicegui_ws/socket.io/"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
REFUSED = re.compile("cannot be shown|kan inte visas")
OWN = {"/", "/welcome", "/chat", "/conversations", "/account", "/account/api-keys", "/account/usage"}
"""Pages that show everybody their own."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A program with two organisations."""
    with installed(tmp_path_factory.mktemp("access") / "data", WORKERS="0", **SETTINGS) as made:
        yield made


def client_of(installation: Installation, email: str) -> httpx.Client:
    """An API client, signed in."""
    form = {"username": email, "password": PASSWORD}
    token = httpx.post(f"{installation.url}/api/v1/users/login/token/", data=form).json()["access_token"]
    return httpx.Client(base_url=installation.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


@pytest.fixture(scope="module")
def ids(installation: Installation) -> dict[str, str]:
    """What the owner has made, by the name it has in addresses; and two people who may not see it."""
    with client_of(installation, EMAIL) as owner:
        space = owner.post("/api/v1/spaces/", json={"name": SECRET}).json()["id"]
        collection = owner.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": SECRET}).json()["id"]
        text = {"info_blobs": [{"text": SECRET, "metadata": {"title": SECRET}}]}
        document = owner.post(f"/api/v1/groups/{collection}/info-blobs/", json=text).json()["items"][0]["id"]
        path = f"/api/v1/spaces/{space}/applications/assistants/"
        assistant = owner.post(path, json={"name": SECRET}).json()["id"]
        site = {"url": "http://127.0.0.1:9/", "name": SECRET}
        website = owner.post(f"/api/v1/spaces/{space}/knowledge/websites/", json=site).json()
        asked = {"assistant_id": assistant, "question": SECRET}
        answer = owner.post("/api/v1/conversations/", json=asked).json()
        person = {"email": COLLEAGUE, "password": PASSWORD}
        assert owner.post("/api/v1/admin/users/", json=person).status_code == 201
    with httpx.Client(base_url=installation.url, headers={"X-API-Key": OPERATOR_KEY}) as operator:
        tenant = operator.post("/api/v1/sysadmin/tenants/", json={"name": "Grannkommunen"}).json()["id"]
        stranger = {"email": STRANGER, "password": PASSWORD, "tenant_id": tenant}
        made = operator.post("/api/v1/sysadmin/users/", json=stranger)
        assert made.status_code in (200, 201), made.text
    return {
        "space_id": space, "collection_id": collection, "document_id": document, "assistant_id": assistant,
        "conversation_id": answer["session_id"], "message_id": answer["id"], "number": "1", "citation": "0",
        "website_id": website["id"], "run_id": website["latest_crawl"]["id"],
    }  # fmt: skip


def addresses(ids: dict[str, str]) -> list[str]:
    """Every page, with the owner's ids."""
    return [re.sub(r"{(\w+)}", lambda found: ids[found[1]], path) for path in ROUTES]


@pytest.mark.parametrize("email", [COLLEAGUE, STRANGER])
def test_no_page_shows_what_is_not_theirs(
    page: Page, installation: Installation, ids: dict[str, str], email: str, counted: Counted
) -> None:
    sign_in(page, installation.url, email)
    received: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(str(data))))
    for address in addresses(ids):
        page.goto(f"{installation.url}{address}")
        ready(page)
        shown = page.content()
        assert SECRET not in shown, address
        if address not in OWN:
            expect(page.get_by_role("heading", name=REFUSED)).to_be_visible()
    assert not any(SECRET in data for data in received)
    counted(pages=len(ROUTES))


@pytest.mark.timeout(600)
def test_every_page_is_usable_in_both_themes_and_on_a_narrow_screen(
    page: Page, installation: Installation, ids: dict[str, str], counted: Counted
) -> None:
    sign_in(page, installation.url)
    found: dict[str, object] = {}
    for address in addresses(ids):
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(f"{installation.url}{address}")
        ready(page)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.locator(f"body.body--{scheme}").wait_for()
            if trouble := grave(page):
                found[f"{address} {scheme}"] = trouble
        page.set_viewport_size({"width": 360, "height": 740})
        try:
            # The navigation goes aside first.
            page.wait_for_function("document.documentElement.scrollWidth <= 360", timeout=5_000)
        except TooSlow:
            found[f"{address} on a narrow screen"] = page.evaluate("document.documentElement.scrollWidth")
    assert found == {}
    counted(pages=len(ROUTES))


def test_nobody_sees_a_page(installation: Installation, ids: dict[str, str], counted: Counted) -> None:
    with httpx.Client(base_url=installation.url) as nobody:
        for address in addresses(ids):
            answer = nobody.get(address)
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in"), address
            assert SECRET not in answer.text
    counted(pages=len(ROUTES))


def poll(installation: Installation, client_id: str, origin: str | None = None, **cookies: str) -> int:
    """Try to open the socket of a page, the way a browser begins it."""
    query: dict[str, Any] = {"EIO": "4", "transport": "polling", "client_id": client_id}
    headers = {"origin": origin} if origin else {}
    return httpx.get(f"{installation.url}{SOCKET}", params=query, headers=headers, cookies=cookies).status_code


def test_a_socket_opens_for_our_own_pages_also_behind_a_proxy_that_changes_the_host(
    page: Page, installation: Installation
) -> None:
    sign_in(page, installation.url)
    client_id = page.evaluate("window.clientId")
    [mine] = [c for c in page.context.cookies() if "samrad" in c["name"] and "language" not in c["name"]]
    for origin, status in ((installation.url, 200), (SETTINGS["PUBLIC_ORIGIN"], 200), ("http://evil.example", 400)):
        assert poll(installation, client_id, origin, **{mine["name"]: mine["value"]}) == status, origin


def test_the_socket_of_a_page_is_its_owners_alone(
    page: Page, browser: Browser, installation: Installation, ids: dict[str, str]
) -> None:
    sign_in(page, installation.url)
    page.goto(f"{installation.url}/spaces/{ids['space_id']}")
    ready(page)
    client_id = page.evaluate("window.clientId")
    context = somebody(browser)
    other = context.new_page()
    sign_in(other, installation.url, STRANGER)
    [theirs] = [c for c in context.cookies() if "samrad" in c["name"] and "language" not in c["name"]]
    assert poll(installation, client_id) == 401
    assert poll(installation, client_id, **{theirs["name"]: "x.y.z"}) == 401
    assert poll(installation, client_id, **{theirs["name"]: theirs["value"]}) == 403
    context.close()


def test_the_socket_of_jobs_opens_for_living_tokens_only(installation: Installation, ids: dict[str, str]) -> None:
    address = installation.url.replace("http", "ws") + "/api/v1/ws"

    def opened(token: str) -> bool:
        protocols = [Subprotocol("intric"), Subprotocol(f"auth_{token}")]
        try:
            with connect(address, subprotocols=protocols, proxy=None) as socket:
                socket.send('{"type": "ping"}')
                return "pong" in str(socket.recv(timeout=10))
        except WebSocketException:
            return False

    with client_of(installation, COLLEAGUE) as colleague, client_of(installation, EMAIL) as owner:
        token = colleague.headers["Authorization"].split()[1]
        assert opened(token)
        for wrong in ("", "x.y.z", token[:-3], token + "x"):
            assert not opened(wrong), wrong
        assert owner.post(f"/api/v1/admin/users/{COLLEAGUE}/deactivate").status_code == 200
        assert not opened(token)
        assert owner.post(f"/api/v1/admin/users/{COLLEAGUE}/reactivate").status_code == 200


def test_every_answer_has_the_headers_that_protect_it(installation: Installation, ids: dict[str, str]) -> None:
    with httpx.Client(base_url=installation.url) as nobody:
        answers = [
            nobody.get(path) for path in ("/sign-in", "/api/v1/limits/", "/static/theme.css", "/nowhere", "/api/v1/x")
        ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "geolocation=()" in answer.headers["permissions-policy"]
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    policy = answers[0].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_script_without_the_nonce_does_not_run(page: Page, installation: Installation) -> None:
    sign_in(page, installation.url)
    heads: list[str] = []
    page.on("response", lambda answer: heads.append(answer.headers.get("content-security-policy", "")))
    page.goto(f"{installation.url}/chat")
    ready(page)
    policy = next(filter(None, heads))
    assert re.search(r"script-src 'self' 'nonce-[\w-]{20,}'", policy)
    assert "frame-ancestors 'none'" in policy
    ran = page.evaluate(
        "() => { const s = document.createElement('div'); s.innerHTML = '<img src=x onerror=\"window.ran = true\">';"
        "document.body.append(s); const t = document.createElement('script'); t.textContent = 'window.ran = true';"
        "document.body.append(t); return new Promise(done => setTimeout(() => done(window.ran === true), 500)); }"
    )
    assert ran is False
