"""A real browser in front of real installations."""

import asyncio
import os
import re
import shutil
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.postgres import Postgres
from tests.support.server import EMAIL, PASSWORD

T = TypeVar("T")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
CHROMIUM = next(filter(None, (shutil.which(n) for n in ("chromium", "chromium-browser", "google-chrome"))), None)
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
LOOPBACK = ("localhost", "127.0.0.1")
PATIENCE_MS = 60_000
"""So long an action or an expectation waits: it costs nothing where things work, and machines are slow at times."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser(postgres: Postgres) -> Iterator[Browser]:
    """One browser for all tests. Servers are started before it: while it is open, this thread has a running loop."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A tab of a person of their own. A script error, or a request that leaves this machine, fails the test."""
    context = somebody(browser, viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(f"script error: {error}"))
    opened.on("request", lambda asked: None if _stays(asked.url) else errors.append(f"left this machine: {asked.url}"))
    yield opened
    if os.environ.get("SCREENSHOTS") or getattr(request.node, "failed", False) or errors:
        ARTIFACTS.mkdir(exist_ok=True)
        opened.screenshot(path=ARTIFACTS / f"{request.node.name.replace('/', '_')}.png")
    context.close()
    assert not errors


def somebody(browser: Browser, *, locale: str = "en-US", **more: Any) -> BrowserContext:
    """The browser of a person of their own, with patience."""
    context = browser.new_context(locale=locale, reduced_motion="reduce", **more)
    context.set_default_timeout(PATIENCE_MS)
    return context


def ready(page: Page) -> None:
    """Wait until the page's socket is open and its heading is shown."""
    page.wait_for_function("window.did_handshake === true")
    page.locator("h1").first.wait_for()


def sign_in(page: Page, url: str, email: str = EMAIL, password: str = PASSWORD) -> None:
    """Through the form, as everybody; ends on the start page of the installation at `url`."""
    page.goto(f"{url}/sign-in")
    page.get_by_label(re.compile("E-mail|E-post")).fill(email)
    page.get_by_label(re.compile("Password|Lösenord")).fill(password)
    page.locator("button.main").click()
    expect(page).to_have_url(f"{url}/")
    ready(page)


def _stays(url: str) -> bool:
    if url.startswith(("data:", "blob:")):
        return True
    return url.split("/")[2].split(":")[0] in LOOPBACK


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, computed beside the loop of this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Remember a failure, for the screenshot."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when == "call" and report.failed:
        item.failed = True  # type: ignore[attr-defined]
