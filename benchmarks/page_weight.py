"""What a browser loads for a page the first time, and the second: bytes over the wire, and the number of requests."""

import sys
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, Request, sync_playwright

from benchmarks.installation import Installation, arguments, row
from tests.support.browser import ARGUMENTS, CHROMIUM
from tests.support.server import EMAIL, PASSWORD


class Weight:
    """Counts what a page loads."""

    def __init__(self, page: Page) -> None:
        self.requests: list[Request] = []
        page.on("requestfinished", self._finished)

    def _finished(self, request: Request) -> None:
        self.requests.append(request)

    def of(self, load: Callable[[], object]) -> tuple[float, int]:
        """Kilobytes over the wire, and requests that went over it, while `load` runs."""
        self.requests.clear()
        load()
        sizes = [request.sizes() for request in list(self.requests)]
        over = [size for size in sizes if size["responseHeadersSize"] > 0]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in over) / 1_000, len(over)


def measure(context: BrowserContext, name: str, address: str) -> None:
    """Print what `address` weighs, with an empty and with a warm cache."""
    page = context.new_page()
    weight = Weight(page)
    first, requests = weight.of(lambda: page.goto(address, wait_until="networkidle"))
    again, more = weight.of(lambda: page.goto(address, wait_until="networkidle"))
    page.close()
    row(f"weight of {name}", first_kB=first, requests=requests, again_kB=again, requests_again=more)


def main() -> None:
    chosen = arguments(__doc__)
    if CHROMIUM is None:
        sys.exit("Chromium is not installed.")
    with Installation() as installation, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            visitor = browser.new_context()
            measure(visitor, "the sign-in page", f"{installation.url}/sign-in")
            signed_in = browser.new_context()
            answer = signed_in.request.post(
                f"{installation.url}/auth/sign-in",
                data={"email": EMAIL, "password": PASSWORD},
                headers={"Origin": installation.url},
            )
            if not answer.ok:
                raise RuntimeError(answer.text())
            measure(signed_in, "the start page", f"{installation.url}/")
            if not chosen.small:
                measure(signed_in, "the chat", f"{installation.url}/chat")
                measure(signed_in, "the models page", f"{installation.url}/admin/models")
        finally:
            browser.close()


if __name__ == "__main__":
    main()
