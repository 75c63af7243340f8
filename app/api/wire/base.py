"""What every shape builds on."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """A body of a request or an answer. Answers may carry more than the fields named here."""

    model_config = ConfigDict(extra="allow")


ResourcePermission = Literal[
    "read", "create", "edit", "delete", "add", "remove", "publish", "insight_view", "insight_toggle"
]


class ModelId(Wire):
    id: UUID
