"""The audit log by API: everything is recorded, reading needs a reason, the chain shows what was altered."""

import asyncio
import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.bootstrap import build
from app.server import create_api
from domain.assistants.entities import Assistant
from domain.assistants.service import FIELDS as ASSISTANT_FIELDS
from domain.audit.catalogue import CATALOGUE, Category
from domain.audit.entities import AuditCheckpoint
from domain.audit.replay import replayed, snapshot
from domain.audit.repository import AuditFilter
from domain.audit.service import ACCESSES_PER_HOUR
from domain.kernel.actor import Actor
from domain.kernel.clock import now
from domain.spaces.entities import Space
from domain.spaces.service import FIELDS as SPACE_FIELDS
from storage import sqlite
from tests.conftest import PASSWORD, Place
from tests.support.api import Api, make_assistant, make_collection, make_space, upload

REASON = {"category": "Tillsyn", "description": "Årlig granskning av behörigheter"}


async def reader(api: Api) -> httpx.AsyncClient:
    """The owner, with a reason to read."""
    client = await api.client()
    answer = await client.post("/api/v1/audit/access-session", json=REASON)
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/api/v1", "Max-Age=3600"))
    client.headers["cookie"] = cookie.split(";")[0]
    return client


async def entries(client: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    answer = await client.get("/api/v1/audit/logs", params=wanted)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["logs"]
    return found


def test_the_catalogue_has_what_clients_know() -> None:
    counts = [sum(kind.category is category for kind in CATALOGUE.values()) for category in list(Category)[:7]]
    assert counts == [13, 28, 6, 2, 19, 3, 3]


def test_every_recorded_action_is_in_the_catalogue() -> None:
    found: set[str] = set()
    for path in Path("domain").rglob("*.py"):
        found |= set(re.findall(r'Change\(\s*"([a-z_]+)"', path.read_text(encoding="utf-8")))
    assert len(found) > 30
    assert found - set(CATALOGUE) == set()


async def test_actions_carry_who_where_and_what_changed(api: Api) -> None:
    client = await reader(api)
    client.headers["user-agent"] = "prov/1"
    space = await make_space(client, "Bygg")
    answer = await client.patch(f"/api/v1/spaces/{space}/", json={"name": "Bygglov"})
    [entry] = await entries(client, action="space_updated")
    assert entry["actor_id"] == str(api.owner.user_id)
    assert (entry["entity_type"], entry["entity_id"], entry["outcome"]) == ("space", space, "success")
    assert entry["metadata"]["actor"]["email"] == "owner@example.se"
    assert entry["metadata"]["changes"] == {"name": {"old": "Bygg", "new": "Bygglov"}}
    assert (entry["user_agent"], entry["request_id"]) == ("prov/1", answer.headers["x-correlation-id"])
    assert entry["ip_address"]


async def test_good_and_bad_sign_ins_and_refusals_are_recorded(api: Api) -> None:
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    wrong = {"username": "anna@example.se", "password": "fel lösenord här"}
    assert (await api.browser().post("/api/v1/users/login/token/", data=wrong)).status_code == 401
    assert (await anna.get("/api/v1/audit/config")).status_code == 403
    user = (await anna.get("/api/v1/users/me/")).json()["id"]
    await api.runtime.services.users.deactivate(api.owner, UUID(user))
    right = {"username": "anna@example.se", "password": PASSWORD}
    assert (await api.browser().post("/api/v1/users/login/token/", data=right)).status_code == 403
    client = await reader(api)
    signed = [e for e in await entries(client, action="sign_in") if e["entity_id"] == user]
    assert [e["outcome"] for e in signed] == ["failure", "failure", "success"]
    assert "deactivated" in signed[0]["error_message"]
    assert "wrong" in signed[1]["error_message"]
    [denied] = await entries(client, action="access_denied")
    assert denied["actor_id"] == user
    assert denied["description"] == "GET /api/v1/audit/config"
    assert "permission" in denied["error_message"]


async def test_questions_and_calls_of_models_are_recorded_without_their_text(api: Api) -> None:
    client = await reader(api)
    assistant = await make_assistant(client, await make_space(client))
    answer = await client.post(
        "/api/v1/conversations/", json={"assistant_id": assistant, "question": "Hemlig fråga 4711?"}
    )
    assert answer.status_code == 200, answer.text
    found = await entries(client, actions="question_asked,model_called")
    assert {e["action"] for e in found} == {"question_asked", "model_called"}
    assert "4711" not in json.dumps(found)


async def test_reading_needs_a_reason_and_is_recorded_with_it(api: Api) -> None:
    client = await api.client()
    refused = await client.get("/api/v1/audit/logs")
    assert (refused.status_code, refused.headers["x-error-code"]) == (401, "AUDIT_SESSION_REQUIRED")
    for path in ("/logs/export", f"/logs/user/{api.owner.user_id}"):
        assert (await client.get(f"/api/v1/audit{path}")).status_code == 401
    for body in ({"category": "", "description": "x" * 20}, {"category": "Tillsyn", "description": "kort"}):
        assert (await client.post("/api/v1/audit/access-session", json=body)).status_code == 422
    client = await reader(api)
    await entries(client, search="bygg")
    [viewed] = await entries(client, action="audit_log_viewed")
    assert viewed["metadata"]["changes"]["justification"]["new"] == REASON["description"]
    assert viewed["metadata"]["changes"]["filters"]["new"] == {"search": "bygg"}
    [opened] = await entries(client, action="audit_session_created")
    assert client.headers["cookie"].split("=")[1] not in json.dumps(opened)


async def test_a_reason_ends_and_is_given_a_few_times_an_hour_only(api: Api) -> None:
    client = await reader(api)
    async with api.runtime.services.audit._uow.begin(api.owner.tenant_id) as tx:
        access = await tx.audit.access(api.owner.user_id, token_hash=None, sign_in_id=(await _session(api, client)))
        assert access is not None
        access.expires_at = now() - timedelta(seconds=1)
    ended = await client.get("/api/v1/audit/logs")
    assert (ended.status_code, ended.headers["x-error-code"]) == (401, "AUDIT_SESSION_EXPIRED")
    for _ in range(ACCESSES_PER_HOUR - 1):
        assert (await client.post("/api/v1/audit/access-session", json=REASON)).status_code == 200
    refused = await client.post("/api/v1/audit/access-session", json=REASON)
    assert refused.status_code == 429
    assert refused.headers["retry-after"]


async def _session(api: Api, client: httpx.AsyncClient) -> Any:
    sessions = await api.runtime.services.identity.sessions(api.owner)
    return max(sessions, key=lambda s: s.created_at).id


async def test_another_organisation_cannot_use_the_reason(api: Api, other: Actor) -> None:
    client = await reader(api)
    stranger = await api.client(other.email)
    stranger.headers["cookie"] = client.headers["cookie"]
    assert (await stranger.get("/api/v1/audit/logs")).status_code == 401
    await stranger.post("/api/v1/audit/access-session", json=REASON)
    job = (await client.post("/api/v1/audit/logs/export/async", json={"format": "csv"})).json()["job_id"]
    assert (await stranger.get(f"/api/v1/audit/logs/export/{job}/status")).status_code == 404


async def test_filters_pages_and_wildcards(api: Api) -> None:
    client = await reader(api)
    for number in range(5):
        await make_space(client, f"Rum 10{number}%")
    everything = (await client.get("/api/v1/audit/logs", params={"action": "space_created", "page_size": 2})).json()
    assert (everything["total_count"], everything["total_pages"], len(everything["logs"])) == (5, 3, 2)
    second = await entries(client, action="space_created", page_size=2, page=2)
    further = await entries(client, action="space_created", page_size=2, cursor=everything["next_cursor"])
    assert [e["id"] for e in second] == [e["id"] for e in further]
    assert await entries(client, action="space_created", page=9) == []
    assert len(await entries(client, search="103%")) == 1
    assert await entries(client, search="1_3%") == []
    for wrong in ({"search": "ab"}, {"action": "no_such_action"}, {"page": 0}, {"page_size": 1001}):
        assert (await client.get("/api/v1/audit/logs", params=wrong)).status_code == 422
    start = everything["logs"][1]["timestamp"]
    assert len(await entries(client, action="space_created", from_date=start)) == 2
    about = (await client.get(f"/api/v1/audit/logs/user/{api.owner.user_id}", params={"page_size": 1})).json()
    assert about["total_count"] > 5


async def test_exports_are_safe_and_say_what_they_leave_out(api: Api) -> None:
    client = await reader(api)
    await make_space(client, "=HYPERLINK(1)")
    answer = await client.get("/api/v1/audit/logs/export", params={"action": "space_created"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert (answer.headers["x-total-records"], answer.headers["x-records-truncated"]) == ("1", "false")
    [head, row] = list(csv.reader(io.StringIO(answer.text)))
    assert head[:4] == ["Timestamp", "Actor ID", "Actor Type", "Action"]
    assert row[head.index("Description")] == "'=HYPERLINK(1)"
    assert "\r\n" in answer.text
    two = {"format": "jsonl", "max_records": 2}
    lines = (await client.get("/api/v1/audit/logs/export", params=two)).text.splitlines()
    assert [set(json.loads(line)) >= {"action", "hash", "sequence"} for line in lines] == [True, True]
    none = {"format": "json", "to_date": "2001-01-01T00:00:00Z"}
    assert (await client.get("/api/v1/audit/logs/export", params=none)).json() == []
    assert len((await client.get("/api/v1/audit/logs/export", params={"format": "json"})).json()) > 2
    assert (await client.get("/api/v1/audit/logs/export", params={"max_records": 100_001})).status_code == 413
    assert len(await entries(client, action="audit_log_exported")) >= 4


async def test_an_export_by_a_job(api: Api) -> None:
    client = await reader(api)
    await make_space(client)
    start = "/api/v1/audit/logs/export/async"
    assert (await client.post(start, json={"format": "xml"})).status_code == 422
    job = (await client.post(start, json={"format": "jsonl"})).json()
    assert job["status"] == "pending"
    place = f"/api/v1/audit/logs/export/{job['job_id']}"
    assert (await client.get(f"{place}/download")).status_code == 400
    cancelled = (await client.post(start, json={"format": "csv"})).json()["job_id"]
    assert (await client.post(start, json={"format": "csv"})).status_code == 429
    stopped = await client.post(f"/api/v1/audit/logs/export/{cancelled}/cancel")
    assert stopped.json()["status"] == "cancelled"
    assert (await client.post(f"/api/v1/audit/logs/export/{cancelled}/cancel")).status_code == 400
    await api.work()
    status = (await client.get(f"{place}/status")).json()
    assert (status["status"], status["progress"]) == ("completed", 100)
    assert status["processed_records"] == status["total_records"] > 2
    got = await client.get(status["download_url"])
    assert len(got.content) == status["file_size_bytes"]
    assert all(json.loads(line)["tenant_id"] == str(api.owner.tenant_id) for line in got.text.splitlines())


async def test_switches_hold_for_all_but_the_core(api: Api) -> None:
    client = await reader(api)
    for name in ("access_denied", "audit_log_viewed", "permission_changed", "sign_in"):
        refused = await client.patch(
            "/api/v1/audit/config/actions", json={"updates": [{"action": name, "enabled": False}]}
        )
        assert refused.status_code == 400, name
    off = {"updates": [{"category": "user_actions", "enabled": False}, {"category": "access_events", "enabled": False}]}
    shown = (await client.patch("/api/v1/audit/config", json=off)).json()["categories"]
    assert {c["category"]: c["enabled"] for c in shown}["user_actions"] is False
    on = {"updates": [{"action": "collection_deleted", "enabled": True}]}
    assert (await client.patch("/api/v1/audit/config/actions", json=on)).status_code == 200
    space = await make_space(client)
    collection = await make_collection(client, space)
    assert (await client.delete(f"/api/v1/groups/{collection}/")).status_code < 300
    assert await entries(client, action="collection_created") == []
    assert len(await entries(client, action="collection_deleted")) == 1
    assert len(await entries(client, action="space_created")) == 1, "a core action of the category"
    switched = await client.patch("/api/v1/settings/audit-logging", json={"enabled": False})
    assert switched.json()["audit_logging_enabled"] is False
    await upload(client, await make_collection(client, space, "Två"), "a.txt", b"text")
    assert await entries(client, action="document_uploaded") == []
    changed = await entries(client, action="audit_settings_updated")
    assert changed[0]["metadata"]["changes"] == {"enabled": {"old": True, "new": False}}
    assert (
        await client.patch("/api/v1/audit/config", json={"updates": [{"category": "x", "enabled": True}]})
    ).status_code == 422


async def test_the_chain_is_whole_until_somebody_touches_it(
    api: Api, place: Place, request: pytest.FixtureRequest
) -> None:
    client = await reader(api)
    for number in range(4):
        await make_space(client, f"Rum {number} å")
    audit, tenant = api.runtime.services.audit, api.owner.tenant_id
    found = await audit.verify(tenant)
    assert (found.faults, found.checked > 6) == ([], True)
    assert (await client.post("/api/v1/audit/verify")).json()["intact"] is True
    await _as_owner(place, request, "update audit_entries set description = 'Rum 1 a' where description = 'Rum 1 å'")
    [fault] = (await audit.verify(tenant)).faults
    assert "was altered" in fault.text()
    assert "space_created" in fault.text()
    await _as_owner(place, request, "update audit_entries set description = 'Rum 1 å' where description = 'Rum 1 a'")
    assert (await audit.verify(tenant)).faults == []
    await _as_owner(place, request, "delete from audit_entries where sequence = 5")
    assert [f.text() for f in (await audit.verify(tenant)).faults] == ["Entries 5 to 5 are missing."]
    answer = (await client.post("/api/v1/audit/verify", headers={"accept-language": "en"})).json()
    assert answer["intact"] is False


async def test_the_end_cannot_be_cut_off_or_written_anew(
    api: Api, place: Place, request: pytest.FixtureRequest
) -> None:
    client = await reader(api)
    await make_space(client)
    audit, tenant = api.runtime.services.audit, api.owner.tenant_id
    last = (await audit.verify(tenant)).checked
    await _as_owner(place, request, f"delete from audit_entries where sequence = {last}")
    assert [f.text() for f in (await audit.verify(tenant)).faults] == [f"Entries {last} to {last} are missing."]
    digest = f"(select hash from audit_entries where sequence = {last - 1})"
    await _as_owner(place, request, f"update audit_trails set sequence = {last - 1}, hash = {digest}")
    [fault] = (await audit.verify(tenant)).faults
    assert "signature" in fault.text()


async def _as_owner(place: Place, request: pytest.FixtureRequest, statement: str) -> None:
    """What somebody does who has the whole database in hand, triggers taken away."""
    if place.url is None:
        engine = sqlite.make_engine(f"sqlite+aiosqlite:///{place.data / 'samrad.db'}", write=True, pool_size=1)
        async with engine.connect() as connection:
            triggers = (
                await connection.exec_driver_sql(
                    "select name from sqlite_master where type = 'trigger' and tbl_name like 'audit_%'"
                )
            ).all()
            for (name,) in triggers:
                await connection.exec_driver_sql(f"drop trigger {name}")
            await connection.exec_driver_sql(statement)
            await connection.commit()
        await engine.dispose()
        return
    server = request.getfixturevalue("postgres")
    name = place.url.rsplit("/", 1)[1]
    await server.execute("set session_replication_role = replica; " + statement, name)


async def test_the_program_cannot_change_or_delete_entries(api: Api) -> None:
    client = await reader(api)
    await make_space(client)
    for statement in (
        "update audit_entries set description = 'x'",
        "delete from audit_entries",
        "delete from audit_entries where sequence = 1",
    ):
        async with api.runtime.database.session(api.owner.tenant_id) as session:
            connection = await session.connection()
            with pytest.raises(DBAPIError, match="append-only"):
                await connection.execute(text(statement))
    assert (await api.runtime.services.audit.verify(api.owner.tenant_id)).faults == []


async def test_retention_leaves_a_checkpoint_from_which_the_chain_goes_on(api: Api) -> None:
    client = await reader(api)
    assert (await client.put("/api/v1/audit/retention-policy", json={"retention_days": 0})).status_code == 422
    assert (await client.get("/api/v1/audit/retention-policy")).json()["retention_days"] == 365
    await client.put("/api/v1/audit/retention-policy", json={"retention_days": 30})
    for number in range(3):
        await make_space(client, f"Rum {number}")
    audit, tenant = api.runtime.services.audit, api.owner.tenant_id
    before = (await audit.verify(tenant)).checked
    assert await audit.retain(tenant) == 0
    assert await audit.retain(tenant, moment=now() + timedelta(days=31)) == before
    found = await audit.verify(tenant)
    assert (found.faults, found.checked) == ([], 1)
    policy = (await client.get("/api/v1/audit/retention-policy")).json()
    assert policy["purge_count"] == before
    client = await reader(api)
    [applied] = await entries(client, action="retention_policy_applied")
    assert applied["metadata"]["changes"]["removed"]["new"] == before
    assert applied["actor_type"] == "system"


async def test_a_forged_checkpoint_does_not_hide_a_removal(api: Api) -> None:
    client = await reader(api)
    await make_space(client)
    async with api.runtime.services.audit._uow.begin(api.owner.tenant_id) as tx:
        [third] = await tx.audit.in_order(2, 1)
        await tx.add(
            AuditCheckpoint(tenant_id=third.tenant_id, sequence=3, hash=third.hash or "", removed=3, signature="0" * 64)
        )
        await tx.audit.remove_up_to(3, now())
    faults = (await api.runtime.services.audit.verify(api.owner.tenant_id)).faults
    assert [f.text() for f in faults] == ["The entries up to 3 were removed without a signed checkpoint."]


async def test_entries_written_at_once_make_one_chain(api: Api) -> None:
    client = await reader(api)
    await asyncio.gather(*(make_space(client, f"Rum {number}") for number in range(12)))
    assert (await api.runtime.services.audit.verify(api.owner.tenant_id)).faults == []


async def test_an_assistant_and_a_space_can_be_rebuilt_from_their_events(api: Api) -> None:
    client = await reader(api)
    space = await make_space(client)
    await client.patch(f"/api/v1/spaces/{space}/", json={"description": "Om bygglov", "data_retention_days": 30})
    assistant = await make_assistant(client, space, await make_collection(client, space))
    change = {
        "description": "Svarar",
        "completion_model_kwargs": {"temperature": 1.0, "top_p": 0.25},
        "name": "Nytt namn",
    }
    assert (await client.post(f"/api/v1/assistants/{assistant}/", json=change)).status_code == 200
    await client.post(f"/api/v1/assistants/{assistant}/publish/", params={"published": True})
    async with api.runtime.services.audit._uow.read(api.owner.tenant_id) as tx:
        for kind, name, fields, key in (
            (Assistant, "assistant", ASSISTANT_FIELDS, assistant), (Space, "space", SPACE_FIELDS, space),
        ):  # fmt: skip
            wanted = AuditFilter(entity_type=name, entity_id=UUID(key))
            events = list(reversed((await tx.audit.page(wanted, limit=100)).items))
            row: Any = await tx.get(kind, UUID(key))  # type: ignore[type-var]
            told = replayed(events)
            assert len(events) > 1
            assert {field: told[field] for field in fields} == snapshot(row, fields)


async def test_history_shows_and_restores(api: Api) -> None:
    client = await api.client()
    space = await make_space(client)
    collection = await make_collection(client, space)
    assistant = await make_assistant(client, space, collection)
    place = f"/api/v1/assistants/{assistant}"
    good = (await client.get(f"{place}/history/")).json()["items"][0]
    assert {"collection_ids", "prompt_id"} <= set(good["changes"])
    await client.post(f"{place}/", json={"prompt": {"text": "Svara långt."}, "groups": [], "name": "Annat"})
    restored = (await client.post(f"{place}/history/{good['id']}/restore/")).json()
    assert restored["prompt"]["text"] == "Svara kort."
    assert restored["name"] == "Hjälpen"
    assert [g["id"] for g in restored["groups"]] == [collection]
    assert (await client.get(f"{place}/history/")).json()["items"][0]["actor"] == "owner@example.se"
    assert (await client.get(f"/api/v1/spaces/{space}/history/")).json()["items"][0]["action"] == "space_created"
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await anna.get(f"{place}/history/")).status_code == 404
    assert (await anna.post(f"{place}/history/{good['id']}/restore/")).status_code == 404


async def test_the_stream_has_each_entry_as_a_line(
    place: Place, shared_valkey: Any, owner: Actor, tmp_path: Path
) -> None:
    target = tmp_path / "siem" / "audit.jsonl"
    runtime = await build(place.settings(redis_url=shared_valkey.url, audit_stream_file=str(target)))
    api = Api(runtime, create_api(runtime), owner)
    client = await api.client()
    await make_space(client, "Bygg")
    await runtime.close()
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [line["action"] for line in lines] == ["sign_in", "space_created", "assistant_created"]
    assert lines[1]["previous"] == lines[0]["hash"]
    assert lines[1]["tenant_id"] == str(owner.tenant_id)
