"""How sensitive what is in a space is, and how far a model is trusted."""

from dataclasses import dataclass

from domain.kernel.entity import Owned


@dataclass(eq=False, kw_only=True)
class SecurityClassification(Owned):
    """A class of an organisation's own. `level` counts from 0, the least sensitive."""

    name: str
    level: int
    description: str | None = None
