"""The disk takes no more: what cannot be saved is refused in a sentence, what was saved stays, and it goes on by itself."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.api import Api, make_collection, make_space, upload
from tests.support.server import ROOT

ROOM = 64 * 1024


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process grows beyond `ROOM` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _refused(answer: httpx.Response) -> bool:
    if answer.status_code < 400:
        return False
    assert (answer.status_code, answer.json()["code"]) == (507, 9034), answer.text
    assert "har inte plats" in answer.json()["message"]
    return True


def _files(api: Api) -> list[Path]:
    return sorted(path for path in (api.runtime.settings.data_dir / "files").rglob("*") if path.is_file())


async def test_an_upload_that_has_no_room(api: Api) -> None:
    client = await api.client()
    collection = await make_collection(client, await make_space(client))
    text = "Handläggningstiden för bygglov är högst tio veckor.\n".encode() * 20_000
    before = _files(api)
    with full_disk():
        assert _refused(await upload(client, collection, "bygglov.txt", text))
    assert _files(api) == before
    listed = (await client.get(f"/api/v1/groups/{collection}/info-blobs/")).json()
    assert listed["items"] == []
    assert (await upload(client, collection, "bygglov.txt", text)).status_code == 202


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_database_that_has_no_room(api: Api) -> None:
    client, made = await api.client(), []
    await api.runtime.database.settle()
    with full_disk():
        while len(made) < 200:
            answer = await client.post("/api/v1/spaces/", json={"name": f"Rum {len(made)}"})
            if _refused(answer):
                break
            made.append(answer.json()["id"])
        else:
            raise AssertionError("the disk was never full")
        # Reading goes on.
        assert (await client.get("/api/v1/spaces/")).status_code == 200
    assert (await client.post("/api/v1/spaces/", json={"name": "Efteråt"})).status_code == 201
    listed = {space["id"] for space in (await client.get("/api/v1/spaces/")).json()["items"]}
    assert set(made) <= listed
    assert not (await api.runtime.services.audit.verify(api.owner.tenant_id)).faults


def test_a_data_folder_that_cannot_be_written_is_said_at_the_start() -> None:
    settings = {**os.environ, "DATA_DIR": "/proc/samrad"}
    done = subprocess.run(
        [sys.executable, "main.py", "serve"], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr
