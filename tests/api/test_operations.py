"""How an installation is doing: for probes, for Prometheus, for its operator; and what is said when something is wrong."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from redis import Redis

from app import doctor, scheduled_backup, support_bundle
from app.bootstrap import Runtime, build
from app.mail import SmtpMailer
from app.observability.alerts import Alerts
from app.observability.logs import CORRELATION, _Json, masked
from app.proxy_check import look
from app.server import create_api
from domain.kernel.clock import now
from domain.kernel.ids import new_id
from domain.operations.entities import Thresholds, faults
from tests.conftest import Place
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.live import listening
from tests.support.mail import MailServer
from tests.support.valkey import Valkey
from tests.support.worker import WorkerProcess, until


def values_of(text: str) -> dict[str, float]:
    """Prometheus' text form, read as Prometheus reads it: each line a name with labels and a number."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in found, name
            found[name] = float(value)
    return found


async def test_probes_tell_whether_work_can_be_done(api: Api) -> None:
    client = api.browser()
    assert (await client.get("/livez")).json() == {"status": "ok"}
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"database": True, "redis": True})
    health = await client.get("/api/healthz")
    assert (health.status_code, health.json()["detail"]["backend"]) == (200, {"status": "HEALTHY"})
    assert (await client.get("/api/healthz/crawler")).status_code == 401
    found = (await api.operator().get("/api/healthz/crawler", params={"include_all": True})).json()
    assert (found["status"], found["status_flags"]) == ("HEALTHY", [])


async def test_jobs_without_a_worker_are_told(api: Api, valkey: Valkey) -> None:
    client = await api.client()
    await upload(client, await make_collection(client, await make_space(client)), "a.txt", b"Ett brev.")
    health = await client.get("/api/healthz")
    assert (health.status_code, health.json()["detail"]["worker"]) == (503, {"status": "UNHEALTHY"})
    values = values_of((await client.get("/metrics")).text)
    assert values['samrad_jobs_waiting{lane="ingest"}'] == 1
    assert values['samrad_jobs_oldest_seconds{lane="ingest"}'] >= 0
    await api.work()
    assert (await client.get("/api/healthz")).status_code == 200
    values = values_of((await client.get("/metrics")).text)
    assert not any("jobs_waiting" in name for name in values)
    [name] = [name for name in values if name.startswith("samrad_jobs_ended_last_hour")]
    assert 'state="done"' in name
    assert values[name] == 1
    assert 0 < values[name.replace("jobs_ended", "job_seconds")] < 60


async def test_redis_away_is_seen(place: Place, tmp_path: Path) -> None:
    runtime = await build(place.settings(redis_url=f"unix://{tmp_path}/nobody.sock"), listen=False)
    client = Api(runtime, create_api(runtime), None).browser()  # type: ignore[arg-type]
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"database": True, "redis": False})
    assert (await client.get("/livez")).status_code == 200
    assert values_of((await client.get("/metrics")).text)["samrad_redis_up"] == 0
    await runtime.close()


async def test_metrics_count_requests_answers_and_tokens(api: Api) -> None:
    client = await api.client()
    space_id = await make_space(client)
    assistant_id = await make_assistant(client, space_id)
    body = {"assistant_id": assistant_id, "question": "Hej?", "stream": False}
    assert (await client.post("/api/v1/conversations/", json=body)).status_code == 200
    await client.get(f"/api/v1/spaces/{new_id()}/")
    values = values_of((await client.get("/metrics")).text)
    assert values['samrad_requests_total{method="GET",route="/api/v1/spaces/{id}/",status="404"}'] == 1
    assert values['samrad_request_seconds_count{method="POST",route="/api/v1/conversations/"}'] == 1
    assert values['samrad_provider_calls_total{type="builtin"}'] == 1
    assert values['samrad_first_token_seconds_bucket{type="builtin",le="+Inf"}'] == 1
    assert values["samrad_memory_bytes"] > 20 * 1024**2
    assert values["samrad_database_up"] == 1
    assert space_id not in (await client.get("/metrics")).text


async def test_metrics_are_for_this_machine_or_the_bearer_of_the_token(api: Api, runtime: Runtime) -> None:
    for stranger in (
        api.browser(ip="10.0.0.7"), api.browser(**{"x-forwarded-for": "127.0.0.1"}), api.browser(via="1.1 proxy"),
    ):  # fmt: skip
        assert (await stranger.get("/metrics")).status_code == 401
    guarded = replace(runtime, settings=runtime.settings.model_copy(update={"metrics_token": "a token of metrics"}))
    other = Api(guarded, create_api(guarded), api.owner)
    assert (await other.browser().get("/metrics")).status_code == 401
    assert (await other.browser(authorization="Bearer another token").get("/metrics")).status_code == 401
    bearer = other.browser(ip="10.0.0.7", authorization="Bearer a token of metrics")
    assert (await bearer.get("/metrics")).status_code == 200


class Hook:
    """A webhook that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        application = FastAPI()

        @application.post("/hook")
        async def hook(request: Request) -> None:
            self.got.append(await request.json())

        async with listening(application) as address:
            yield f"http://{address}/hook"


async def test_a_fault_is_told_once_when_it_lasts_and_again_when_it_is_over(
    api: Api, runtime: Runtime, valkey: Valkey
) -> None:
    client, hook, post = await api.client(), Hook(), MailServer()
    mail = {"smtp_host": "127.0.0.1", "smtp_port": post.port, "smtp_security": "none", "smtp_from": "samrad@example.se"}
    async with hook.listening() as url:
        told = {"alert_webhook": url, "alert_email": "drift@example.se", "public_origin": "https://ai.example.se"}
        settings = runtime.settings.model_copy(update={**told, **mail})

        def alerts() -> Alerts:
            operations = runtime.services.operations
            return Alerts(settings, operations, runtime.directory, runtime.guard, SmtpMailer(settings))

        one, two = alerts(), alerts()
        await one.look()
        await upload(client, await make_collection(client, await make_space(client)), "a.txt", b"Ett brev.")
        await one.look()
        assert hook.got == []
        for each in (one, two, one, two, two):
            await each.look()
        assert [(told["key"], told["state"]) for told in hook.got] == [("workers", "begun")]
        await api.work()
        for _ in range(2):
            await asyncio.gather(one.look(), two.look())
        assert [(told["key"], told["state"]) for told in hook.got] == [("workers", "begun"), ("workers", "over")]
    post.close()
    assert [str(letter["Subject"]) for letter in post.letters] == [
        "Samråd: something needs attention", "Samråd: it is over",
    ]  # fmt: skip
    assert "no worker is running" in post.letters[0].get_content()
    assert "https://ai.example.se/sysadmin" in post.letters[0].get_content()


async def test_a_killed_worker_counts_no_longer_when_its_time_is_up(runtime: Runtime, valkey: Valkey) -> None:
    async def counted() -> bool:
        return (await runtime.watcher.gather()).workers == 1

    worker = WorkerProcess(runtime.settings)
    try:
        await until(counted)
    finally:
        worker.kill()
    with Redis.from_url(valkey.url) as client:
        signs = list(client.scan_iter("rq:worker:*"))
        assert signs
        for sign in signs:
            client.pexpire(sign, 1)
        await until(lambda: asyncio.to_thread(lambda: not client.exists(*signs)))
    assert (await runtime.watcher.gather()).workers == 0


async def test_what_is_wrong_depends_on_thresholds(runtime: Runtime) -> None:
    good = await runtime.watcher.gather()
    limits = Thresholds(queue_seconds=60, disk_free=0, error_percent=5)
    assert faults(good, limits) == []
    bad = replace(good, requests=100, errors=6, backup_wanted=True, last_backup=now() - timedelta(days=2), disk_free=-1)
    assert {fault.key for fault in faults(bad, limits)} == {"errors", "backup", "disk"}
    assert {fault.key for fault in faults(bad, limits, replace(bad, requests=90, errors=0))} == {"backup", "disk"}


def test_the_log_holds_no_personal_data() -> None:
    line = masked(
        "anna.ek@sundvik.se 19811218-9876 from 193.10.20.30 with Authorization: Bearer abcdef0123456789 at "
        "postgresql://samrad:hemligt@db/x, api_key=sk-abcdefghijklmnopqrst, 2001:db8:0:1::17, http://127.0.0.1:8080"
    )
    for secret in ("anna", "9876", "193.10", "abcdef", "hemligt", "2001:db8"):
        assert secret not in line
    assert "http://127.0.0.1:8080" in line
    assert masked("took 1200 ms, 12:30:59, run 01a223dc, 3 of 20261128 rows") == (
        "took 1200 ms, 12:30:59, run 01a223dc, 3 of 20261128 rows"
    )


def test_json_lines_carry_the_id_of_what_is_going_on() -> None:
    token = CORRELATION.set("abc123")
    record = logging.LogRecord("app", logging.WARNING, "x", 1, "mail to %s", ("anna@sundvik.se",), None)
    said = json.loads(_Json().format(record))
    CORRELATION.reset(token)
    assert (said["correlation_id"], said["message"], said["level"]) == ("abc123", "mail to <e-mail>", "WARNING")


async def test_the_doctor_and_the_bundle_tell_without_telling_secrets(
    place: Place, runtime: Runtime, owner: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import zipfile

    settings = runtime.settings.model_copy(update={"super_api_key": "aaaaaaaaaaaaaaaaaaaa"})
    sentences = {sentence: good for good, sentence in await doctor.findings_of(settings)}
    assert any("SUPER_API_KEY is easily guessed" in sentence for sentence, good in sentences.items() if not good)
    assert any(("sqlite-vec" in s) or ("pgvector" in s) for s in sentences)
    path = tmp_path / "bundle.zip"
    assert await support_bundle.run(settings, path) == 0
    assert path.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(path) as bundle:
        everything = "".join(bundle.read(name).decode() for name in bundle.namelist())
        rows = json.loads(bundle.read("database.json"))["rows"]
    assert rows["users"] == 1
    for secret in ("aaaaaaaa", "owner@example.se", "Sundsvall", str(place.data), settings.encryption_key or ""):
        assert secret not in everything
    assert await support_bundle.run(settings, path) == 1


async def test_scheduled_backups_come_once_a_day_and_are_read_again(
    sqlite_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "backup.key"
    key.write_text("0123456789abcdef" * 4)
    folder = tmp_path / "backups å"
    folder.mkdir()
    for day in ("01", "02", "03"):
        (folder / f"samrad-202601{day}-023000.samrad").touch()
    settings = sqlite_place.settings(
        backup_schedule="00:00", backup_folder=folder, backup_keep=2, backup_key_file=key, time_zone="UTC"
    )
    for name in ("data_dir", "backup_key_file", "encryption_key", "models_dir"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    assert scheduled_backup.due(settings, now())
    await scheduled_backup.keep_up(settings)
    assert not scheduled_backup.due(settings, now())
    assert scheduled_backup.due(settings, now() + timedelta(days=1))
    names = sorted(path.name for path in folder.iterdir())
    assert names[0] == "samrad-20260103-023000.samrad"
    assert len(names) == 2
    assert any("newest backup" in s and good for good, s in doctor._backups(settings))


class BadProxy:
    """Collects whole answers before it hands them on, knows no websockets, and refuses large bodies."""

    def __init__(self, behind: str) -> None:
        self._host, port = behind.split(":")
        self._port = int(port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if line]
        length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")), 0)
        if length > 1024**2:
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        else:
            kept = [line for line in lines if not line.lower().startswith((b"connection", b"upgrade"))]
            up, down = await asyncio.open_connection(self._host, self._port)
            down.write(b"\r\n".join([*kept, b"Connection: close", b"", b""]))
            writer.write(await up.read())
            down.close()
        await writer.drain()
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()


async def test_the_doctor_sees_what_a_proxy_does(api: Api, runtime: Runtime) -> None:
    async with listening(api.application) as behind:
        direct = [found async for found in look(runtime.settings, f"http://{behind}")]
        assert [good for good, _ in direct] == [True] * 4, direct
        async with BadProxy(behind).listening() as url:
            through = [found async for found in look(runtime.settings, url)]
    assert [good for good, _ in through] == [True, False, False, False], through
    [(good, sentence)] = [found async for found in look(runtime.settings, url)]
    assert not good
    assert "does not answer" in sentence


async def test_a_notice_is_read_by_everybody_and_maintenance_closes_the_product(api: Api) -> None:
    client, operator, stranger = await api.client(), api.operator(), api.browser(**{"accept-language": "en"})
    until = (now() + timedelta(hours=2)).isoformat()
    body = {"level": "warning", "text_sv": "Vi uppgraderar i kväll.", "text_en": "We upgrade tonight.", "until": until}
    for change in ({"level": "loud"}, {"text_sv": "", "text_en": " "}, {"until": "2020-01-01T00:00:00Z"},
                   {"until": "2999-01-01T00:00:00Z"}, {"text_sv": "a" * 501}):  # fmt: skip
        answer = await operator.put("/api/v1/sysadmin/notice/", json=body | change)
        assert answer.status_code == 422, answer.text
    assert (await client.put("/api/v1/sysadmin/notice/", json=body)).status_code == 401
    assert (await operator.put("/api/v1/sysadmin/notice/", json=body)).status_code == 200
    assert (await stranger.get("/api/v1/notice/")).json()["text"] == "We upgrade tonight."
    assert (await client.get("/api/v1/spaces/")).status_code == 200

    closed = await operator.put("/api/v1/sysadmin/notice/", json=body | {"level": "maintenance"})
    assert closed.json()["text_sv"] == "Vi uppgraderar i kväll."
    for path in ("/api/v1/spaces/", "/docs", "/openapi.json", "/version"):
        refused = await client.get(path, headers={"accept-language": "en"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "60"), path
        assert refused.json()["message"] == "The service is closed for maintenance. We upgrade tonight."
    shown = await stranger.get("/api/v1/spaces/", headers={"accept": "text/html", "accept-language": "sv"})
    assert "Vi uppgraderar i kväll." in shown.text
    for path in ("/livez", "/readyz", "/api/v1/notice/"):
        assert (await stranger.get(path)).status_code == 200, path
    assert (await operator.get("/api/v1/sysadmin/tenants/")).status_code == 200
    assert (await operator.delete("/api/v1/sysadmin/notice/")).status_code == 204
    assert (await client.get("/api/v1/spaces/")).status_code == 200
    assert (await stranger.get("/api/v1/notice/")).json() is None


async def test_administrators_and_the_operator_see_the_same_facts_and_others_none(api: Api) -> None:
    client, operator = await api.client(), api.operator()
    await api.user("kollega@example.se")
    assert (await (await api.client("kollega@example.se")).get("/api/v1/admin/status/")).status_code == 403
    own = (await client.get("/api/v1/admin/status/")).json()
    found = (await operator.get("/api/v1/sysadmin/status/")).json()
    assert own.keys() == found.keys()
    assert (found["database"], found["redis"], found["faults"]) == (True, True, [])
    assert str(api.owner.tenant_id) not in json.dumps(found)
