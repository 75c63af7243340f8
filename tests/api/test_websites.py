"""Websites over REST: a real site is read, read again, and kept in step with; on both databases."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text, update

from app.ingestion.crawl.browser import find_browser
from domain.jobs.entities import Job, JobState
from domain.kernel.clock import now
from domain.models.service import ProviderDraft
from domain.websites.entities import Website
from storage.tables.jobs import jobs
from storage.tables.websites import websites
from tests.support import documents
from tests.support.api import Api, make_assistant, make_space
from tests.support.postgres import free_port
from tests.support.provider import DIMS, Provider
from tests.support.site import Reply, Site, html, municipality

QUICK = {"delay": 0}


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    made.pages = municipality()
    yield made
    made.stop()


@dataclass
class House:
    """An installation with a space, whose embeddings come from the scripted provider."""

    api: Api
    client: httpx.AsyncClient
    space: str
    model: str
    provider: Provider

    async def add(self, url: str, **values: Any) -> dict[str, Any]:
        """Add a website; its first crawl waits."""
        body = {"url": url, "embedding_model": {"id": self.model}, **QUICK, **values}
        answer = await self.client.post(f"/api/v1/spaces/{self.space}/knowledge/websites/", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def work(self) -> None:
        """Do all that waits, slice by slice."""
        for _ in range(30):
            await self.api.work()
            if not await self._left():
                return

    async def _left(self) -> bool:
        async with self.api.runtime.database.session(self.api.owner.tenant_id) as session:
            at_once = update(Job).where(jobs.c.state == JobState.QUEUED).values(run_after=None).returning(jobs.c.id)
            left = (await session.scalars(at_once, execution_options={"synchronize_session": False})).all()
            await session.commit()
            return bool(left)

    async def read(self, url: str, **values: Any) -> tuple[str, dict[str, Any]]:
        """Add a website and read it: its id and the crawl."""
        website = await self.add(url, **values)
        await self.work()
        return website["id"], await self.latest(website["id"])

    async def again(self, website: str) -> dict[str, Any]:
        """Read it once more."""
        answer = await self.client.post(f"/api/v1/websites/{website}/run/")
        assert answer.status_code == 200, answer.text
        self.provider.seen.embedded.clear()
        await self.work()
        return await self.latest(website)

    async def latest(self, website: str) -> dict[str, Any]:
        """The newest crawl."""
        found: dict[str, Any] = (await self.client.get(f"/api/v1/websites/{website}/")).json()["latest_crawl"]
        return found

    async def log(self, run: dict[str, Any], **query: str) -> dict[str, dict[str, Any]]:
        """The crawl's log by path."""
        answer = await self.client.get(f"/api/v1/crawl-runs/{run['id']}/pages/", params={"limit": 200, **query})
        assert answer.status_code == 200, answer.text
        return {"/" + line["url"].split("/", 3)[3]: line for line in answer.json()["items"]}

    async def titles(self, website: str) -> set[str]:
        """What is kept of it."""
        blobs = (await self.client.get(f"/api/v1/websites/{website}/info-blobs/")).json()["items"]
        return {blob["metadata"]["title"] for blob in blobs}


@pytest.fixture
async def house(api: Api, provider: Provider) -> AsyncIterator[House]:
    services = api.runtime.services
    added = await services.models.add_provider(api.owner, ProviderDraft("Test", "openai_compatible", provider.url))
    model = await services.models.add_embedding_model(api.owner, added.id, "ok", dimensions=DIMS)
    client = await api.client()
    client.headers["accept-language"] = "en"
    yield House(api, client, await make_space(client), str(model.id), provider)
    provider.release_embeddings()


async def test_a_site_is_read_and_the_second_time_only_what_has_changed(house: House, site: Site) -> None:
    website, run = await house.read(site.url)
    assert (run["status"], run["pages_crawled"], run["pages_failed"], run["complete"]) == ("complete", 5, 0, True)
    assert await house.titles(website) == {"Startsida", "Bygglov", "Avfall", "Skola", "Avgifter"}
    first = len(house.provider.seen.embedded)
    assert first == 5
    # What surrounds the text on every page is not part of it.
    assert not any("kakor" in t or "sidfot" in t or "Självservice" in t for t in house.provider.seen.embedded)
    site.forget()
    site.pages["/avfall"] = html("Avfall", "Återvinningscentralen tar emot xylofoner.", ["/"])
    run = await house.again(website)
    assert run["counts"] == {"changed": 1, "unchanged": 4}
    assert len(house.provider.seen.embedded) == 1
    assert "xylofoner" in house.provider.seen.embedded[0]
    assert site.statuses[304] == 4
    assert (await house.log(run))["/avfall"]["state"] == "changed"
    query = {"query": "xylofoner", "collection_ids": [website], "mode": "text"}
    [passage] = (await house.client.post("/api/v1/search/", json=query)).json()["items"]
    assert (passage["url"], passage["title"]) == (f"{site.url}/avfall", "Avfall")
    gone = {"query": "grovavfall", "collection_ids": [website], "mode": "text"}
    assert (await house.client.post("/api/v1/search/", json=gone)).json()["items"] == []


async def test_without_help_of_the_site_the_text_tells_what_has_changed(house: House, site: Site) -> None:
    site.pages = {path: replace(reply, etag=False) for path, reply in site.pages.items()}
    website, _ = await house.read(site.url)
    for path in ("/bygglov", "/avgifter"):
        # A menu that changes is no change of the page.
        site.pages[path].body = site.pages[path].body.replace("Meny Självservice".encode(), b"Ny meny")
    site.pages["/skola/"].body = site.pages["/skola/"].body.replace(b"augusti", b"september")
    run = await house.again(website)
    assert run["counts"] == {"changed": 1, "unchanged": 4}
    assert len(house.provider.seen.embedded) == 1


async def test_what_has_vanished_is_removed_only_after_a_complete_crawl(house: House, site: Site) -> None:
    website, _ = await house.read(site.url)
    gone = site.pages.pop("/avfall")
    # A page that was never read before fails: what lies behind it is not known, so nothing is removed.
    site.pages["/bygglov"] = html("Bygglov", "Ansök om bygglov.", ["/avgifter", "/ny"])
    site.pages["/ny"] = Reply(status=500)
    run = await house.again(website)
    assert not run["complete"]
    assert "Avfall" in await house.titles(website)
    assert (await house.log(run))["/avfall"]["reason"] == "not_found"
    # A page that is known keeps its text and its links while it fails.
    site.pages["/bygglov"] = Reply(status=503)
    run = await house.again(website)
    assert (run["complete"], run["counts"]["removed"]) == (True, 1)
    assert await house.titles(website) == {"Startsida", "Bygglov", "Skola", "Avgifter"}
    assert (await house.log(run))["/avfall"]["state"] == "removed"
    async with house.api.runtime.database.session(house.api.owner.tenant_id, write=False) as session:
        count = (await (await session.connection()).execute(text("select count(*) from chunks"))).scalar_one()
    assert count == 4
    # Not linked any more is gone as well; back again is new.
    site.pages |= {"/avfall": gone, "/bygglov": html("Bygglov", "Ansök.", ["/avgifter"])}
    site.pages["/"] = html("Startsida", "Välkommen.", ["/bygglov", "/avfall"])
    run = await house.again(website)
    assert run["counts"] == {"added": 1, "changed": 2, "unchanged": 1, "removed": 1}


async def test_a_site_that_fails_altogether_loses_nothing(house: House, site: Site) -> None:
    website, _ = await house.read(site.url)
    pages, site.pages = site.pages, {"/robots.txt": Reply(status=503)}
    run = await house.again(website)
    assert run["status"] == "failed"
    assert "503" in run["error"] or "error" in run["error"]
    assert len(await house.titles(website)) == 5
    site.pages = {path: Reply(status=500) for path in pages}
    assert (await house.again(website))["status"] == "failed"
    assert len(await house.titles(website)) == 5
    site.pages = pages
    assert (await house.again(website))["counts"] == {"unchanged": 5}


async def test_robots_patterns_depth_and_limit(house: House, site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: Samrad\nDisallow: /skola\n", "text/plain")
    _, run = await house.read(site.url, exclude=["/avgift"])
    log = await house.log(run)
    assert {path: log[path]["reason"] for path in ("/skola/", "/avgifter")} == {
        "/skola/": "robots", "/avgifter": "excluded",
    }  # fmt: skip
    assert "/skola/" not in site.requests
    assert "/avgifter" not in site.requests
    assert any(agent.startswith("Samrad/") for agent in site.agents)
    assert run["failure_summary"] == {"robots": 1, "excluded": 1}
    _, run = await house.read(f"{site.url}/", include=["*avg*", "/bygg"], name="Avgifter")
    log = await house.log(run)
    assert {path for path, line in log.items() if line["state"] == "added"} == {"/bygglov", "/avgifter"}
    assert log["/"]["reason"] == "outside"
    _, run = await house.read(site.url, max_depth=1)
    assert (await house.log(run))["/avgifter"]["reason"] == "too_deep"
    _, run = await house.read(site.url, max_pages=2)
    log = await house.log(run)
    assert sum(line["state"] == "added" for line in log.values()) == 2
    assert "limit" in run["failure_summary"]
    assert not run["complete"]


async def test_a_folder_of_a_site_stays_in_it(house: House, site: Site) -> None:
    site.pages["/skola/mat"] = html("Skolmat", "I dag serveras ärtsoppa.", ["/skola/", "/bygglov"])
    site.pages["/skola/"] = html("Skola", "Höstterminen.", ["/", "mat", "//annan.example.se/", "mailto:a@b.se"])
    website, run = await house.read(f"{site.url}/skola/")
    assert await house.titles(website) == {"Skola", "Skolmat"}
    assert set(await house.log(run)) == {"/skola/", "/skola/mat"}


async def test_a_list_of_pages_is_read_and_no_link_followed(house: House, site: Site) -> None:
    one = f"<urlset><url><loc>{site.url}/bygglov</loc></url><url><loc>http://annan.example.se/x</loc></url></urlset>"
    site.pages["/one.xml"] = Reply(one.encode(), "application/xml")
    index = f'<?xml version="1.0"?><sitemapindex><sitemap><loc>{site.url}/one.xml</loc></sitemap></sitemapindex>'
    site.pages["/sitemap.xml"] = Reply(index.encode(), "text/xml")
    website, _ = await house.read(f"{site.url}/sitemap.xml", crawl_type="sitemap")
    assert await house.titles(website) == {"Bygglov"}
    site.pages["/robots.txt"] = Reply(f"Sitemap: {site.url}/two.txt".encode(), "text/plain")
    site.pages["/two.txt"] = Reply(f"{site.url}/skola/\n{site.url}/avfall\n".encode(), "text/plain")
    website, run = await house.read(site.url, crawl_type="sitemap")
    assert await house.titles(website) == {"Skola", "Avfall"}
    assert run["pages_crawled"] == 2


async def test_files_are_read_by_the_products_own_readers(house: House, site: Site) -> None:
    site.pages["/"] = html("Start", "Filer.", ["/plan.pdf", "/brev", "/film.swf", "/skadad.pdf"])
    site.pages["/plan.pdf"] = Reply(documents.pdf(["Detaljplanen för Kvarnholmen."]), "application/pdf")
    named = {"Content-Disposition": 'attachment; filename="brev.docx"'}
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    site.pages["/brev"] = Reply(
        documents.docx([("Heading 1", "Brev"), ("Normal", "Hälsningar från kommunen.")]), word, headers=named
    )
    site.pages["/film.swf"] = Reply(b"FWS", "application/x-shockwave-flash")
    site.pages["/skadad.pdf"] = Reply(b"%PDF-1.4 nothing", "application/pdf")
    website, run = await house.read(site.url, download_files=True)
    log = await house.log(run)
    assert (log["/film.swf"]["reason"], log["/skadad.pdf"]["reason"]) == ("unsupported", "unreadable")
    assert (run["files_downloaded"], run["files_failed"], run["pages_crawled"]) == (2, 1, 1)
    assert await house.titles(website) == {"Start", "plan.pdf", "brev.docx"}
    assert (await house.again(website))["counts"]["unchanged"] == 3
    assert house.provider.seen.embedded == []
    _, run = await house.read(site.url, name="Utan filer")
    assert (await house.log(run))["/plan.pdf"]["reason"] == "file"


async def test_every_page_that_is_not_taken_says_why(house: House, site: Site) -> None:
    site.pages |= {
        "/": html("Start", "Text.", ["/hidden", "/twin", "/old", "/alias", "/empty", "/large", "/closed", "/404"]),
        "/hidden": html("Hemlig", "Text.", head='<meta name="robots" content="noindex">'),
        "/twin": html("Bygglov", "Ansök om bygglov för uterum och attefallshus.", ["/avgifter", "/"]),
        "/bygglov": html("Bygglov", "Ansök om bygglov för uterum och attefallshus.", ["/avgifter", "/"]),
        "/old": Reply(status=301, headers={"Location": "/bygglov"}),
        "/alias": html("Alias", "Text.", head='<link rel="canonical" href="/skola/">'),
        "/empty": Reply(b"<html><body><nav>Meny</nav></body></html>"),
        "/large": Reply(b"<p>" + b"x" * (21 * 1024 * 1024)),
        "/closed": Reply(status=403),
    }
    website, run = await house.read(site.url)
    log = await house.log(run)
    reasons = {path: line["reason"] for path, line in log.items() if line["reason"]}
    twin = reasons.pop("/twin", None) or reasons.pop("/bygglov", None)
    assert twin == "duplicate"
    assert reasons == {
        "/hidden": "noindex", "/old": "redirect", "/alias": "canonical", "/empty": "empty", "/large": "too_large",
        "/closed": "forbidden", "/404": "not_found",
    }  # fmt: skip
    assert log["/old"]["detail"] == f"{site.url}/bygglov"
    only = await house.log(run, state="failed")
    assert set(only) == {"/large", "/closed", "/404"}
    assert (await house.again(website))["counts"]["unchanged"] == run["counts"]["added"]
    assert house.provider.seen.embedded == []


async def test_a_site_behind_a_password(house: House, site: Site) -> None:
    site.login = ("anna", "en hemlighet")
    website, run = await house.read(site.url)
    assert run["status"] == "failed"
    assert "nekar åtkomst" in run["error"]
    wrong = {"http_auth_username": "anna"}
    assert (await house.client.post(f"/api/v1/websites/{website}/", json=wrong)).status_code == 422
    right = {"http_auth_username": "anna", "http_auth_password": "en hemlighet"}
    answer = await house.client.post(f"/api/v1/websites/{website}/", json=right)
    assert answer.json()["requires_http_auth"]
    assert "hemlighet" not in answer.text
    assert (await house.again(website))["pages_crawled"] == 5
    async with house.api.runtime.database.session(house.api.owner.tenant_id, write=False) as session:
        row = (await session.scalars(select(Website).where(websites.c.id == UUID(website)))).one()
    assert row.http_auth_secret is not None
    assert "hemlighet" not in row.http_auth_secret
    # Another address gets nothing of it.
    other = Site()
    other.pages = municipality()
    try:
        moved = await house.client.post(f"/api/v1/websites/{website}/", json={"url": other.url})
        assert not moved.json()["requires_http_auth"]
        await house.again(website)
        assert not other.logins_sent
    finally:
        other.stop()


async def test_a_password_does_not_follow_a_redirect(house: House, site: Site) -> None:
    other = Site()
    other.pages = municipality()
    site.pages = {"/": Reply(status=302, headers={"Location": f"{other.url}/"})}
    try:
        login = {"http_auth_username": "anna", "http_auth_password": "en hemlighet"}
        _, run = await house.read(site.url, **login)
        assert run["pages_crawled"] == 5
        assert len(site.logins_sent) == 1
        assert not other.logins_sent
    finally:
        other.stop()


async def test_it_asks_gently(house: House, site: Site) -> None:
    for number in range(8):
        site.pages[f"/sida{number}"] = html(f"Sida {number}", f"Text nummer {number}.")
    site.pages["/"] = html("Start", "Sidor.", [f"/sida{number}" for number in range(8)])
    started = asyncio.get_running_loop().time()
    await house.read(site.url, delay=0.1, concurrency=2)
    assert asyncio.get_running_loop().time() - started > 0.9
    assert site.most_at_once <= 2


async def test_one_crawl_at_a_time_many_at_once_and_stop(house: House, site: Site) -> None:
    first = await house.add(site.url)
    again = await house.client.post(f"/api/v1/websites/{first['id']}/run/")
    assert (again.status_code, again.json()["intric_error_code"]) == (429, 9021)
    stopped = await house.client.post(f"/api/v1/websites/{first['id']}/stop/")
    assert (stopped.status_code, stopped.json()["state"]) == (200, "cancelled")
    assert (await house.client.post(f"/api/v1/websites/{first['id']}/stop/")).status_code == 400
    second = await house.add(f"{site.url}/skola/")
    ids = [first["id"], second["id"], str(UUID(int=1))]
    bulk = (await house.client.post("/api/v1/websites/bulk/run/", json={"website_ids": ids})).json()
    assert (bulk["total"], bulk["queued"], bulk["failed"]) == (3, 1, 2)
    many = {"website_ids": [str(UUID(int=n)) for n in range(51)]}
    assert (await house.client.post("/api/v1/websites/bulk/run/", json=many)).status_code == 400


async def test_stopped_in_the_middle_keeps_what_it_has(house: House, site: Site) -> None:
    site.gated, _ = frozenset({"/avgifter"}), site.gate.clear()
    website = await house.add(site.url)
    working = asyncio.create_task(house.api.work())
    assert await asyncio.to_thread(site.wait_until_held)
    # The second reader is through with all the other pages.
    async with asyncio.timeout(30):
        while [e["state"] for e in (await house.log(await house.latest(website["id"]))).values()].count("added") < 4:
            await asyncio.sleep(0.02)
    stopped = await house.client.post(f"/api/v1/websites/{website['id']}/stop/")
    assert stopped.status_code == 200
    await working
    site.gate.set()
    run = await house.latest(website["id"])
    assert run["state"] == "cancelled"
    assert (await house.log(run))["/avgifter"]["reason"] == "stopped"
    assert "Bygglov" in await house.titles(website["id"])
    # Tried again as a job, it takes nothing that it left out for vanished.
    assert (await house.client.post(f"/api/v1/jobs/{run['job_id']}/retry/")).status_code == 200
    await house.work()
    assert "Bygglov" in await house.titles(website["id"])
    assert (await house.latest(website["id"]))["state"] == "cancelled"
    assert (await house.again(website["id"]))["counts"]["added"] == 1


async def test_a_crawl_works_in_slices(house: House, site: Site) -> None:
    website = await house.add(site.url, concurrency=1)
    runtime, tenant_id = house.api.runtime, house.api.owner.tenant_id
    slices = 0

    async def report(fraction: float, step: str) -> None:
        """Nobody waits."""

    run_id = UUID(website["latest_crawl"]["id"])
    while await runtime.services.crawling.run(tenant_id, run_id, report, slice_seconds=0.001) is None:
        slices += 1
        assert slices < 20
    assert slices >= 1
    run = await house.latest(website["id"])
    assert run["counts"] == {"added": 5}
    assert len(house.provider.seen.embedded) == 5


async def test_the_schedule_fires_once_however_many_look(house: House, site: Site) -> None:
    website, _ = await house.read(site.url, update_interval="daily", update_time="03:00")
    shown = (await house.client.get(f"/api/v1/websites/{website}/")).json()
    assert shown["next_crawl_at"] is not None
    start = house.api.runtime.services.websites.start_due
    assert await start() == 0
    await _due(house, website)
    assert sum(await asyncio.gather(*(start() for _ in range(6)))) == 1
    await house.work()
    run = await house.latest(website)
    assert (run["scheduled"], run["counts"]) == (True, {"unchanged": 5})
    assert (await house.client.get(f"/api/v1/websites/{website}/")).json()["next_crawl_at"] is not None
    off = await house.client.post(f"/api/v1/websites/{website}/", json={"update_interval": "never"})
    assert off.json()["next_crawl_at"] is None


async def _due(house: House, website: str) -> None:
    async with house.api.runtime.database.session(house.api.owner.tenant_id) as session:
        statement = update(Website).where(websites.c.id == UUID(website))
        past = statement.values(next_crawl_at=now() - timedelta(minutes=1))
        await session.execute(past, execution_options={"synchronize_session": False})
        await session.commit()


async def test_failures_make_the_schedule_wait_longer_and_end_it(house: House, site: Site) -> None:
    site.pages = {}
    website, run = await house.read(site.url, update_interval="daily")
    assert (run["status"], run["failure_summary"]) == ("failed", {"not_found": 1})
    waits = []
    for number in range(1, 10):
        shown = (await house.client.get(f"/api/v1/websites/{website}/")).json()
        assert shown["consecutive_failures"] == number
        waits.append(shown["next_retry_at"])
        assert not shown["is_auto_disabled"]
        await _due(house, website)
        assert await house.api.runtime.services.websites.start_due() == 1
        await house.work()
    assert waits == sorted(waits)
    shown = (await house.client.get(f"/api/v1/websites/{website}/")).json()
    assert (shown["is_auto_disabled"], shown["update_interval"], shown["next_crawl_at"]) == (True, "never", None)
    on = await house.client.post(f"/api/v1/websites/{website}/", json={"update_interval": "weekly"})
    assert (on.json()["consecutive_failures"], on.json()["is_auto_disabled"]) == (0, False)
    site.pages = municipality()
    assert (await house.again(website))["status"] == "complete"


async def test_a_look_before_it_is_added(house: House, site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /skola\nSitemap: /sitemap.xml\n", "text/plain")
    address = f"/api/v1/spaces/{house.space}/knowledge/websites/preview/"
    seen = (await house.client.post(address, json={"url": site.url, "exclude": ["/avfall"]})).json()
    assert [page["title"] for page in seen["pages"]] == ["Startsida", "Bygglov", "Avgifter"]
    assert "kommunen vid havet" in seen["pages"][0]["text"]
    assert "kakor" not in seen["pages"][0]["text"]
    reasons = {left["url"].removeprefix(site.url): left["reason"] for left in seen["leaves"]}
    assert reasons == {"/avfall": "excluded", "/skola/": "robots"}
    assert (await house.client.get(f"/api/v1/spaces/{house.space}/knowledge/")).json()["websites"]["count"] == 0
    wrong = await house.client.post(address, json={"url": "ftp://example.se"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, 9012)
    dead = await house.client.post(address, json={"url": f"http://127.0.0.1:{free_port()}/"})
    assert (dead.status_code, dead.json()["message"]) == (400, "Det gick inte att ansluta till webbplatsen.")


async def test_an_assistant_answers_from_a_website(house: House, site: Site) -> None:
    website, _ = await house.read(site.url)
    assistant = await make_assistant(house.client, house.space)
    body = {"websites": [{"id": website}]}
    changed = (await house.client.post(f"/api/v1/assistants/{assistant}/", json=body)).json()
    assert ([w["id"] for w in changed["websites"]], changed["groups"]) == ([website], [])
    # The one list does not touch the other.
    changed = (await house.client.post(f"/api/v1/assistants/{assistant}/", json={"groups": []})).json()
    assert [w["id"] for w in changed["websites"]] == [website]
    sought = {"assistant_id": assistant, "query": "taxan", "mode": "text"}
    [passage] = (await house.client.post("/api/v1/search/", json=sought)).json()["items"]
    assert "4200" in passage["text"]
    assert passage["url"] == f"{site.url}/avgifter"
    space = (await house.client.get(f"/api/v1/spaces/{house.space}/knowledge/")).json()
    assert ([w["id"] for w in space["websites"]["items"]], space["groups"]["items"]) == ([website], [])


async def test_its_pages_are_kept_by_its_crawls_alone(house: House, site: Site) -> None:
    website, _ = await house.read(site.url)
    [blob, *_] = (await house.client.get(f"/api/v1/websites/{website}/info-blobs/")).json()["items"]
    assert (blob["website_id"], blob["group_id"], blob["permissions"]) == (website, None, ["read"])
    whole = (await house.client.get(f"/api/v1/info-blobs/{blob['id']}/")).json()
    assert whole["text"].strip()
    assert whole["metadata"]["url"].startswith(site.url)
    assert (await house.client.delete(f"/api/v1/info-blobs/{blob['id']}/")).status_code == 403
    assert (await house.client.delete(f"/api/v1/groups/{website}/")).status_code == 403
    added = {"info_blobs": [{"text": "Fusk"}]}
    assert (await house.client.post(f"/api/v1/groups/{website}/info-blobs/", json=added)).status_code == 403


async def test_deleted_with_everything_and_moved_with_everything(house: House, site: Site) -> None:
    website, _ = await house.read(site.url)
    assistant = await make_assistant(house.client, house.space)
    await house.client.post(f"/api/v1/assistants/{assistant}/", json={"websites": [{"id": website}]})
    target = await make_space(house.client, "Annat")
    moved = await house.client.post(f"/api/v1/websites/{website}/transfer/", json={"target_space_id": target})
    assert moved.status_code == 204
    shown = (await house.client.get(f"/api/v1/websites/{website}/")).json()
    assert (shown["space_id"], shown["metadata"]["num_info_blobs"]) == (target, 5)
    assert (await house.client.get(f"/api/v1/assistants/{assistant}/")).json()["websites"] == []
    assert (await house.client.post(f"/api/v1/websites/{website}/run/")).status_code == 200
    assert (await house.client.delete(f"/api/v1/websites/{website}/")).status_code == 200
    await house.work()
    assert (await house.client.get(f"/api/v1/websites/{website}/")).status_code == 404
    async with house.api.runtime.database.session(house.api.owner.tenant_id, write=False) as session:
        connection = await session.connection()
        for table in ("documents", "chunks", "blobs", "website_pages", "crawl_runs", "crawl_pages"):
            count = (await connection.execute(text(f"select count(*) from {table}"))).scalar_one()
            assert count == 0, table
    entries = [e.action for e in await house.api.entries(house.api.owner.tenant_id)]
    for action in ("website_created", "website_crawled", "website_transferred", "website_deleted"):
        assert action in entries, action


async def test_a_full_storage_ends_the_crawl_with_a_sentence(house: House, site: Site) -> None:
    async with house.api.runtime.database.session(house.api.owner.tenant_id) as session:
        await (await session.connection()).execute(text("update tenants set quota_limit = 900"))
        await session.commit()
    _, run = await house.read(site.url)
    assert run["status"] == "failed"
    assert "full" in run["error"]


async def test_the_organisations_website_is_found_by_its_address(house: House, site: Site) -> None:
    assert (await house.client.get("/api/v1/websites/check-url/", params={"url": site.url})).json() is None
    organisation = (await house.client.get("/api/v1/spaces/type/organization/")).json()["id"]
    house.space = organisation
    website, _ = await house.read(site.url)
    found = (await house.client.get("/api/v1/websites/check-url/", params={"url": site.url})).json()
    assert (found["website_id"], found["pages_crawled"], found["crawl_status"]) == (website, 5, "complete")


async def test_pages_that_scripts_write_are_read_where_that_is_wanted(house: House, site: Site) -> None:
    if find_browser("") is None:
        pytest.skip("there is no Chromium here")
    into = "document.querySelector('main').textContent = t"
    script = f"<script>fetch('/avgift').then(a => a.text()).then(t => {into})</script>"
    site.pages = {
        "/": Reply(f"<html><head><title>Taxa</title></head><body><main></main>{script}</body></html>".encode()),
        "/avgift": Reply("Avgiften för en altan är 4 300 kronor.".encode(), "text/plain; charset=utf-8"),
    }
    _, plain = await house.read(site.url)
    assert (await house.log(plain))["/"]["reason"] == "empty"
    refused = {"url": site.url, "run_scripts": True, "http_auth_username": "a", "http_auth_password": "b"}
    answer = await house.client.post(f"/api/v1/spaces/{house.space}/knowledge/websites/", json=refused)
    assert (answer.status_code, answer.json()["field"]) == (422, "run_scripts")
    website, _ = await house.read(site.url, run_scripts=True)
    question = {"query": "altan", "space_id": house.space}
    [found] = (await house.client.post("/api/v1/search/", json=question)).json()["items"]
    assert found["text"] == "Avgiften för en altan är 4 300 kronor."
    site.pages["/avgift"] = Reply("Avgiften för en altan är 9 900 kronor.".encode(), "text/plain; charset=utf-8")
    run = await house.again(website)
    assert (await house.log(run))["/"]["state"] == "changed", (
        "the page itself is the same, what its script fetches is not"
    )


async def test_a_cited_page_of_a_website_says_where_it_is(house: House, site: Site) -> None:
    site.pages = {"/": html("Taxa", "Avgiften för bygglov av en altan är 4 300 kronor.")}
    website, _ = await house.read(site.url)
    made = await house.client.post(f"/api/v1/spaces/{house.space}/applications/assistants/", json={"name": "Hjälpen"})
    assistant = made.json()["id"]
    await house.client.post(f"/api/v1/assistants/{assistant}/", json={"websites": [{"id": website}]})
    body = {"assistant_id": assistant, "question": "Vad är avgiften för bygglov av en altan?"}
    [source] = (await house.client.post("/api/v1/conversations/", json=body)).json()["references"]
    assert (source["metadata"]["url"], source["website_id"], source["group_id"]) == (f"{site.url}/", website, None)
