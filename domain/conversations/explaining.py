"""How an answer came about, for the person who asked."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.conversations.context import Context
from domain.conversations.entities import Explanation, Message
from domain.conversations.tokens import estimate
from domain.knowledge.explaining import follow
from domain.knowledge.retrieval import Retrieval
from domain.ports import ChatRequest

STEPS = ("retrieval_ms", "thinking_ms", "first_token_ms", "total_ms", "check_ms")


@dataclass(frozen=True, slots=True)
class Explained:
    """An answer with what was kept of it; `kept` is None for answers from before such things were kept."""

    message: Message
    kept: Explanation | None

    @property
    def found(self) -> dict[str, Any]:
        """What was sought and found; empty where nothing was."""
        return self.kept.found if self.kept else {}

    @property
    def steps(self) -> dict[str, float]:
        """How long each step took, in milliseconds from the question on; the search step by step."""
        steps: dict[str, float] = {}
        search = self.found.get("search") or {}
        steps.update({f"search.{name}": value for name, value in search.get("milliseconds", {}).items()})
        steps.update({name: self.message.trace[name] for name in STEPS if name in self.message.trace})
        return steps

    @property
    def sent(self) -> str:
        """The messages as they were sent, as JSON."""
        return as_sent(self.kept.messages) if self.kept else "[]"


def as_sent(messages: Sequence[dict[str, Any]]) -> str:
    """Messages as they stand in the body of a request to a provider."""
    return json.dumps(list(messages), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def explanation(message: Message, request: ChatRequest, context: Context, retrieval: Retrieval | None) -> Explanation:
    """What is kept of an answer: the messages, how its passages were found, and which of them had to stay out."""
    numbers = {id(passage): number for number, passage in enumerate(context.passages, 1)}
    passages = [
        {
            "number": numbers.get(id(passage)),
            "title": passage.title,
            "page": passage.page_from,
            "headings": list(passage.heading_path),
            "score": passage.score,
            "tokens": estimate(passage.text),
        }
        for passage in (retrieval.passages if retrieval else ())
    ]
    found = {
        "search": follow(retrieval).to_dict() if retrieval else None,
        "passages": passages,
        "left_out": context.left_out,
        "settings": dict(request.settings),
        "max_tokens": request.max_tokens,
    }
    return Explanation(tenant_id=message.tenant_id, message_id=message.id, messages=list(request.messages), found=found)
