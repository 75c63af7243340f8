"""Every command that the documents tell people to type is one that the program knows."""

import re
import shlex
from pathlib import Path

import pytest

from app.cli import parser
from tests.deploy.test_deploy import SETTINGS
from tests.support.server import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"(?:main\.py|^(?:\w+=\S+ )*samrad) +(.*)")
ASSIGNED = re.compile(r"(?:^|\s)([A-Z][A-Z_]{3,})=")
WORDS_OF_SHELLS = re.compile(r"\s#|\||;|&&|>")
NOT_OURS = {"PYTHON", "BINARY", "ARGS", "MESSAGE", "SAMRAD_HOME", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}


def blocks(path: Path) -> list[str]:
    """Lines of the examples for a shell, continued ones as one."""
    found = re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL)
    return [line for block in found for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def commands(path: Path) -> list[list[str]]:
    """The arguments of each command of ours; what a sentence names may leave some out, so it asks for help."""
    lines = [line for line in blocks(path) if not line.startswith("cp ")]
    examples = [WORDS_OF_SHELLS.split(found[1])[0] for line in lines if (found := COMMAND.search(line))]
    spans = re.findall(r"`([^`\n]*main\.py [^`\n]+)`", path.read_text())
    sentences = [f"{found[1]} --help" for span in spans if "|" not in span and (found := COMMAND.search(span))]
    return [shlex.split(line) for line in [*examples, *sentences] if "…" not in line]


def status(arguments: list[str]) -> object:
    """0 when the program understands them; whoever asks for help gets it."""
    try:
        parser().parse_args(arguments)
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documented_commands_are_understood(path: Path) -> None:
    assert [shlex.join(arguments) for arguments in commands(path) if status(arguments) != 0] == []


def test_the_documents_tell_commands() -> None:
    told = {path.name: len(commands(path)) for path in DOCUMENTS}
    assert (told["deploy.md"] >= 4, told["operate.md"] >= 14) == (True, True), told


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documented_settings_are_there(path: Path) -> None:
    named = {name for line in blocks(path) for name in ASSIGNED.findall(line)}
    assert named - SETTINGS - NOT_OURS == set()


def test_files_that_documents_copy_are_there() -> None:
    lines = [line for line in blocks(ROOT / "docs" / "deploy.md") if line.startswith("cp ")]
    words = [shlex.split(line.partition(" #")[0])[1:-1] for line in lines]
    sources = [word for each in words for word in each if not word.startswith("-")]
    assert len(sources) > 5
    for source in sources:
        assert any(list(folder.glob(source)) for folder in (ROOT, ROOT / "deploy" / "compose")), source
