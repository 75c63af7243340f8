"""Labelled sets for measuring search, in BEIR's layout: `python -m benchmarks.labelled FOLDER`.

Two come out of Debian's packages of the help of LibreOffice, in Swedish and in English: its authors have listed under which
words of the index each page should be found. A query is such an entry, and the pages it leads to are the right answers.
The packages are fetched when the sets are made and are not part of the product.
"""

import html
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from domain.knowledge.parsing import language_of

PACKAGES = {"sv": ("libreoffice-help-sv", "sv"), "en": ("libreoffice-help-en-us", "en-US")}
QUERIES = 300
SHORTEST_PAGE = 150
_ENTRY = re.compile(r'\{url:"([^"?]+)[^"]*", app:"[^"]*", text:"([^"]*)"\}')


def help_pages(folder: Path, language: str) -> dict[str, tuple[str, str]]:
    """Title and text of each page that is written in the language, by its path."""
    pages: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.rglob("*.html")):
        tree = LexborHTMLParser(path.read_text(encoding="utf-8"))
        main = tree.css_first("#DisplayArea") or tree.css_first("main")
        if main is None:
            continue
        text = re.sub(r"\s*\n\s*", "\n", main.text(separator=" ")).strip()
        title = tree.css_first("title")
        if len(text) >= SHORTEST_PAGE and language_of(text) == language:
            name = path.relative_to(folder.parent).as_posix()
            pages[name] = (" ".join((title.text() if title else "").split()), re.sub(r"[ \t]+", " ", text))
    return pages


def index_entries(folder: Path, pages: dict[str, tuple[str, str]]) -> dict[str, set[str]]:
    """The index: words, and the pages they lead to."""
    entries: dict[str, set[str]] = defaultdict(set)
    for url, words in _ENTRY.findall((folder / "bookmarks.js").read_text(encoding="utf-8")):
        question = " ".join(html.unescape(words).replace(" -- ", " ").replace(";", " ").split())
        if url in pages and len(question.split()) > 1:
            entries[question].add(url)
    return entries


def unpacked(language: str, work: Path) -> Path:
    """The help in a language, out of its package."""
    package, name = PACKAGES[language]
    subprocess.run(["apt-get", "download", "-qq", package], cwd=work, check=True, capture_output=True)
    [archive] = work.glob(f"{package}*.deb")
    subprocess.run(["dpkg", "-x", archive.name, "x"], cwd=work, check=True)
    return work / "x/usr/share/libreoffice/help" / name


def make(language: str, target: Path) -> None:
    """Write corpus.jsonl, queries.jsonl and qrels.tsv for a language into `target`."""
    with tempfile.TemporaryDirectory(prefix="samrad-labelled-") as work:
        folders = {each: unpacked(each, Path(work)) for each in PACKAGES}
        pages = help_pages(folders[language], language)
        entries = index_entries(folders[language], pages)
        for other in PACKAGES.keys() - {language}:
            # Entries that were never translated.
            for question in index_entries(folders[other], help_pages(folders[other], other)):
                entries.pop(question, None)
    asked = random.Random(1).sample(sorted(entries), min(QUERIES, len(entries)))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with (target / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for key, (title, text) in pages.items():
            file.write(json.dumps({"_id": key, "title": title, "text": text}, ensure_ascii=False) + "\n")
    with (target / "queries.jsonl").open("w", encoding="utf-8") as file:
        for number, question in enumerate(asked):
            file.write(json.dumps({"_id": f"q{number}", "text": question}, ensure_ascii=False) + "\n")
    with (target / "qrels.tsv").open("w", encoding="utf-8") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        for number, question in enumerate(asked):
            for key in sorted(entries[question]):
                file.write(f"q{number}\t{key}\t1\n")
    print(f"{target}: {len(pages)} pages, {len(asked)} queries")


if __name__ == "__main__":
    for each in PACKAGES:
        make(each, Path(sys.argv[1]) / f"help-{each}")
