"""Pages a second of a crawl of a local site: first with the built-in embedding model, then again with nothing new."""

import time
from typing import Any

import httpx

from benchmarks.ingestion import Peak, page
from benchmarks.installation import Installation, arguments, row
from tests.support.site import Reply, Site


def site_of(count: int) -> Site:
    """A site like the pages of a manual: 12 kB each, with menus, code and links to the next ones."""
    site = Site()
    for number in range(count):
        links = "".join(f'<li><a href="/{(number * 3 + step) % count}.html">Sida</a></li>' for step in range(1, 8))
        parts = page(number).split("\n")
        body = "".join(f"<h2>Avsnitt {i}</h2><p>{' '.join(parts[i * 5 : i * 5 + 5])}</p>" for i in range(4))
        menu = f'<div class="sidebar"><ul>{links}</ul></div><nav>{"<a href=/0.html>Meny</a> " * 300}</nav>'
        main = f"<main><h1>Sida {number}</h1>{body}</main>"
        markup = f"<html><head><title>Sida {number}</title></head><body>{menu}{main}</body></html>"
        site.pages[f"/{number}.html"] = Reply(markup.encode())
    return site


def crawled(client: httpx.Client, website: str) -> dict[str, Any]:
    """The newest crawl, once it has ended."""
    while True:
        found: dict[str, Any] = client.get(f"/api/v1/websites/{website}/").raise_for_status().json()["latest_crawl"]
        if found["finished_at"]:
            return found
        time.sleep(0.2)


def measure(name: str, run: dict[str, Any], seconds: float, peak: int) -> None:
    """One row."""
    if run["status"] != "complete":
        raise RuntimeError(f"the crawl failed: {run}")
    rate = run["pages_crawled"] / seconds
    row(name, pages_per_s=rate, seconds=seconds, peak_memory_MB=peak / 1e6, counts=run["counts"])


def main() -> None:
    chosen = arguments(__doc__, pages=(300, 20))
    site = site_of(chosen.pages)
    try:
        with Installation() as installation, installation.client() as client:
            space = client.get("/api/v1/spaces/type/personal/").json()["id"]
            with Peak(installation) as peak:
                began = time.monotonic()
                body = {"url": f"{site.url}/0.html", "delay": 0, "concurrency": 4}
                made = client.post(f"/api/v1/spaces/{space}/knowledge/websites/", json=body).raise_for_status().json()
                run = crawled(client, made["id"])
            measure("crawl of a local site, built-in model", run, time.monotonic() - began, peak.bytes)
            with Peak(installation) as peak:
                began = time.monotonic()
                client.post(f"/api/v1/websites/{made['id']}/run/").raise_for_status()
                run = crawled(client, made["id"])
            measure("the same again, nothing has changed", run, time.monotonic() - began, peak.bytes)
    finally:
        site.stop()


if __name__ == "__main__":
    main()
