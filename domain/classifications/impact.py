"""What a change of classifications would take away; a change is made only with what was shown."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.classifications.approval import Rules, may_read, may_serve
from domain.classifications.repository import Holding
from domain.kernel.errors import N_, Unconfirmed
from domain.models.choice import ModelChoice
from domain.models.entities import AnyModel, title_of
from domain.models.rerank import rerank_choices
from domain.models.service import completion_choices, embedding_choices
from domain.models.transcription import transcription_choices
from domain.spaces.entities import Space, SpaceKind
from domain.transaction import Transaction

TOLD = ("kind", "id", "name", "space_id", "space", "reason", "model", "home")
SHOWN = 100
"""So many of what is affected are named; the others are counted."""
REASONS = {
    "model": N_("its model “{model}” is not approved there"),
    "embedding": N_("its embedding model “{model}” is not approved there"),
    "knowledge": N_("it may no longer use a collection of “{home}”"),
    "share": N_("it can no longer be read there, since it belongs to “{home}”"),
}


@dataclass(frozen=True, slots=True)
class Affected:
    """Something that cannot be used any more as it is. `kind` as in `Holding`; `reason` as in `REASONS`.

    What is in a personal space has no name here: it is its owner's own affair.
    """

    kind: str
    id: UUID
    name: str
    space_id: UUID
    space: str
    reason: str
    model: str = ""
    home: str = ""
    is_default: bool = False
    """Whether it is the assistant that the space has by itself."""

    def told(self) -> dict[str, str]:
        """In plain words, for programs."""
        return {name: str(getattr(self, name)) for name in TOLD}


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change takes away: things in use, and of one space the models that it could use before."""

    affected: Sequence[Affected]
    models: Sequence[ModelChoice[Any]]
    token: str
    """Confirms exactly this."""

    def of_kind(self, kind: str) -> list[Affected]:
        """The affected things of a kind."""
        return [each for each in self.affected if each.kind == kind]

    def require_confirmed(self, token: str | None) -> None:
        """Raise `Unconfirmed`, with all of it, unless nothing in use is affected or the token is that of this impact."""
        if self.affected and token != self.token:
            refusal = Unconfirmed(field="impact_token")
            shown = [each.told() for each in self.affected[:SHOWN]]
            refusal.details = {"impact_token": self.token, "affected": shown, "affected_count": len(self.affected)}
            raise refusal


@dataclass(frozen=True, slots=True)
class _Places:
    """The spaces and models that a comparison is about, and the rules before and after."""

    before: Rules
    after: Rules
    spaces: Mapping[UUID, Space]
    models: Mapping[UUID, AnyModel]

    def lost_model(self, holding: Holding) -> bool:
        """Whether the model served before, and does not after."""
        space, model = self.spaces[holding.space_id], self.models[holding.model_id or UUID(int=0)]
        return may_serve(self.before, model, space) and not may_serve(self.after, model, space)

    def lost_home(self, holding: Holding) -> bool:
        """Whether what belongs elsewhere could be read before, and cannot after."""
        space, home = self.spaces[holding.space_id], self.spaces[holding.home_id or holding.space_id]
        return may_read(self.before, space, home) and not may_read(self.after, space, home)

    def affected(self, holding: Holding, reason: str) -> Affected:
        """As it is shown."""
        space, model = self.spaces[holding.space_id], self.models[holding.model_id or UUID(int=0)]
        home = self.spaces[holding.home_id].name if holding.home_id else ""
        personal = space.kind == SpaceKind.PERSONAL
        name = "" if personal and holding.kind == "assistant" else holding.name
        place = "" if personal else space.name
        told = (holding.kind, holding.id, name, space.id, place, reason, title_of(model), home)
        return Affected(*told, is_default=holding.is_default)


async def impact(tx: Transaction, before: Rules, after: Rules, space: Space | None = None) -> Impact:
    """What stops working when the rules become others: in and around one space, or in the whole organisation."""
    space_id = space.id if space else None
    choices: list[ModelChoice[Any]] = [
        *await completion_choices(tx), *await embedding_choices(tx), *await transcription_choices(tx),
        *await rerank_choices(tx),
    ]  # fmt: skip
    used, kept = await tx.classifications.assistants(space_id), await tx.classifications.collections(space_id)
    borrowed, shared = await tx.classifications.borrowed(space_id), await tx.classifications.shared(space_id)
    known = {each.id: each for each in await tx.classifications.demanding(space_id)}
    ids = {i for h in (*borrowed, *shared) for i in (h.space_id, h.home_id) if i is not None and i not in known}
    spaces = {**known, **await tx.spaces.many(ids)}
    places = _Places(before, after, spaces, {choice.model.id: choice.model for choice in choices})
    found = [
        *(places.affected(h, "model") for h in used if places.lost_model(h)),
        *(places.affected(h, "embedding") for h in kept if places.lost_model(h)),
        *_around(places, borrowed, shared),
    ]
    lost = [c for c in choices if c.model.enabled and space is not None and _lost(places, c.model, space)]
    return Impact(found, lost, _token(after, found, lost))


def _around(places: _Places, borrowed: Sequence[Holding], shared: Sequence[Holding]) -> Iterator[Affected]:
    for holding in borrowed:
        if places.lost_home(holding):
            yield places.affected(holding, "knowledge")
        elif places.lost_model(holding):
            yield places.affected(holding, "embedding")
    for holding in shared:
        if places.lost_home(holding):
            yield places.affected(holding, "share")
        elif places.lost_model(holding):
            yield places.affected(holding, "embedding")


def _lost(places: _Places, model: AnyModel, space: Space) -> bool:
    return may_serve(places.before, model, space) and not may_serve(places.after, model, space)


def _token(after: Rules, found: Sequence[Affected], lost: Sequence[ModelChoice[Any]]) -> str:
    told = [
        after.enabled,
        sorted((str(key), level) for key, level in after.levels.items()),
        sorted((str(key), str(value)) for key, value in after.supposed.items()),
        sorted((str(key), sorted(value.items())) for key, value in after.choosing.items()),
        sorted(tuple(each.told().items()) for each in found),
        sorted(str(choice.model.id) for choice in lost),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def supposing(rules: Rules, thing: Space | AnyModel, classification_id: UUID | None) -> Rules:
    """The rules as they would be if a space or a model had another classification."""
    return replace(rules, supposed={**rules.supposed, thing.id: classification_id})
