"""What every shape builds on."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """A body of a request or an answer. Answers may carry more than the fields named here."""

    model_config = ConfigDict(extra="allow")

    def named(self) -> dict[str, Any]:
        """What a request names of the fields there are: null is a value, what is left out is none."""
        return {name: getattr(self, name) for name in self.model_fields_set if name in type(self).model_fields}


ResourcePermission = Literal[
    "read", "create", "edit", "delete", "add", "remove", "publish", "insight_view", "insight_toggle"
]


class ModelId(Wire):
    id: UUID
