"""The log: as text or as JSON lines, with the id of the request or job, and without people's data."""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from domain.kernel import tracing

CORRELATION: ContextVar[str] = ContextVar("correlation id", default="")
"""The id of the request or job that is being carried out; what it begins, such as an answer, inherits it."""
TEXT = "%(asctime)s %(levelname)s %(name)s %(correlation)s%(message)s"
QUIET = (
    "httpx", "httpcore", "alembic", "uvicorn.error", "aiosqlite", "asyncpg", "sqlalchemy", "litellm", "LiteLLM", "openai",
    "urllib3",
)  # fmt: skip
"""Libraries that would tell addresses, statements or bodies with what is in them: they say warnings only."""
_MASKS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 <secret>"),
    (re.compile(r"(?i)\b(api[_-]?key|token|password|passwd|secret|authorization)(['\"]?\s*[=:]\s*['\"]?)[^\s'\",;&]+"),
     r"\1\2<secret>"),
    (re.compile(r"\b(?:sk|inp|ina|sam)[-_][\w-]{16,}"), "<secret>"),
    (re.compile(r"(\w+://[^\s/:@]+:)[^\s/@]+@"), r"\1<secret>@"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<e-mail>"),
    (re.compile(r"\b(?:19|20)?\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])[-+]?\d{4}\b"),
     "<personal number>"),
    (re.compile(r"\b(?!127\.|0\.0\.0\.0)(?:\d{1,3}\.){3}\d{1,3}\b"), "<address>"),
    (re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F:]{0,39}(?![\w:])"), "<address>"),
)  # fmt: skip


def masked(text: str) -> str:
    """A line without secrets, e-mail addresses, personal numbers and network addresses."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        correlation = CORRELATION.get()
        record.correlation = f"[{correlation}] " if correlation else ""
        return masked(super().format(record))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said: dict[str, Any] = {
            "time": moment, "level": record.levelname, "logger": record.name, "message": masked(record.getMessage()),
        }  # fmt: skip
        if CORRELATION.get():
            said["correlation_id"] = CORRELATION.get()
        if trace_id := tracing.present().trace_id:
            said["trace_id"] = trace_id
        if record.exc_info:
            said["error"] = masked(self.formatException(record.exc_info))
        return json.dumps(said, ensure_ascii=False)


def begin(level: str, form: str) -> None:
    """Write the log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
