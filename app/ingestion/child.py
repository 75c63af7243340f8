"""The sandboxed process that reads one file: `python -m app.ingestion.child TASK SOURCE DETAIL TARGET`.

It has no secrets, few resources and no say: whatever happens to it becomes a sentence in the parent. DETAIL is JSON;
the outcome is written to TARGET, a file or a folder.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from domain.kernel.errors import N_, CorruptFile, Failure, UnreadableFile
from domain.knowledge.parsing import SUPPORTED, check_content, language_of

NO_TEXT = N_("No text was found in the file. If it is scanned, make it searchable first (OCR).")


def read(source: Path, detail: dict[str, Any], target: Path) -> None:
    """Parse `source` and write the document as JSON. Scanned pages are read later, one by one."""
    from app.ingestion.formats import READERS

    with source.open("rb") as file:
        extension = check_content(detail["filename"], file.read(4096))
    document = READERS[extension](source, SUPPORTED[extension][0])
    if not document.text.strip() and not (detail["ocr"] and document.pages_without_text):
        raise UnreadableFile(NO_TEXT)
    document.language = language_of(document.text)
    target.write_text(document.to_json(), encoding="utf-8")


def ocr(source: Path, detail: dict[str, Any], target: Path) -> None:
    """Write the text that is seen on a page."""
    from app.ingestion.pictures import read_by_ocr

    target.write_text(read_by_ocr(source, detail["filename"], detail["page"], detail["seconds"]), encoding="utf-8")


def render(source: Path, detail: dict[str, Any], target: Path) -> None:
    """Draw a page with passages highlighted, as PNG."""
    from app.ingestion.drawing import draw

    target.write_bytes(draw(source, detail["page"], detail["quotes"], detail["width"]))


def square(source: Path, detail: dict[str, Any], target: Path) -> None:
    """Draw a picture anew as a small square PNG."""
    from app.ingestion.pictures import square as draw_square

    target.write_bytes(draw_square(source, detail["side"]))


def unpack(source: Path, detail: dict[str, Any], target: Path) -> None:
    """Unpack an archive to the folder `target`."""
    from app.ingestion.archives import unpack as unpack_archive

    target.mkdir()
    unpack_archive(source, target)


def split(source: Path, detail: dict[str, Any], target: Path) -> None:
    """Cut the sound of a recording into parts in the folder `target`."""
    from app.ingestion.recordings import split as split_recording

    target.mkdir()
    split_recording(source, target, detail["seconds"])


def typeset(source: Path, detail: dict[str, Any], target: Path) -> None:
    """Set a conversation as PDF."""
    from app.transcripts.typesetting import typeset as typeset_transcript

    target.write_bytes(typeset_transcript(source, detail["made_at"]))


def pages(_source: Path, _request: dict[str, Any], _target: Path) -> None:
    """Read pages of websites one after another: they come on standard input and are answered on standard output."""
    from app.ingestion.crawl.page import serve

    serve(sys.stdin.buffer, sys.stdout.buffer)


TASKS: dict[str, Callable[[Path, dict[str, Any], Path], None]] = {
    "read": read,
    "ocr": ocr,
    "render": render,
    "square": square,
    "unpack": unpack,
    "split": split,
    "typeset": typeset,
    "pages": pages,
}


def main(arguments: list[str]) -> int:
    """Do one task; a refusal is written to standard error as JSON and ends with status 3."""
    task, source, detail, target = arguments
    try:
        TASKS[task](Path(source), json.loads(detail), Path(target))
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
