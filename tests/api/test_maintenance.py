"""The nightly maintenance: what nobody needs goes, what anything names stays."""

import os
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from app import maintenance
from app.bootstrap import Runtime
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from tests.security.test_walk import justify
from tests.support import documents
from tests.support.api import Api, make_collection, make_space, upload

TWO_DAYS = 2 * 24 * 3600


def grow_old(folder: Path) -> None:
    moment = time.time() - TWO_DAYS
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (moment, moment))


async def test_what_nothing_names_is_removed_and_everything_else_stays(
    api: Api, runtime: Runtime, other: Actor
) -> None:
    client = await api.client()
    collection = await make_collection(client, await make_space(client))
    content = documents.pdf(["Handbok om bygglov."])
    await upload(client, collection, "Handbok.pdf", content)
    await justify(client)
    export = await client.post("/api/v1/audit/logs/export/async", json={"format": "csv"})
    assert export.status_code == 200, export.text
    await api.work()
    data = runtime.settings.data_dir
    named = set(await runtime.contents.names(api.owner.tenant_id))
    assert len(named) >= 3  # the file, its text, the export

    async def stray() -> str:
        async def parts():  # type: ignore[no-untyped-def]
            yield b"nobody's"

        return (await runtime.contents.receive(api.owner.tenant_id, parts(), 100)).name

    old = await stray()
    gone = data / "files" / uuid4().hex / "ab" / "abc"
    gone.parent.mkdir(parents=True)
    gone.touch()
    half = data / "files" / "tmp" / "half"
    half.touch()
    left = data / "files.backup-1"
    left.mkdir()
    grow_old(data)
    young = await stray()
    await runtime.directory.set_switch("old", {}, now() - timedelta(days=1))

    lines = dict(line.split(": ", 1) for line in await maintenance.work(runtime))
    assert not any("failed" in line for line in lines.values()), lines
    assert lines["stored files"].startswith("2 ")
    assert lines["rows"].startswith("1 ")
    assert set(await runtime.contents.names(api.owner.tenant_id)) == named | {young}
    assert old not in named
    assert [path.exists() for path in (gone, half, left)] == [False, False, False]
    [item] = (await client.get(f"/api/v1/groups/{collection}/info-blobs/")).json()["items"]
    assert (await client.get(f"/api/v1/info-blobs/{item['id']}/original/")).content == content


async def test_one_process_does_it_in_the_hour_of_night(
    api: Api, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    hour = (now() - timedelta(hours=maintenance.HOUR_OF_NIGHT)).hour
    # A place on earth where it is night now.
    zone = f"Etc/GMT{'+' if hour <= 12 else '-'}{hour if hour <= 12 else 24 - hour}"
    from dataclasses import replace

    there = replace(runtime, settings=runtime.settings.model_copy(update={"time_zone": zone}))
    caplog.set_level("INFO", "app.maintenance")

    def lines() -> int:
        return sum(record.name == "app.maintenance" for record in caplog.records)

    await maintenance.nightly(there)
    assert lines() == 9
    await maintenance.nightly(there)
    assert lines() == 9


async def test_sqlite_gives_room_back(sqlite_place, sqlite_template) -> None:  # type: ignore[no-untyped-def]
    from storage.database import Database

    path = sqlite_place.data / "samrad.db"
    database = Database.sqlite(path)
    async with database.writer.connect() as connection:
        await connection.exec_driver_sql("create table filler(text)")
        await connection.exec_driver_sql(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 8000) "
            "insert into filler select hex(randomblob(1000)) from n"
        )
        await connection.exec_driver_sql("drop table filler")
        await connection.commit()
    before = path.stat().st_size
    assert "made smaller" in await database.tend()
    assert path.stat().st_size < before / 2
    assert "up to date" in await database.tend()
    await database.close()
