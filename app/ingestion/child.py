"""The sandboxed process that reads one file, or many pages: `python -m app.ingestion.child read|render|pages …`.

It has no secrets, few resources and no say: whatever happens to it becomes a sentence in the parent.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from domain.kernel.errors import N_, CorruptFile, Failure, UnreadableFile
from domain.knowledge.parsing import SUPPORTED, check_content, language_of

NO_TEXT = N_("No text was found in the file. If it is scanned, make it searchable first (OCR).")


def read(source: Path, filename: str, target: Path) -> None:
    """Parse `source` and write the document as JSON to `target`."""
    from app.ingestion.readers import READERS

    with source.open("rb") as file:
        head = file.read(4096)
    if not head.strip(b"\x00 \r\n\t"):
        raise UnreadableFile(N_("The file is empty."))
    extension = check_content(filename, head)
    document = READERS[extension](source, SUPPORTED[extension][0])
    if not document.text.strip():
        raise UnreadableFile(NO_TEXT)
    document.language = language_of(document.text)
    target.write_text(document.to_json(), encoding="utf-8")


def render(source: Path, request: dict[str, Any], target: Path) -> None:
    """Draw a page with passages highlighted, as PNG, to `target`."""
    from app.ingestion.drawing import draw

    target.write_bytes(draw(source, request["page"], request["quotes"], request["width"]))


def main(arguments: list[str]) -> int:
    """Do one task; a refusal is written to standard error as JSON and ends with status 3."""
    task, source, detail, target = arguments
    try:
        if task == "pages":
            from app.ingestion.crawl.page import serve

            serve(sys.stdin.buffer, sys.stdout.buffer)
        elif task == "read":
            read(Path(source), detail, Path(target))
        else:
            render(Path(source), json.loads(detail), Path(target))
    except Failure as failure:
        refusal = {"kind": type(failure).__name__, "message": failure.message, "params": failure.params}
        sys.stderr.write(json.dumps(refusal))
        return 3
    except MemoryError:
        return 4
    except Exception as error:
        # The readers are many and what damaged files make them raise is not listed anywhere.
        with contextlib.suppress(Exception):
            sys.stderr.write(json.dumps({"kind": CorruptFile.__name__, "message": CorruptFile.default, "params": {}}))
        sys.stdout.write(f"{type(error).__name__}: {error}"[:500])
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
