"""Every word on a page is translated, and none stands outside the catalogues."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pages.i18n import LANGUAGES, preferred, translate
from pages.i18n.extract import ROOT, missing, sources, updated

PAGES = sorted((ROOT / "pages").rglob("*.py"))
FIRST = (
    "label input textarea number switch menu_item tooltip notify button heading paragraph chip note quiet_button"
    " danger_button toast field dialog"
)
SHOWN: dict[str, tuple[int, ...]] = dict.fromkeys(FIRST.split(), (0,)) | {
    "icon_button": (1,), "text_element": (1,), "empty_state": (1, 2), "page_head": (0, 1), "setting": (0, 1),
    "confirm": (0, 1, 2), "ask_name": (0, 1, 2, 3),
}  # fmt: skip
"""The functions that show text, and which of their arguments do."""
NOT_WORDS = frozenset({"Samråd", "Ctrl K"})
ICON = re.compile(r"[a-z0-9_]+")
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def calls(path: Path) -> Iterator[ast.Call]:
    yield from (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call))


def literal_words(node: ast.expr) -> str:
    """The letters of a literal or of the fixed parts of an f-string."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(p.value) for p in node.values if isinstance(p, ast.Constant))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_every_sentence_has_a_swedish_translation() -> None:
    assert missing("sv") == [], "run: python -m pages.i18n.extract, then translate"


def test_translations_keep_the_placeholders() -> None:
    for message in updated("sv"):
        if not message.id:
            continue
        ids: list[str] = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
        wanted = set(PLACEHOLDER.findall(ids[-1]))
        for text in strings:
            assert set(PLACEHOLDER.findall(text)) == wanted, ids[0]


def test_the_committed_catalogue_has_no_leftovers() -> None:
    text = (ROOT / "pages/i18n/sv.po").read_text(encoding="utf-8")
    assert "#~" not in text
    assert "#, fuzzy" not in text


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_literal_text_is_shown(path: Path) -> None:
    for call in calls(path):
        shown = [a for i, a in enumerate(call.args) if i in SHOWN.get(name_of(call), ())]
        for argument in [*shown, *(k.value for k in call.keywords if k.arg in ("label", "placeholder", "title"))]:
            words = literal_words(argument).strip()
            letters = re.sub(r"[^A-Za-zÅÄÖåäö]", "", words)
            plain = words in NOT_WORDS or ICON.fullmatch(words)
            assert plain or len(letters) < 2, f"{path.name}:{argument.lineno} shows “{words}” without _()"


@pytest.mark.parametrize("path", list(sources()), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_translated_sentences_are_literals(path: Path) -> None:
    """An f-string inside `_()` cannot be found by the extraction."""
    for call in calls(path):
        if name_of(call) in ("_", "N_", "ngettext") and call.args:
            assert not any(isinstance(a, ast.JoinedStr) for a in call.args), f"{path.name}:{call.lineno}"


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_buttons_with_only_an_icon_have_a_name(path: Path) -> None:
    for call in calls(path):
        if name_of(call) == "button" and any(k.arg == "icon" for k in call.keywords):
            assert call.args or path.name == "base.py", f"{path.name}:{call.lineno}: use icon_button"


def test_translating_does_not_load_the_pages() -> None:
    code = "import sys; from pages.i18n import translate; print(translate('Sign in', 'sv'), 'nicegui' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["Logga", "in", "False"]


def test_parameters_are_filled_in() -> None:
    assert translate("At most {limit} files", "sv", limit=3) == "Högst 3 filer"
    assert translate("At most {limit} files", "en", limit=3) == "At most 3 files"
    assert translate("Unknown sentence {x}", "sv", x=1) == "Unknown sentence 1"


@pytest.mark.parametrize(
    ("header", "language"),
    [("en-GB,en;q=0.9", "en"), ("sv-SE,sv;q=0.9,en;q=0.8", "sv"), ("de,en;q=0.5", "en"), ("fi", "sv"), ("", "sv")],
)
def test_the_browsers_language_is_asked(header: str, language: str) -> None:
    assert preferred(header) == language
    assert language in LANGUAGES
