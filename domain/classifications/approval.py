"""What may be used where: the one place that decides whether a model may serve a space, and who may read whose knowledge."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from domain.kernel.errors import N_, NotApproved
from domain.knowledge.entities import Collection
from domain.models.choice import Model, ModelChoice, first_usable
from domain.models.entities import AnyModel, EmbeddingModel, kind_of, title_of
from domain.spaces.entities import Space
from domain.tenants.entities import Tenant
from domain.transaction import Transaction

UNCLASSIFIED = -1
"""Below every level: what nobody has classified demands nothing, and is trusted with nothing that demands something."""
ASSISTANT_REFUSED = N_("“{model}” is not approved for this space. Choose another model in the assistant's settings.")
CHOICE_REFUSED = N_("“{model}” is not approved for this space. Choose another model.")
NONE_APPROVED = N_("No model of this kind is approved for this space. Ask your administrator to approve one.")
SPACE_REFUSED = N_("“{model}” is not approved for the space “{space}”. Choose another model.")
LOWER_REFUSED = N_(
    "“{name}” belongs to a space of a higher security class than “{space}”. It can only go to a space of the same or a "
    "higher class."
)
EMBEDDING_REFUSED = N_(
    "“{model}”, the embedding model of “{name}”, is not approved for this space. Choose another one for “{name}”, "
    "or take it out of the assistant's knowledge."
)
HOME_REFUSED = N_(
    "“{name}” belongs to a space of a higher security class and may not be used here. Take it out of the assistant's "
    "knowledge."
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What an organisation demands: nothing, unless it is `enabled`; and the level of each classification.

    `supposed` names classifications that spaces and models (by their ids) would have, and `choosing` the lists of models
    that spaces would have, to see what would become of it.
    """

    enabled: bool = False
    levels: Mapping[UUID, int] = field(default_factory=dict)
    supposed: Mapping[UUID, UUID | None] = field(default_factory=dict)
    choosing: Mapping[UUID, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    def level(self, thing: Space | AnyModel) -> int:
        """How sensitive a space is, how far a model is trusted."""
        if not self.enabled:
            return UNCLASSIFIED
        present = thing.security_classification_id
        classification = self.supposed.get(thing.id, present)
        return UNCLASSIFIED if classification is None else self.levels[classification]

    def lists(self, space: Space) -> Mapping[str, Sequence[str]]:
        """The models, by kind, that a space has chosen for itself; of a kind that is not named it may use all."""
        return self.choosing.get(space.id, space.allowed_models or {})


NO_RULES = Rules()


def may_serve(rules: Rules, model: AnyModel, space: Space) -> bool:
    """Whether a model may be used for what is in a space: trusted as far as the space demands, and not left out by it."""
    chosen = rules.lists(space).get(kind_of(model))
    return trusted(rules, model, space) and (chosen is None or str(model.id) in chosen)


def trusted(rules: Rules, model: AnyModel, space: Space) -> bool:
    """Whether a model is trusted as far as the class of a space demands."""
    return rules.level(model) >= rules.level(space)


def may_read(rules: Rules, space: Space, home: Space) -> bool:
    """Whether what belongs to `home` may be read and used in another space."""
    return rules.level(space) >= rules.level(home)


async def all_rules(tx: Transaction, tenant_id: UUID) -> Rules:
    """What the organisation demands."""
    tenant = await tx.get(Tenant, tenant_id)
    enabled = tenant is not None and tenant.security_enabled
    return Rules(enabled, {each.id: each.level for each in await tx.classifications.all()})


async def rules_for(tx: Transaction, spaces: Iterable[Space]) -> Rules:
    """The rules that bear upon some spaces; those without a classification ask for none, and cost no look."""
    for space in spaces:
        if space.security_classification_id is not None:
            return await all_rules(tx, space.tenant_id)
    return NO_RULES


async def first_approved(
    tx: Transaction, space: Space, choices: Sequence[ModelChoice[Model]], otherwise: str | None = None
) -> ModelChoice[Model]:
    """The first one that may be called and may serve the space; `NoModel` or `NotApproved` when there is none."""
    rules = await rules_for(tx, [space])
    usable = [choice for choice in choices if choice.usable]
    approved = [choice for choice in usable if may_serve(rules, choice.model, space)]
    if usable and not approved:
        raise NotApproved(NONE_APPROVED)
    return first_usable(approved, otherwise)


async def require_model(tx: Transaction, space: Space, model: AnyModel, refusal: str = ASSISTANT_REFUSED) -> None:
    """Raise `NotApproved` with a sentence that names the model, unless it may serve the space."""
    if not may_serve(await rules_for(tx, [space]), model, space):
        raise NotApproved(refusal, model=title_of(model))


async def require_approved(tx: Transaction, collection: Collection, model: EmbeddingModel | None = None) -> None:
    """Raise `NotApproved` unless a model (else the one that it has) may be given what is in a collection."""
    space = await tx.get(Space, collection.space_id)
    model = model or await tx.get(EmbeddingModel, collection.embedding_model_id)
    if space is not None and model is not None and not may_serve(await rules_for(tx, [space]), model, space):
        raise NotApproved(EMBEDDING_REFUSED, model=model.name, name=collection.name)


async def approved_in(tx: Transaction, space: Space, collections: Sequence[Collection]) -> list[Collection]:
    """The collections, which may all be searched for somebody in a space; raises `NotApproved` when one may not.

    A question goes to the embedding model of each collection, and what is found is read in the space.
    """
    homes = await tx.spaces.many({c.space_id for c in collections if c.space_id != space.id})
    rules = await rules_for(tx, [space, *homes.values()])
    if not rules.enabled and not rules.lists(space):
        return list(collections)
    models = {model.id: model for model in await tx.models.embedding_models()}
    for collection in collections:
        if not may_read(rules, space, homes.get(collection.space_id, space)):
            raise NotApproved(HOME_REFUSED, name=collection.name)
        model = models[collection.embedding_model_id]
        if not may_serve(rules, model, space):
            raise NotApproved(EMBEDDING_REFUSED, model=model.name, name=collection.name)
    return list(collections)


async def readable_in(tx: Transaction, space: Space, borrowed: Sequence[Collection]) -> list[Collection]:
    """Those of other spaces' collections that may be read in a space."""
    homes = await tx.spaces.many({c.space_id for c in borrowed})
    rules = await rules_for(tx, homes.values())
    return [c for c in borrowed if may_read(rules, space, homes[c.space_id])]


async def may_receive(tx: Transaction, space: Space, collection: Collection) -> bool:
    """Whether a collection may be moved to a space, or shared with it."""
    try:
        await require_receiver(tx, space, collection)
    except NotApproved:
        return False
    return True


async def require_receiver(tx: Transaction, space: Space, collection: Collection) -> None:
    """Raise `NotApproved` unless a space is classified as high as the collection's, and its model may serve it."""
    home, model = await tx.get(Space, collection.space_id), await tx.get(EmbeddingModel, collection.embedding_model_id)
    if home is None or model is None:
        return
    rules = await rules_for(tx, [space, home])
    if not may_read(rules, space, home):
        raise NotApproved(LOWER_REFUSED, name=collection.name, space=space.name)
    if not may_serve(rules, model, space):
        raise NotApproved(SPACE_REFUSED, model=model.name, space=space.name)
