"""What a search may be narrowed to: day, type, source, tags and language of documents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from domain.kernel.errors import N_, Invalid
from domain.kernel.text import clean_name
from domain.knowledge.repository import Described

MOST_TAGS, TAG_LIMIT = 20, 50


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents are wanted.

    Those added from `since` to `until` (days, UTC), of one of the `types` (file extensions), from `source` (documents or
    website), with all of the `tags`, in one of the `languages`. What is empty does not narrow.
    """

    since: date | None = None
    until: date | None = None
    types: frozenset[str] = frozenset()
    source: str | None = None
    tags: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()

    @staticmethod
    def of(
        *,
        since: date | None = None,
        until: date | None = None,
        types: Iterable[str] = (),
        source: str | None = None,
        tags: Iterable[str] = (),
        languages: Iterable[str] = (),
    ) -> "Filter | None":
        """What narrows the search, or None where nothing does; raises `Invalid`."""
        if since is not None and until is not None and until < since:
            raise Invalid(N_("The last day lies before the first one."), field="until")
        folded = frozenset(tag.casefold() for tag in clean_tags(tags))
        made = Filter(since, until, frozenset(types), source, folded, frozenset(languages))
        return None if made == Filter() else made

    def told(self) -> dict[str, Any]:
        """What narrows, as it can be stored."""
        days = {name: day.isoformat() for name, day in (("since", self.since), ("until", self.until)) if day}
        sets = {"types": self.types, "tags": self.tags, "languages": self.languages}
        source = {"source": self.source} if self.source else {}
        return {**days, **source, **{name: sorted(chosen) for name, chosen in sets.items() if chosen}}

    @staticmethod
    def stored(told: Mapping[str, Any]) -> "Filter | None":
        """A filter as `told` stored it."""
        days = {name: date.fromisoformat(told[name]) for name in ("since", "until") if name in told}
        rest = {name: told.get(name, ()) for name in ("types", "tags", "languages")}
        return Filter.of(since=days.get("since"), until=days.get("until"), source=told.get("source"), **rest)

    def admits(self, document: Described) -> bool:
        """Whether a document is among those wanted."""
        day = document.added_at.date()
        return (
            (self.since is None or day >= self.since)
            and (self.until is None or day <= self.until)
            and (not self.types or document.filename.rpartition(".")[2].lower() in self.types)
            and (self.source is None or document.kind == self.source)
            and self.tags <= {tag.casefold() for tag in document.tags}
            and (not self.languages or document.language in self.languages)
        )


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Tags trimmed, each once whatever its case, in their order; raises `Invalid`."""
    kept: dict[str, str] = {}
    for tag in tags:
        if tag.strip():
            cleaned = " ".join(clean_name(tag, "tags", TAG_LIMIT).split())
            kept.setdefault(cleaned.casefold(), cleaned)
    if len(kept) > MOST_TAGS:
        raise Invalid(N_("Use at most {limit} tags."), field="tags", limit=MOST_TAGS)
    return list(kept.values())
