"""Finds the translatable sentences of the program: `python -m pages.i18n.extract` brings the catalogues up to date."""

import ast
import io
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from pages.i18n import DEFAULT, FOLDER

ROOT = FOLDER.parent.parent
PLACES = ("pages", "domain", "storage", "app")
MARKS = frozenset({"_", "N_", "ngettext", "translate"})


def sources() -> Iterator[Path]:
    """The Python files that may hold sentences."""
    for place in PLACES:
        yield from sorted((ROOT / place).rglob("*.py"))


def sentences(path: Path) -> Iterator[tuple[str | tuple[str, str], int]]:
    """The sentences of a file with their lines; singular and plural as a pair."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in MARKS:
            continue
        texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if node.func.id == "ngettext" and len(texts) == 2:
            yield (texts[0], texts[1]), node.lineno
        elif texts and node.func.id != "ngettext" and isinstance(node.args[0], ast.Constant):
            yield texts[0], node.lineno


def template() -> Catalog:
    """All sentences of the program, with the files they stand in."""
    catalog = Catalog(project="Samråd", charset="utf-8")
    for path in sources():
        for message, _line in sentences(path):
            catalog.add(message, locations=[(path.relative_to(ROOT).as_posix(), 0)])
    return catalog


def updated(language: str) -> Catalog:
    """The catalogue of a language with the sentences that the program has now; new ones are empty."""
    path = FOLDER / f"{language}.po"
    content = path.read_bytes() if path.exists() else b""
    catalog = read_po(io.BytesIO(content), locale=language)
    catalog.project, catalog.version, catalog.fuzzy = "Samråd", "1", False
    catalog.header_comment = f"# The sentences of Samråd: {language}"
    catalog.msgid_bugs_address = catalog.last_translator = catalog.language_team = "-"
    catalog.update(template(), no_fuzzy_matching=True, update_header_comment=False, update_creation_date=False)
    catalog.obsolete.clear()
    return catalog


def missing(language: str) -> list[str]:
    """The sentences without a translation."""
    found = []
    for message in updated(language):
        strings = message.string if isinstance(message.string, tuple | list) else [message.string]
        if message.id and not all(strings):
            found.append(message.id if isinstance(message.id, str) else message.id[0])
    return found


def write(catalog: Catalog, language: str) -> None:
    """Save a catalogue."""
    with (FOLDER / f"{language}.po").open("wb") as file:
        write_po(file, catalog, width=100, sort_output=True, omit_header=False)


if __name__ == "__main__":
    write(updated(DEFAULT), DEFAULT)
