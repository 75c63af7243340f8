"""Addresses, patterns and times of websites, and what a page says without what surrounds it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from app.ingestion.crawl.page import read_page, read_sitemap
from domain.kernel.errors import Invalid
from domain.websites.addresses import Scope, below, checked, clean_patterns, matches, normalised
from domain.websites.entities import Reason, Website
from domain.websites.schedule import GIVE_UP, WAITS, clean_time, failed, given_up, next_time, succeeded

ZONE = ZoneInfo("Europe/Stockholm")


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("mat", "https://a.se/skola/mat"), ("../", "https://a.se/"), ("//b.se", "https://b.se/"), ("#del", "https://a.se/skola/"),
        ("HTTPS://A.se:443/x#y", "https://a.se/x"), ("/a?utm_source=x&b=1", "https://a.se/a?b=1"),
        ("/å ä?ö", "https://a.se/%C3%A5%20%C3%A4?%C3%B6"), ("/%C3%A5", "https://a.se/%C3%A5"),
        ("http://örebro.se", "http://xn--rebro-iua.se/"),
        ("mailto:a@b.se", None), ("javascript:alert(1)", None), ("data:text/html,x", None), ("file:///etc/passwd", None),
        ("ftp://a.se/", None), ("gopher://a.se", None), ("http://anna:hemligt@a.se/", None), ("http://[::1", None),
        ("http://a.se:99999/", None), ("tel:112", None), ("/" + "x" * 3000, None), ("unix:/run/x", None),
    ],
)  # fmt: skip
def test_one_spelling_for_each_address(link: str, url: str | None) -> None:
    assert normalised(link, "https://a.se/skola/") == url


@pytest.mark.parametrize(
    "url",
    [
        "https://\U00094bf2\\3{",
        "",
        "ftp://a.se",
        "http://",
        "https://a:b@c.se",
        "javascript:alert(1)",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_address_of_a_website(url: str) -> None:
    with pytest.raises(Invalid):
        checked(url)


def test_an_address_without_a_protocol_is_meant_securely() -> None:
    assert checked(" www.sundvik.se ") == "https://www.sundvik.se/"


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/nyheter", "/nyheter/2026", True), ("/nyheter/", "/nyheter", False), ("*.pdf$", "/a/b.pdf", True),
        ("*.pdf$", "/a/b.pdf?x", False), ("*.pdf", "/a/b.pdf?x", True), ("/a*b*c$", "/aXbXc", True),
        ("/a*b*c$", "/aXcXb", False),
        ("/$", "/", True), ("/$", "/a", False), ("*", "/x", True), ("/a*a$", "/a", False),
        ("/" + "*a" * 200 + "$", "/" + "b" * 2000, False),
    ],
)  # fmt: skip
def test_patterns_are_those_of_robots_txt(pattern: str, path: str, fits: bool) -> None:
    assert matches(pattern, path) is fits


def test_patterns_begin_somewhere() -> None:
    assert clean_patterns([" /a ", "", "/a", "*b"], "include") == ["/a", "*b"]
    with pytest.raises(Invalid):
        clean_patterns(["nyheter"], "include")


def test_a_website_is_what_lies_below_its_address() -> None:
    assert [below(f"https://a.se{path}") for path in ("/", "/skola/", "/skola", "/skola/start.html")] == [
        "/", "/skola/", "/skola", "/skola/",
    ]  # fmt: skip
    scope = Scope(frozenset({"a.se"}), "/skola/", exclude=["*utskrift"], max_depth=2)
    assert scope.on_site("https://a.se/skola/mat")
    assert not scope.on_site("https://a.se/bygg/")
    assert not scope.on_site("https://b.se/skola/")
    assert not scope.on_site("https://a.se/skola/x/x/x/")
    assert scope.refusal("https://a.se/skola/mat?utskrift", 1) == Reason.EXCLUDED
    assert scope.refusal("https://a.se/skola/mat", 3) == Reason.TOO_DEEP
    assert scope.refusal("https://a.se/skola/mat", 2) is None


def website(**values: object) -> Website:
    more: dict[str, object] = {"update_interval": "daily", **values}
    return Website(tenant_id=uuid4(), space_id=uuid4(), user_id=uuid4(), name=None, url="https://a.se/", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("interval", "after", "due"),
    [
        ("daily", "2026-11-26 01:00", "2026-11-26 02:00"), ("daily", "2026-11-26 02:00", "2026-11-27 02:00"),
        ("every_other_day", "2026-11-26 10:00", "2026-11-28 02:00"), ("weekly", "2026-11-26 10:00", "2026-12-03 02:00"),
        # Clocks go forward in the night between: three in the morning stays three in the morning.
        ("daily", "2026-03-28 10:00", "2026-03-29 01:00"),
    ],
)  # fmt: skip
def test_the_schedule_keeps_the_time_of_day(interval: str, after: str, due: str) -> None:
    found = next_time(website(update_interval=interval), datetime.fromisoformat(after).replace(tzinfo=UTC), ZONE)
    assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_failures_wait_longer_and_longer_until_it_is_given_up() -> None:
    site, moment = website(), datetime(2026, 11, 26, tzinfo=UTC)
    waits: list[timedelta] = []
    while not given_up(site):
        failed(site, moment)
        if site.next_crawl_at:
            waits.append(site.next_crawl_at - moment)
    assert waits == [*WAITS, *[WAITS[-1]] * (GIVE_UP - 1 - len(WAITS))]
    site.update_interval = "weekly"
    succeeded(site, moment, ZONE)
    assert (site.consecutive_failures, site.retries_at) == (0, None)
    assert next_time(website(update_interval="never"), moment, ZONE) is None


@pytest.mark.parametrize("value", ["3:00", "24:00", "03:60", "", "03:00:00"])
def test_times_of_day(value: str) -> None:
    with pytest.raises(Invalid):
        clean_time(value)


PAGE = """<html><head><title> Bygglov
 | Sundvik</title><link rel=canonical href="/bygglov"></head><body class="has-sidebar"><header><nav><a href=/>Start</a></nav>
<h1>Bygglov</h1></header><div id="cookie-consent">Kakor</div><ol class="breadcrumb"><li><a href=/>Hem</a></li></ol>
<div class="sidebar"><ul><li><a href=/a>Grannsida</a></li></ul></div>
<div class="content"><p>Ansök om <a href="uterum">uterum</a> här, med ritningar och allt som hör till.</p>
<table><tr><th>Avgift</th><td>4200</td></tr></table></div><div class="share-box">Dela</div><footer>Öppettider</footer>
<script>x</script></body></html>"""


def test_a_page_without_what_surrounds_it() -> None:
    page = read_page(PAGE.encode(), "utf-8")
    text = page["parsed"]["text"]
    assert (page["title"], page["canonical"]) == ("Bygglov | Sundvik", "/bygglov")
    assert "Avgift | 4200" in text
    assert text.startswith("Bygglov")
    for word in ("Kakor", "Hem", "Grannsida", "Dela", "Öppettider", "Start"):
        assert word not in text
    assert page["links"] == ["/", "/", "/a", "uterum"]
    assert page["index"]
    assert page["follow"]


def test_wishes_and_letters_of_a_page() -> None:
    page = read_page(
        "<meta charset=iso-8859-1><meta name=robots content='noindex, nofollow'><p>å".encode("latin-1"), None
    )
    assert (page["index"], page["follow"], page["parsed"]["text"].strip()) == (False, False, "å")
    assert read_page(b"", None)["parsed"]["text"] == ""


def test_a_list_of_pages_is_read_without_entities_or_bombs() -> None:
    import gzip

    listed = (
        b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc> https://a.se/1 </loc></url></urlset>"
    )
    assert read_sitemap(gzip.compress(listed)) == {"pages": ["https://a.se/1"], "lists": []}
    evil = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><urlset><url><loc>&e;</loc></url></urlset>'
    assert not any("root" in url for url in read_sitemap(evil)["pages"])
    assert read_sitemap(b"\x1f\x8bnothing")["pages"] == []
