"""Addresses of pages: one spelling for each, and which belong to a website."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from domain.kernel.errors import N_, Invalid
from domain.websites.entities import Reason

URL_LIMIT = 2_000
PATTERN_LIMIT, PATTERNS = 500, 100
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|msclkid|mc_cid|mc_eid|_ga|_gl", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_REPEATS = re.compile(r"(/[^/]+)\1\1")
"""A path that repeats itself three times comes from a link that is wrong, and has no end."""
_HOST = re.compile(r"[0-9a-z_.-]+|[0-9a-f.:%]+", re.IGNORECASE)
"""Letters of names in their encoded form, or of numbers."""
_UNSAFE = "%/:@!$&'()*+,;=~-._"


def normalised(link: str, base: str = "") -> str | None:
    """The one spelling of an address that `link` on the page `base` leads to; None when it is no page of the web."""
    try:
        parts = urlsplit(urljoin(base, link.strip()) if base else link.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or parts.username is not None or parts.password is not None:
        return None
    try:
        name = host if ":" in host else host.encode("idna").decode()
    except UnicodeError:
        return None
    if not _HOST.fullmatch(name):
        return None
    place = f"[{name}]" if ":" in name else name
    if port is not None and port != _PORTS[parts.scheme]:
        place = f"{place}:{port}"
    query = parts.query
    if query and any(_TRACKING.fullmatch(key) for key, _ in parse_qsl(query, keep_blank_values=True)):
        kept = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if not _TRACKING.fullmatch(k)]
        query = urlencode(kept)
    url = urlunsplit(
        (parts.scheme, place, quote(parts.path or "/", safe=_UNSAFE), quote(query, safe=_UNSAFE + "?"), "")
    )
    return url if len(url) <= URL_LIMIT and url.isprintable() else None


def checked(url: str) -> str:
    """The start address of a website; raises `Invalid`."""
    text = url.strip()
    if text and "://" not in text:
        text = f"https://{text}"
    found = normalised(text)
    if found is None:
        raise Invalid(
            N_("Give a web address like https://www.example.se, without user name and password in it."), field="url"
        )
    return found


def host_of(url: str) -> str:
    """Host and port, as they stand in an address."""
    return urlsplit(url).netloc


def below(url: str) -> str:
    """The path under which the pages of a website lie, by its start address."""
    path = urlsplit(url).path
    folder, _, last = path.rpartition("/")
    return path if path.endswith("/") or "." not in last else f"{folder}/"


def clean_patterns(patterns: Iterable[str], field: str) -> list[str]:
    """Patterns as they are kept: trimmed, without empty ones; raises `Invalid`."""
    found = [pattern.strip() for pattern in patterns if pattern.strip()]
    if len(found) > PATTERNS or any(len(pattern) > PATTERN_LIMIT for pattern in found):
        raise Invalid(N_("These are too many patterns, or one is too long."), field=field)
    if any(not pattern.startswith(("/", "*")) for pattern in found):
        raise Invalid(N_("A pattern begins with / or *, like /news/ or *.pdf$."), field=field)
    return list(dict.fromkeys(found))


def matches(pattern: str, path: str) -> bool:
    """As in robots.txt: a beginning of the path, in which `*` is anything; `$` stands for its end.

    Walks along the parts between the stars, so that no pattern can take long.
    """
    ends = pattern.endswith("$")
    parts = pattern.removesuffix("$").split("*")
    if not path.startswith(parts[0]):
        return False
    position = len(parts[0])
    for part in parts[1:-1]:
        found = path.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    if len(parts) == 1:
        return position == len(path) if ends else True
    last = parts[-1]
    if ends:
        return len(path) - len(last) >= position and path.endswith(last)
    return path.find(last, position) >= 0


@dataclass(frozen=True, slots=True)
class Scope:
    """Which pages belong to a website: its hosts, in its folder unless patterns say what to include."""

    hosts: frozenset[str]
    folder: str
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    max_depth: int = 10

    def on_site(self, url: str) -> bool:
        """Whether a link is followed at all; the others are not even mentioned."""
        if host_of(url) not in self.hosts or _REPEATS.search(urlsplit(url).path):
            return False
        return bool(self.include) or _path(url).startswith(self.folder)

    def refusal(self, url: str, depth: int) -> Reason | None:
        """Why a page of the site is not read."""
        path = _path(url)
        if any(matches(pattern, path) for pattern in self.exclude):
            return Reason.EXCLUDED
        if depth > 0 and self.include and not any(matches(pattern, path) for pattern in self.include):
            return Reason.EXCLUDED
        return Reason.TOO_DEEP if depth > self.max_depth else None

    def keeps(self, url: str) -> bool:
        """Whether a page that was read is also kept: the start page may be there for its links only."""
        return not self.include or any(matches(pattern, _path(url)) for pattern in self.include)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
