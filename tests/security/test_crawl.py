"""A crawl goes nowhere but where the rules allow: every way that leads a crawler inside is tried on a real server."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from app.ingestion.crawl.browser import find_browser
from app.ingestion.crawl.fetch import HttpWeb
from app.security.forward import forward_proxy
from app.security.outbound import OutboundGuard
from domain.websites.entities import Reason
from domain.websites.web import Manners, PageFailed, WebSession
from tests.support.site import Reply, Site, html

INSIDE = [
    "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://LOCALHOST:{port}/", "http://2130706433:{port}/",
    "http://0x7f000001:{port}/", "http://0177.0.0.1:{port}/", "http://127.1:{port}/", "http://0:{port}/",
    "http://0.0.0.0:{port}/", "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/", "http://[2002:7f00:1::]:{port}/", "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/latest/", "http://[fd00:ec2::254]/latest/", "http://[fe80::1]/", "http://10.0.0.5/",
    "http://172.16.0.1/", "http://192.168.1.1/", "http://100.64.0.1/", "http://[fd00::1]/", "http://224.0.0.1/",
]  # fmt: skip
GENTLE = Manners(0, 2)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    made.pages = {"/": html("Start", "Text.")}
    yield made
    made.stop()


@pytest.fixture
async def outside() -> AsyncIterator[WebSession]:
    """A session as the product has it by itself: nothing private is allowed."""
    guard = OutboundGuard()
    async with HttpWeb(guard, limit=100_000, origin=None).open(GENTLE) as session:
        yield session


@pytest.fixture
async def allowed(site: Site) -> AsyncIterator[WebSession]:
    """A session that may reach the site of the test, and nothing else here."""
    async with HttpWeb(OutboundGuard([site.host]), limit=100_000, origin=None).open(GENTLE) as session:
        yield session


@pytest.mark.parametrize("url", INSIDE)
async def test_nothing_inside_is_read(outside: WebSession, site: Site, url: str) -> None:
    with pytest.raises(PageFailed) as refusal:
        await outside.fetch(url.format(port=site.host.rpartition(":")[2]))
    # What is no address at all (like one in octal) is refused before anybody is asked where it is.
    assert refusal.value.reason in (Reason.PRIVATE, Reason.UNKNOWN_HOST, Reason.UNREACHABLE)
    with pytest.raises(PageFailed):
        await outside.robots(url.format(port=site.host.rpartition(":")[2]))
    with pytest.raises(PageFailed):
        await outside.sitemap(url.format(port=site.host.rpartition(":")[2]))
    assert not site.requests


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.se/", "gopher://127.0.0.1/", "unix:///run/x", "data:,x"]
)
async def test_no_other_scheme_is_spoken(outside: WebSession, url: str) -> None:
    with pytest.raises(PageFailed):
        await outside.fetch(url)


async def test_a_redirect_is_told_and_not_followed(allowed: WebSession, site: Site) -> None:
    inner = Site()
    inner.pages = {"/": html("Inre", "Hemligt.")}
    try:
        site.pages["/ut"] = Reply(status=302, headers={"Location": f"{inner.url}/"})
        fetched = await allowed.fetch(f"{site.url}/ut")
        assert (fetched.redirect, fetched.body) == (f"{inner.url}/", b"")
        with pytest.raises(PageFailed) as refusal:
            await allowed.fetch(fetched.redirect or "")
        assert refusal.value.reason == Reason.PRIVATE
        # Neither are those of robots.txt and of lists of pages.
        site.pages["/robots.txt"] = site.pages["/ut"]
        with pytest.raises(PageFailed):
            await allowed.robots(site.url)
        with pytest.raises(PageFailed):
            await allowed.sitemap(f"{inner.url}/")
        assert not inner.requests
    finally:
        inner.stop()


async def test_a_name_is_looked_up_once_for_a_connection(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the second look-up would lead inside; the address that was looked at is the one that is called."""
    loop, asked = asyncio.get_running_loop(), list[str]()

    async def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        address = ["8.8.8.8", "127.0.0.1"][min(len(asked), 1)]
        asked.append(address)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    guard = OutboundGuard()
    assert await guard.resolve("rebind.example.se", 80) == "8.8.8.8"
    async with HttpWeb(guard, limit=100_000, origin=None).open(GENTLE) as session:
        with pytest.raises(PageFailed) as refusal:
            await session.fetch(f"http://rebind.example.se:{site.host.rpartition(':')[2]}/")
    assert refusal.value.reason == Reason.PRIVATE
    assert not site.requests


async def test_one_private_address_of_several_is_enough_to_refuse(
    outside: WebSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def both(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    with pytest.raises(PageFailed) as refusal:
        await outside.fetch("http://both.example.se/")
    assert refusal.value.reason == Reason.PRIVATE


async def test_what_operators_allow_for_models_is_not_allowed_for_crawls(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from app.bootstrap import build
    from app.config import Settings

    settings = Settings(_env_file=None, data_dir=tmp_path, outbound_allow="127.0.0.0/8", encryption_key="11" * 32)  # type: ignore[call-arg]
    runtime = await build(settings, listen=False)
    try:
        web = runtime.services.crawling._web
        async with web.open(GENTLE) as session:
            with pytest.raises(PageFailed):
                await session.fetch(site.url)
    finally:
        await runtime.close()
    assert not site.requests


async def test_a_body_that_unpacks_without_end_is_cut(allowed: WebSession, site: Site) -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    assert len(bomb) < 100_000
    site.pages["/"] = Reply(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(PageFailed) as refusal:
        await allowed.fetch(site.url)
    assert refusal.value.reason == Reason.TOO_LARGE
    site.pages["/"] = Reply(b"x", headers={"Content-Encoding": "br"})
    with pytest.raises(PageFailed) as refusal:
        await allowed.fetch(site.url)
    assert refusal.value.reason == Reason.UNSUPPORTED


async def test_a_page_that_is_too_much_for_the_reader_ends_the_reader_alone(allowed: WebSession, site: Site) -> None:
    site.pages["/deep"] = Reply(b"<div>" * 19_000 + b"<p>text")
    # Whether it can be read or not: the next page can.
    with contextlib.suppress(PageFailed):
        await allowed.read(await allowed.fetch(f"{site.url}/deep"))
    read = await allowed.read(await allowed.fetch(site.url))
    assert read.title == "Start"


async def test_cookies_stay_within_one_crawl(site: Site) -> None:
    site.pages["/"] = Reply(b"<p>x", headers={"Set-Cookie": "sid=hemlig"})
    web = HttpWeb(OutboundGuard([site.host]), limit=100_000, origin=None)
    async with web.open(GENTLE) as first, web.open(GENTLE) as second:
        await first.fetch(site.url)
        assert len(first._client.cookies) == 1
        assert len(second._client.cookies) == 0


async def test_scripts_of_a_page_reach_nothing_inside(site: Site) -> None:
    browser = find_browser("")
    if browser is None:
        pytest.skip("there is no Chromium here")
    inside = Site()
    inside.pages = {"/": html("Inne", "Hemligt."), "/a.js": Reply(b"document.title = 'hemligt'", "text/javascript")}
    ports = [inside.host, inside.host.replace("127.0.0.1", "localhost"), inside.host.replace("127.0.0.1", "0x7f000001")]
    tried = "".join(
        f"<script src='http://{host}/a.js'></script><img src='http://{host}/'><iframe src='http://{host}/'></iframe>"
        f"<script>fetch('http://{host}/', {{mode: 'no-cors'}}); new WebSocket('ws://{host}/')</script>"
        for host in ports
    )
    written = "<script>document.querySelector('p').textContent = 'Av skript: ' + (40 + 2)</script>"
    site.pages["/"] = Reply(f"<html><body><main><p>Laddar</p></main>{tried}{written}</body></html>".encode())
    web = HttpWeb(OutboundGuard([site.host]), limit=100_000, origin=None, browser=browser)
    async with web.open(Manners(0, 1, scripts=True)) as session:
        page = await session.read(await session.fetch(site.url + "/"))
    inside.stop()
    assert "Av skript: 42" in page.parsed.text
    assert sum(inside.requests.values()) == 0
    assert site.requests["/"] == 2, "once by us, once by the browser"


async def test_a_proxy_for_programs_goes_only_where_the_guard_lets_it(site: Site) -> None:
    inside = Site()
    inside.pages = {"/": html("Inne", "Hemligt.")}
    async with forward_proxy(OutboundGuard([site.host])) as proxy:
        async with httpx.AsyncClient(proxy=proxy) as client:
            assert (await client.get(site.url + "/")).status_code == 200
            assert (await client.get(inside.url + "/")).status_code == 403
        host, port = proxy.removeprefix("http://").split(":")
        for head, status in (
            (f"CONNECT {inside.host} HTTP/1.1", b"403"), (f"CONNECT {site.host} HTTP/1.1", b"200"),
            ("GET ftp://example.org/ HTTP/1.1", b"403"), ("GET / HTTP/1.1", b"403"),
        ):  # fmt: skip
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"{head}\r\n\r\n".encode())
            assert status in await reader.readline(), head
            writer.close()
    inside.stop()
    assert sum(inside.requests.values()) == 0
