"""Documents of mixed types from this machine, uploaded and made searchable by the real worker: none stuck, none lost.

The texts are real: pages of Debian's policy, the web pages and texts of installed packages. Formats that lie around nowhere
are made of them. What the machine has no program for (LibreOffice, tesseract) is left out and said.
"""

import gzip
import io
import random
import re
import subprocess
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from app.ingestion.tools import LIBREOFFICE, TESSERACT, find
from benchmarks.ingestion import Peak
from benchmarks.installation import Installation, arguments, row
from tests.support import documents, more_documents

PAPERS = Path(__file__).resolve().parents[1] / ".cache" / "papers"
FOLDERS = (
    PAPERS,
    Path("/usr/share/doc"),
    Path(sysconfig.get_paths()["purelib"]),
    Path(sysconfig.get_paths()["stdlib"]),
)
SMALLEST, LARGEST = 2_000, 24_000
"""Bytes of a text that is used."""
SHARES = {
    "txt": 80, "md": 70, "html": 80, "pdf": 70, "docx": 50, "pptx": 25, "xlsx": 25, "odt": 20, "ods": 10, "csv": 10,
    "eml": 20, "msg": 10, "rtf": 10, "epub": 10, "doc": 4, "ppt": 2, "png": 4,
}  # fmt: skip
"""How many of 500 documents are of each type."""
BUSY = ("queued", "parsing", "indexing")


def texts(endings: tuple[str, ...]) -> Iterator[bytes]:
    """Real files with these endings, no content twice, in an order that is always the same."""
    found = [p for folder in FOLDERS if folder.exists() for p in folder.rglob("*") if p.name.endswith(endings)]
    random.Random(1).shuffle(found)
    seen: set[bytes] = set()
    for path in found:
        if path.is_file() and SMALLEST <= path.stat().st_size <= LARGEST:
            content = path.read_bytes()
            if content not in seen:
                seen.add(content)
                yield content


def pages() -> Iterator[bytes]:
    """Five pages at a time of the PDFs of Debian's policy."""
    import pypdfium2 as pdfium

    for path in sorted(PAPERS.rglob("*.pdf*")):
        content = path.read_bytes()
        whole = pdfium.PdfDocument(gzip.decompress(content) if path.suffix == ".gz" else content)
        for first in range(0, len(whole), 5):
            part, output = pdfium.PdfDocument.new(), io.BytesIO()
            part.import_pages(whole, list(range(first, min(first + 5, len(whole)))))
            part.save(output)
            yield output.getvalue()


class Maker:
    """Makes documents of every type out of real texts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._prose = texts((".txt", ".md", ".rst", "copyright", "README"))
        self._sources: dict[str, Iterator[bytes]] = {
            "txt": texts((".txt", "copyright", ".rst")),
            "md": texts((".md",)),
            "html": texts((".html", ".htm")),
            "pdf": pages(),
        }
        self._made: dict[str, Callable[[list[str]], bytes]] = {
            "docx": lambda parts: documents.docx([("Heading 1", parts[0][:80]), *(("Normal", p) for p in parts)]),
            "odt": lambda parts: documents.odt([(1, _xml(parts[0][:80])), *((0, _xml(p)) for p in parts)]),
            "pptx": lambda parts: documents.pptx([(p[:60], p) for p in parts[:12]]),
            "xlsx": lambda parts: documents.xlsx("Blad", [[_xml(c) for c in r] for r in _rows(parts)]),
            "ods": lambda parts: documents.ods("Blad", [[_xml(c) for c in r] for r in _rows(parts)]),
            "csv": lambda parts: documents.csv_file(_rows(parts)),
            "eml": lambda parts: documents.eml(parts[0][:60], "\n\n".join(parts)),
            "msg": lambda parts: more_documents.msg(parts[0][:60], "\n\n".join(parts)[:1_900]),
            "rtf": lambda parts: more_documents.rtf([_latin(p) for p in parts]),
            "epub": lambda parts: more_documents.epub(_xml(parts[0][:60]), [(_xml(p[:40]), _xml(p)) for p in parts]),
            "png": lambda parts: more_documents.scan("\n".join(parts[0][n : n + 50] for n in range(0, 500, 50))),
            "doc": lambda parts: self._converted(self._made["docx"](parts), "docx", "doc"),
            "ppt": lambda parts: self._converted(self._made["pptx"](parts), "pptx", "ppt"),
        }

    def make(self, kind: str) -> bytes:
        """The next document of a type; raises `StopIteration` when the machine has no more texts."""
        if kind in self._sources:
            return next(self._sources[kind])
        text = re.sub("[^\t\n -~åäöÅÄÖé]", " ", next(self._prose).decode("utf-8", "replace"))
        return self._made[kind]([part for p in re.split(r"\n\s*\n", text) if (part := " ".join(p.split()))])

    def _converted(self, content: bytes, old: str, new: str) -> bytes:
        source = self._folder / f"source.{old}"
        source.write_bytes(content)
        command = [str(find(LIBREOFFICE)), "--headless", f"-env:UserInstallation=file://{self._folder}/profile"]
        command += ["--convert-to", new, "--outdir", str(self._folder), str(source)]
        subprocess.run(command, check=True, capture_output=True)
        return (self._folder / f"source.{new}").read_bytes()


def _rows(parts: list[str]) -> list[list[str]]:
    return [["Nummer", "Text", "Längd"], *[[str(n), _latin(p[:200]), str(len(p))] for n, p in enumerate(parts)]]


def _latin(text: str) -> str:
    return text.encode("cp1252", "replace").decode("cp1252")


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def corpus(count: int) -> list[tuple[str, bytes]]:
    """`count` documents by name, of every type that can be made and read here."""
    missing = {k for k in ("doc", "ppt") if find(LIBREOFFICE) is None} | {
        k for k in ("png",) if find(TESSERACT) is None
    }
    found: list[tuple[str, bytes]] = []
    with tempfile.TemporaryDirectory() as folder:
        maker = Maker(Path(folder))
        for kind in sorted(set(SHARES) - missing):
            for number in range(max(1, round(SHARES[kind] * count / 500))):
                try:
                    found.append((f"dokument-{number}.{kind}", maker.make(kind)))
                except StopIteration:
                    break
        while len(found) < count:
            found.append((f"mer-{len(found)}.docx", maker.make("docx")))
    random.Random(2).shuffle(found)
    return found[:count]


def everything(client: httpx.Client, collection: str) -> list[dict[str, Any]]:
    """All documents of a collection."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        params: dict[str, Any] = {"limit": 200, **({"cursor": cursor} if cursor else {})}
        answer = client.get(f"/api/v1/groups/{collection}/info-blobs/", params=params)
        answer.raise_for_status()
        items += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return items


def wait(client: httpx.Client, collection: str) -> list[dict[str, Any]]:
    """All documents, once nothing is being read any more."""
    while True:
        found = everything(client, collection)
        if not any(document["state"] in BUSY for document in found):
            return found
        time.sleep(1)


def main() -> None:
    chosen = arguments(__doc__, documents=(500, 20))
    files = corpus(chosen.documents)
    print(f"types: {dict(sorted(Counter(name.rpartition('.')[2] for name, _ in files).items()))}", flush=True)
    with Installation() as installation, installation.client() as client:
        space = client.get("/api/v1/spaces/type/personal/").json()["id"]
        made = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Mätning"})
        made.raise_for_status()
        collection, began = made.json()["id"], time.monotonic()
        with Peak(installation) as peak:
            for name, content in files:
                client.put(f"/api/v1/groups/{collection}/documents/?name={name}", content=content).raise_for_status()
            found = wait(client, collection)
        seconds = time.monotonic() - began
    states = Counter(d["state"] for d in found)
    for document in found:
        if document["state"] != "ready":
            print(f"{document['filename']}: {document['state']}, {document['error']}", flush=True)
    row(
        "500 mixed documents" if chosen.documents == 500 else "mixed documents",
        documents_per_s=len(found) / seconds,
        pages_per_s=sum(d["page_count"] or 1 for d in found) / seconds,
        peak_memory_MB=peak.bytes / 1e6,
        uploaded=len(files),
        lost=len(files) - len(found),
        **states,
    )


if __name__ == "__main__":
    main()
