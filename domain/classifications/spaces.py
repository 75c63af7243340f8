"""The classification of a space: looked at, and changed together with the space's other settings."""

from uuid import UUID

from domain.classifications.approval import all_rules
from domain.classifications.entities import SecurityClassification
from domain.classifications.impact import Impact, impact, supposing
from domain.kernel.errors import N_, BadRequest, NotFound
from domain.spaces.entities import Space, SpaceKind
from domain.transaction import Transaction

FIELD = "security_classification"


async def space_impact(tx: Transaction, space: Space, classification_id: UUID | None) -> Impact:
    """What another classification of a space would take away; raises a refusal where it cannot have one."""
    rules = await all_rules(tx, space.tenant_id)
    if not rules.enabled and classification_id is not None:
        raise BadRequest(N_("Security classes are switched off in your organisation."), field=FIELD)
    if space.kind == SpaceKind.PERSONAL:
        raise BadRequest(N_("A personal space cannot have a security class."), field=FIELD)
    if space.kind == SpaceKind.ORGANIZATION:
        text = N_("Everybody may read what is in the organisation's space, so it cannot have a security class.")
        raise BadRequest(text, field=FIELD)
    if classification_id is not None and await tx.get(SecurityClassification, classification_id) is None:
        raise NotFound(N_("The security class was not found."), field=FIELD)
    return await impact(tx, rules, supposing(rules, space, classification_id), space)


async def classify_space(tx: Transaction, space: Space, classification_id: UUID | None, token: str | None) -> None:
    """Give a space another classification, if what that takes away was confirmed."""
    if space.security_classification_id == classification_id:
        return
    (await space_impact(tx, space, classification_id)).require_confirmed(token)
    space.security_classification_id = classification_id
