"""A model together with the provider that runs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from domain.classifications.entities import SecurityClassification
from domain.kernel.clock import now
from domain.kernel.errors import NoModel
from domain.models.entities import (
    CompletionModel,
    EmbeddingModel,
    ModelPrice,
    ModelProvider,
    ProviderType,
    RerankModel,
    TranscriptionModel,
)

Model = TypeVar("Model", CompletionModel, EmbeddingModel, TranscriptionModel, RerankModel)


@dataclass(frozen=True, slots=True)
class ModelChoice(Generic[Model]):
    """A model with the provider that runs it."""

    model: Model
    provider: ModelProvider
    price: ModelPrice | None = None
    """What it costs now, where that was asked for and is known."""
    classification: SecurityClassification | None = None
    """How far it is trusted, where that was asked for and somebody has said so."""
    budgets: bool = True
    """Whether the organisation may have set budgets; without them nobody need look."""

    @property
    def counted(self) -> bool:
        """Whether calls may count in budgets: those of the built-in models cost nothing and never do."""
        return self.budgets and self.provider.type != ProviderType.BUILTIN

    @property
    def paid(self) -> bool:
        """Whether a call costs money, as far as is known."""
        return self.price is not None and self.price.input + self.price.output > 0

    @property
    def retired(self) -> bool:
        """Whether its last day is over."""
        return self.model.retires_on is not None and self.model.retires_on <= now().date()

    @property
    def usable(self) -> bool:
        """Whether it may be called now."""
        return self.model.enabled and not self.model.deprecated and not self.retired and self.provider.active


# Names for annotations. Python 3.11 cannot make frozen instances with slots through them: they are made as `ModelChoice`.
CompletionChoice = ModelChoice[CompletionModel]
EmbeddingChoice = ModelChoice[EmbeddingModel]
TranscriptionChoice = ModelChoice[TranscriptionModel]
RerankChoice = ModelChoice[RerankModel]
AnyChoice = CompletionChoice | EmbeddingChoice | TranscriptionChoice | RerankChoice


def first_usable(choices: Sequence[ModelChoice[Model]], otherwise: str | None = None) -> ModelChoice[Model]:
    """The first one that may be called; `NoModel`, with the sentence `otherwise`, when there is none."""
    for choice in choices:
        if choice.usable:
            return choice
    raise NoModel(otherwise)
