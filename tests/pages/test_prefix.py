"""Behind a proxy, under a path of its host: everything works there as at the root."""

import http.client
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler

import pytest
from playwright.sync_api import Page, expect

from tests.support.postgres import free_port
from tests.support.server import EMAIL, PASSWORD, installed

PREFIX = "/kommun/ai"


class _Proxy(BaseHTTPRequestHandler):
    """Passes everything under the prefix on: with the path as it came, or without the prefix; sockets are refused."""

    target, strips = 0, False

    def _pass_on(self) -> None:
        path = self.path
        if not path.startswith(PREFIX):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        upstream = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        headers = {**dict(self.headers.items()), "X-Forwarded-Proto": "http"}
        upstream.request(self.command, path.removeprefix(PREFIX) if self.strips else path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def proxied(target: int, port: int, *, strips: bool) -> Iterator[None]:
    """A proxy in front of the program, on `port`."""
    handler = type("Handler", (_Proxy,), {"target": target, "strips": strips})
    with socketserver.ThreadingTCPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.parametrize("strips", [False, True], ids=["whole path", "prefix taken away"])
def test_the_product_works_under_a_path(page: Page, tmp_path_factory: pytest.TempPathFactory, strips: bool) -> None:
    port = free_port()
    url = f"http://localhost:{port}{PREFIX}"
    data = tmp_path_factory.mktemp("prefix") / "data"
    with installed(data, WORKERS="0", PUBLIC_ORIGIN=url) as made, proxied(made.port, port, strips=strips):
        missing: list[str] = []
        page.on("response", lambda answer: missing.append(answer.url) if answer.status == 404 else None)
        page.goto(f"{url}/spaces")
        assert page.url.startswith(f"{url}/sign-in?next=")
        page.goto(f"{url}/admin/users")
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{url}/admin/users")
        expect(page.get_by_role("heading", name="Users")).to_be_visible()
        page.get_by_role("link", name="AI models").click()
        expect(page).to_have_url(f"{url}/admin/models")
        page.get_by_role("link", name="Users").click()
        page.get_by_role("button", name="Invite user").click()
        page.get_by_role("dialog").get_by_label("E-mail").fill("bo@sundvik.se")
        page.get_by_role("dialog").get_by_role("button", name="Invite", exact=True).click()
        link = page.get_by_label("One-time link").input_value()
        assert link.startswith(f"{url}/invitation?token=")
        page.get_by_role("button", name="Done").click()
        page.reload()
        expect(page.get_by_role("listitem").get_by_text("bo@sundvik.se").first).to_be_visible()
        page.get_by_role("button", name="Account").click()
        page.get_by_role("menuitem", name="Sign out").click()
        expect(page).to_have_url(re.compile(rf"{re.escape(url)}/sign-in\?reason="))
        assert missing == []
