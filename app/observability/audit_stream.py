"""The audit log as JSON lines, for a log collector: to a file or to standard output, after each commit."""

import json
import queue
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

STDOUT = "-"


class AuditStream:
    """Writes lines in a thread of its own, so that a slow disk holds nobody up. The database stays the record."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="audit stream", daemon=True)
        self._thread.start()

    def tell(self, entries: Sequence[dict[str, Any]]) -> None:
        """Write these entries soon."""
        for entry in entries:
            self._lines.put(json.dumps(entry, default=_text, ensure_ascii=False))

    def close(self) -> None:
        """Write what is waiting, and end."""
        self._lines.put(None)
        self._thread.join(5)

    def _write(self) -> None:
        if self._target != STDOUT:
            Path(self._target).parent.mkdir(parents=True, exist_ok=True)
        while (line := self._lines.get()) is not None:
            if self._target == STDOUT:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
                continue
            try:
                # Opened anew for each line: the file may be rotated away at any time.
                with open(self._target, "a", encoding="utf-8") as file:
                    file.write(line + "\n")
            except OSError as error:
                sys.stderr.write(f"the audit stream cannot be written: {error}\n")


def _text(value: Any) -> str:
    return str(value) if isinstance(value, UUID) else str(value.isoformat())
