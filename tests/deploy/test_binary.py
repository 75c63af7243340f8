"""The one file that `make binary` makes, where there is no network: `make check-binary` runs this."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Page

from app import __version__
from tests.conftest import Counted
from tests.e2e.test_main_job import Shape, do_the_main_job
from tests.support import documents
from tests.support.server import Installation

BINARY = os.environ.get("BINARY", "")
pytestmark = [
    pytest.mark.skipif(not BINARY, reason="no built file is named (make check-binary)"),
    pytest.mark.timeout(300),
]
STOP_SECONDS = 20
ROWS = [["Avgift", "Kronor"], ["Altan", "4300"]]
KINDS = {
    "a.pdf": documents.pdf(["Avgiften för bygglov är 4 300 kronor."]),
    "b.docx": documents.docx([("Heading 1", "Avgifter"), ("Normal", "Bygglov kostar 4 300 kronor.")], table=ROWS),
    "c.pptx": documents.pptx([("Avgifter", "Bygglov kostar 4 300 kronor.")]),
    "d.xlsx": documents.xlsx("Avgifter", ROWS),
    "e.ods": documents.ods("Avgifter", ROWS),
    "f.odt": documents.odt([(1, "Avgifter"), (0, "Bygglov kostar 4 300 kronor.")]),
    "g.eml": documents.eml("Avgifter", "Bygglov kostar 4 300 kronor."),
    "h.csv": documents.csv_file(ROWS),
    "i.html": b"<!doctype html><title>Avgifter</title><main><h1>Avgifter</h1><p>Bygglov kostar 4 300 kronor.</p></main>",
    "j.md": b"# Avgifter\n\nBygglov kostar 4 300 kronor.",
}
COMMANDS = (
    ("tenants", "list"), ("audit", "verify"), ("keys", "list"), ("keys", "rotate"), ("maintain",), ("doctor",), ("migrate",),
)  # fmt: skip


class Packed(Installation):
    """An installation of the one file: nothing of Python around it, and hardly any environment."""

    def __init__(self, file: Path, home: Path) -> None:
        super().__init__(home / "data å")
        self.program = (str(file),)
        self.surroundings = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
        # Its own model is inside, and so is all else that it needs.
        del self.settings["MODELS_DIR"]


@pytest.fixture(scope="module", autouse=True)
def no_network() -> None:
    """Nothing here may depend on the world outside."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way, pytest.raises(OSError, match="unreachable"):
        way.connect(("192.0.2.1", 9))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file in a folder with a blank and an å in its name, where nothing can be written, not even by root."""
    folder = tmp_path_factory.mktemp("en mapp på disken")
    shutil.copy(BINARY, folder / "samrad")
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    with pytest.raises(OSError, match="Read-only"):
        (folder / "more").touch()
    yield folder / "samrad"
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def home(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the file has unpacked itself."""
    folder = tmp_path_factory.mktemp("hem å")
    assert started(file, "--version", HOME=str(folder)).stdout.strip() == __version__
    return folder


@pytest.fixture
def installation(file: Path, home: Path) -> Iterator[Packed]:
    """An installation that has not been started; its data are gone afterwards."""
    made = Packed(file, home)
    yield made
    made.stop()
    shutil.rmtree(made.data)


def started(file: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in next to no environment."""
    return subprocess.run(
        [file, *arguments], env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False
    )


def unpacked(folder: Path) -> list[str]:
    return [path.name for path in (folder / ".local" / "share" / "samrad" / "app").iterdir()]


def test_it_unpacks_itself_once(file: Path, tmp_path: Path, counted: Counted) -> None:
    times: list[float] = []
    for _ in range(2):
        begun = time.monotonic()
        assert started(file, "--version", HOME=str(tmp_path)).stdout.strip() == __version__
        times.append(time.monotonic() - begun)
    [place] = unpacked(tmp_path)
    assert place.startswith(f"{__version__}-")
    counted(**{"ms the first time": round(times[0] * 1000), "ms later": round(times[1] * 1000)})
    counted(**{"MB packed": file.stat().st_size >> 20})


def test_two_first_starts_at_the_same_moment_agree(file: Path, tmp_path: Path) -> None:
    both = [
        subprocess.Popen([file, "--version"], env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, stdout=-1)
        for _ in range(2)
    ]
    said = [process.communicate()[0].decode().strip() for process in both]
    assert (said, [process.returncode for process in both]) == ([__version__] * 2, [0, 0])
    assert len(unpacked(tmp_path)) == 1


def test_a_home_that_cannot_be_written_is_told(file: Path) -> None:
    done = started(file, "--version", SAMRAD_HOME=str(file.parent))
    assert (done.returncode, "SAMRAD_HOME" in done.stderr) == (1, True)


@pytest.mark.parametrize("harm", ["cut short", "changed"])
def test_a_damaged_file_is_told_and_leaves_nothing(file: Path, tmp_path: Path, harm: str) -> None:
    damaged = tmp_path / "samrad"
    shutil.copy(file, damaged)
    half = damaged.stat().st_size // 2
    with damaged.open("r+b") as opened:
        if harm == "cut short":
            opened.truncate(half)
        else:
            opened.seek(half)
            opened.write(bytes(64))
    done = started(damaged, "--version", HOME=str(tmp_path))
    assert (done.returncode, "damaged" in done.stderr) == (1, True)
    assert unpacked(tmp_path) == []


def test_it_does_the_main_job(page: Page, installation: Packed, tmp_path: Path, counted: Counted) -> None:
    begun = time.monotonic()
    installation.start()
    counted(**{"ms from start to answer": round((time.monotonic() - begun) * 1000)})
    do_the_main_job(page, Shape(installation.url), tmp_path)
    serving = psutil.Process(installation.processes["serve"].pid)
    everybody = serving.children(recursive=True)
    serving.terminate()
    assert psutil.wait_procs(everybody, STOP_SECONDS)[1] == []
    assert installation.processes["serve"].wait(STOP_SECONDS) == 0


def test_it_reads_every_kind_of_document(installation: Packed) -> None:
    installation.set_up()
    installation.start()
    with closing(installation.client()) as client:
        space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
        group = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Alla"}).json()["id"]
        for name, content in KINDS.items():
            sent = client.post(f"/api/v1/groups/{group}/info-blobs/upload/", files={"file": (name, content)})
            assert sent.is_success, sent.text
        assert read(client, group) == dict.fromkeys(KINDS, "ready")


def read(client: httpx.Client, group: str) -> dict[str, str]:
    """What has become of the documents of a collection, when all are through."""
    while True:
        items = client.get(f"/api/v1/groups/{group}/info-blobs/", params={"limit": 50}).json()["items"]
        states = {item["metadata"]["title"]: item["state"] for item in items}
        if len(states) == len(KINDS) and set(states.values()) <= {"ready", "failed"}:
            return states
        time.sleep(0.2)


def test_its_commands_run(installation: Packed, tmp_path: Path) -> None:
    installation.set_up()
    for command in COMMANDS:
        installation.run(*command)
    key, backup, again = tmp_path / "key", tmp_path / "backup.samrad", tmp_path / "again"
    key.write_text(os.urandom(32).hex())
    key.chmod(0o600)
    installation.run("backup", str(backup), "--key-file", str(key))
    installation.run("verify", str(backup), "--key-file", str(key))
    installation.run("upgrade", "--key-file", str(key), "--backup", str(tmp_path / "before.samrad"))
    installation.run("support-bundle", str(tmp_path / "bundle.zip"))
    installation.settings["DATA_DIR"] = str(again)
    installation.run("restore", str(backup), "--key-file", str(key))
    assert "Sundviks kommun" in installation.run("tenants", "list")
