"""The operator on the command line, over a real data folder."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.server import ROOT, Installation

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `main.py tenants …`; what it prints, or its complaint when `fails`."""
    made = Installation(tmp_path / "data")
    made.set_up()

    def command(*words: str, fails: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, "main.py", "tenants", *words],
            cwd=ROOT,
            env={**os.environ, **made.settings, "LOG_LEVEL": "error"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    return command


@pytest.mark.timeout(300)  # a dozen programs, one after the other
def test_an_organisation_lives_and_dies_on_the_command_line(run: Run) -> None:
    slug, link = run("create", "Åre kommun", "--owner", "chef@are.se", "--quota", "5000").split()
    assert slug == "are-kommun"
    assert "/invitation?token=" in link
    assert "Another organisation has this name." in run("create", "ÅRE KOMMUN", fails=True)
    run("suspend", slug)
    listed = {line.split("\t")[0]: line.split("\t")[1:] for line in run("list").splitlines()}
    assert listed[slug] == ["suspended", "1 people", "0 of 5000 bytes", "Åre kommun"]
    assert listed["sundviks-kommun"][0] == "active"
    run("reactivate", slug)
    assert "Nothing was deleted" in run("delete", slug)
    assert f"{slug}\tactive" in run("list")
    assert "was deleted: 1 people" in run("delete", slug, "--yes")
    assert slug not in run("list")
    [certificate] = [json.loads(line) for line in run("certificate", slug).splitlines()]
    assert (certificate["valid"], certificate["counts"]["users"]) == (True, 1)
    for words in (("suspend", "nowhere"), ("delete", slug, "--yes"), ("certificate", "nowhere")):
        assert "There is no" in run(*words, fails=True)
