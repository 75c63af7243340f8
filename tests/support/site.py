"""A website on 127.0.0.1 for crawls: pages that tests change, robots.txt, sign-in, failures, and a record of requests."""

import base64
import hashlib
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Reply:
    """What the site answers at a path. With `etag`, an unchanged page is answered by 304."""

    body: bytes = b""
    media_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: bool = True


def html(title: str, text: str, links: Sequence[str] = (), *, head: str = "") -> Reply:
    """A page with a menu, a cookie banner and a foot around its text, as sites have them."""
    listed = "".join(f'<li><a href="{link}">{link}</a></li>' for link in links)
    return Reply(
        f"""<!doctype html><html><head><title>{title}</title>{head}</head><body>
        <div class="cookie-banner">Vi använder kakor på webbplatsen.</div>
        <nav><a href="/">Startsidan</a> Meny Självservice</nav>
        <main><h1>{title}</h1><p>{text}</p><ul>{listed}</ul></main>
        <footer>Kommunens sidfot och öppettider</footer></body></html>""".encode()
    )


class Site:
    """Runs on threads of its own; `pages` may be changed at any time."""

    def __init__(self) -> None:
        self.pages: dict[str, Reply] = {}
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.agents: set[str] = set()
        self.login: tuple[str, str] | None = None
        self.logins_sent: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.gate = threading.Event()
        self.gate.set()
        self.gated: frozenset[str] = frozenset()
        self.held = threading.Semaphore(0)
        self._lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site._serve(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.requests[handler.path] += 1
            self.agents.add(handler.headers.get("user-agent", ""))
            if "authorization" in handler.headers:
                self.logins_sent[handler.headers["authorization"]] += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        if handler.path in self.gated and not self.gate.is_set():
            self.held.release()
            self.gate.wait(60)
        reply = self._reply(handler)
        etag = f'"{hashlib.sha256(reply.body).hexdigest()[:16]}"'
        status, body, headers = reply.status, reply.body, dict(reply.headers)
        if reply.etag and status == 200:
            headers["ETag"] = etag
            if handler.headers.get("if-none-match") == etag:
                status, body = 304, b""
        with self._lock:
            self.at_once -= 1
            self.statuses[status] += 1
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status != 304:
            handler.send_header("Content-Type", reply.media_type)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _reply(self, handler: BaseHTTPRequestHandler) -> Reply:
        if self.login is not None and handler.path != "/robots.txt":
            wanted = base64.b64encode(":".join(self.login).encode()).decode()
            if handler.headers.get("authorization") != f"Basic {wanted}":
                return Reply(b"no", status=401, headers={"WWW-Authenticate": "Basic"})
        return self.pages.get(handler.path, Reply(b"nothing here", status=404))

    def wait_until_held(self, seconds: float = 30) -> bool:
        """Whether a gated page is asked for within `seconds`."""
        return self.held.acquire(timeout=seconds)

    def forget(self) -> None:
        """Begin a new record of requests."""
        self.requests.clear()
        self.statuses.clear()

    def stop(self) -> None:
        """End."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()


def municipality() -> dict[str, Reply]:
    """Five pages that link to each other, each with a word of its own."""
    return {
        "/": html("Startsida", "Välkommen till Sundvik, kommunen vid havet.", ["/bygglov", "/avfall", "/skola/"]),
        "/bygglov": html("Bygglov", "Ansök om bygglov för uterum och attefallshus.", ["/avgifter", "/"]),
        "/avfall": html("Avfall", "Återvinningscentralen tar emot grovavfall.", ["/"]),
        "/skola/": html("Skola", "Höstterminen börjar i augusti.", ["/"]),
        "/avgifter": html("Avgifter", "Taxan för bygglov är 4200 kronor.", ["/bygglov"]),
    }
