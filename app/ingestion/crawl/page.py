"""Reading a page of a website: its content without what surrounds it, and where it leads. Runs in the sandboxed child."""

import gzip
import io
import json
import re
import struct
import zlib
from dataclasses import asdict
from typing import Any, BinaryIO

from app.ingestion.readers import decode, html_document
from domain.knowledge.parsing import language_of

FRAME = struct.Struct(">II")
"""Lengths of the head (JSON) and the body of a request; an answer has a head alone."""
MOST_LINKS = 10_000
MOST_ADDRESSES = 50_000
MOST_UNPACKED = 50 * 1024**2
_SURROUNDING = (
    "script, style, noscript, template, nav, footer, aside, form, iframe, svg, dialog, [hidden], [aria-hidden=true], "
    "[role=navigation], [role=banner], [role=contentinfo], [role=search], [role=complementary], [role=dialog], "
    "[role=alertdialog]"
)
_WORDS = re.compile(
    r"(?:.*[-_])?(?:cookies?|consent|gdpr|breadcrumbs?|brodsmul\w*|sidebar|sphinxsidebar|navbar|navigation|topnav|mainnav|"
    r"menu|meny|submenu|share|sharing|social|skiplinks?|skip-?link|pagination|pager|related|sidfot|sidhuvud)"
    r"(?:[-_](?:banner|bar|box|wrapper|container|list|links|notice|nav|menu|inner))?",
    re.IGNORECASE,
)
"""Names that sites give to what is on every page."""
_CONTENT = "main, [role=main], article"
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?([\w-]{2,30})", re.IGNORECASE)


def read_page(body: bytes, charset: str | None) -> dict[str, Any]:
    """The fields of `domain.websites.web.ReadPage`, with the parsed content as JSON."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(_text(body, charset))
    links = [address for node in tree.css("a[href], area[href]") if (address := node.attributes.get("href"))]
    base = tree.css_first("base[href]")
    canonical = tree.css_first("link[rel=canonical][href]")
    wishes = [(n.attributes.get("content") or "").lower() for n in tree.css("meta[name=robots], meta[name=ROBOTS]")]
    title = _title(tree)
    content = _content(tree)
    head = f"<head><meta charset=utf-8><title>{_escaped(title)}</title></head>"
    html = f"<!doctype html><html>{head}<body>{content}</body></html>"
    parsed = html_document(html, "text/html")
    parsed.language = language_of(parsed.text)
    return {
        "title": title,
        "html": html,
        "parsed": asdict(parsed),
        "links": links[:MOST_LINKS],
        "base": base.attributes.get("href") if base is not None else None,
        "canonical": canonical.attributes.get("href") if canonical is not None else None,
        "index": not any(word in wish for wish in wishes for word in ("noindex", "none")),
        "follow": not any(word in wish for wish in wishes for word in ("nofollow", "none")),
    }


def _text(body: bytes, charset: str | None) -> str:
    named = _META_CHARSET.search(body[:4096])
    for name in (charset, named[1].decode("ascii", "replace") if named else None):
        try:
            if name:
                return body.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    return decode(body)


def _title(tree: Any) -> str:
    for selector in ("title", "h1"):
        node = tree.css_first(selector)
        text = " ".join(node.text().split()) if node is not None else ""
        if text:
            return text[:255]
    return ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _content(tree: Any) -> str:
    """The markup of what the page itself says; its first heading is kept where it stands outside of that."""
    if tree.body is None:
        return ""
    heading = tree.css_first("h1")
    top = f"<h1>{_escaped(' '.join(heading.text().split()))}</h1>" if heading is not None else ""
    for node in tree.css(_SURROUNDING):
        if node.css_first("main, [role=main]") is None:
            node.decompose()
    mains = tree.css("main, [role=main]")
    root = mains[0] if mains else _article(tree) or tree.body
    if not mains:
        for node in tree.css("body > header, body > div > header"):
            if node.css_first(_CONTENT) is None:
                node.decompose()
    _remove_named(root)
    if root.tag == "body":
        _remove_link_lists(root)
    markup = root.inner_html if root.tag in ("body", "main") else root.html
    return markup if root.css_first("h1") is not None else f"{top}{markup}"


def _article(tree: Any) -> Any:
    """The only article of a page; of several none is the content alone."""
    articles = tree.css("article")
    return articles[0] if len(articles) == 1 else None


def _remove_named(root: Any) -> None:
    whole = len(root.text())
    for node in root.css("[class], [id]"):
        names = f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}".split()
        if not any(_WORDS.fullmatch(name) for name in names) or node.css_first(_CONTENT) is not None:
            continue
        # A name proves little: what holds half of the text is the content, whatever it is called.
        if len(node.text()) * 2 < whole:
            node.decompose()


def _remove_link_lists(root: Any) -> None:
    """Lists of hardly anything but links are menus, where nothing tells content and surroundings apart."""
    for node in root.css("ul, ol"):
        links = node.css("a[href]")
        words = len(node.text(strip=True))
        if len(links) >= 4 and words and sum(len(link.text(strip=True)) for link in links) >= 0.9 * words:
            node.decompose()


def read_sitemap(body: bytes) -> dict[str, Any]:
    """The addresses of pages, and of further lists, in a list of pages (XML, or one address a line; also gzipped)."""
    from lxml import etree

    if body.startswith(b"\x1f\x8b"):
        body = _unpacked(body)
    if b"<" not in body[:200]:
        lines = (line.strip() for line in body.decode("utf-8", "replace").splitlines())
        return {"pages": [line for line in lines if line][:MOST_ADDRESSES], "lists": []}
    found: dict[str, list[str]] = {"pages": [], "lists": []}
    options = {"resolve_entities": False, "no_network": True, "huge_tree": False, "recover": True}
    for _, node in etree.iterparse(io.BytesIO(body), events=("end",), tag="{*}loc", **options):
        parent = node.getparent()
        kind = "lists" if parent is not None and etree.QName(parent).localname == "sitemap" else "pages"
        if node.text and parent is not None and etree.QName(parent).localname in ("sitemap", "url"):
            found[kind].append(node.text.strip())
        if len(found["pages"]) >= MOST_ADDRESSES:
            break
    return found


def _unpacked(body: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as archive:
            return archive.read(MOST_UNPACKED)
    except (OSError, EOFError, zlib.error):
        return b""


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer requests until the other side closes: `{"task", "charset"}` and a body, answered by JSON."""
    while len(lengths := source.read(FRAME.size)) == FRAME.size:
        head_length, body_length = FRAME.unpack(lengths)
        head, body = json.loads(source.read(head_length)), source.read(body_length)
        try:
            answer = read_page(body, head.get("charset")) if head["task"] == "page" else read_sitemap(body)
        except Exception as error:
            # What damaged markup makes the readers raise is not listed anywhere.
            answer = {"error": type(error).__name__}
        encoded = json.dumps(answer).encode()
        target.write(FRAME.pack(len(encoded), 0) + encoded)
        target.flush()
