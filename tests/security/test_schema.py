"""Whatever a client sends, the answer is never a failure of the server: schemathesis over the whole OpenAPI document."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.conftest import BOTH, UNLIMITED, Counted
from tests.support.postgres import TEMPLATE, Postgres
from tests.support.server import EMAIL, PASSWORD, ROOT, Installation, installed

OPERATOR_KEY = "operator-key-of-the-tests"
EXAMPLES = "5"
PHASES = {"postgres": "examples,coverage,fuzzing", "sqlite": "examples,fuzzing"}
"""Once is enough for the many values at the edges of what the document allows: most are judged before a database is asked,
and Postgres is the stricter one about the others."""
SETTINGS = {
    "WORKERS": "0", "ENEO_SUPER_API_KEY": OPERATOR_KEY, "FEDERATION_PER_TENANT_ENABLED": "true",
    **{name.upper(): "0" for name in UNLIMITED},
}  # fmt: skip


@pytest.fixture(params=BOTH)
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """The program in a process of its own, on each database."""
    settings = dict(SETTINGS)
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        name = request.getfixturevalue("empty_postgres")
        settings |= {
            "DATABASE_URL": server.url(name), "DATABASE_APP_URL": server.url(name, user="samrad_app"),
            "ENCRYPTION_KEY": bytes(range(32)).hex(),
        }  # fmt: skip
    with installed(tmp_path / "data", **settings) as made:
        yield made


@pytest.fixture
def empty_postgres(postgres: Postgres) -> Iterator[str]:
    """A database at the present schema."""
    import asyncio

    name = asyncio.run(postgres.create(template=TEMPLATE))
    yield name
    asyncio.run(postgres.drop(name))


def known_ids(client: httpx.Client) -> dict[str, str]:
    """Things that are there, by kind."""
    space = client.post("/api/v1/spaces/", json={"name": "Bygg"}).json()["id"]
    collection = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Böcker"}).json()["id"]
    made = client.post(f"/api/v1/groups/{collection}/info-blobs/", json={"info_blobs": [{"text": "Hemligt"}]}).json()
    assistant = client.post(f"/api/v1/spaces/{space}/applications/assistants/", json={"name": "Hjälpen"}).json()["id"]
    client.post(f"/api/v1/assistants/{assistant}/", json={"prompt": {"text": "Svara kort."}}).raise_for_status()
    answer = client.post("/api/v1/conversations/", json={"assistant_id": assistant, "question": "Vad?"}).json()
    user = client.post("/api/v1/admin/users/", json={"email": "kollega@example.se"}).json()
    provider = {"name": "Server", "provider_type": "openai_compatible", "config": {"endpoint": "http://127.0.0.1:9/v1"}}
    added = {"url": "http://127.0.0.1:9/"}
    website = client.post(f"/api/v1/spaces/{space}/knowledge/websites/", json=added).raise_for_status().json()
    model = client.get("/api/v1/completion-models/").json()["items"][0]["id"]
    price = client.post(f"/api/v1/admin/models/{model}/prices/", json={"valid_from": "2020-01-01"}).json()
    added = client.post("/api/v1/admin/model-providers/", json={**provider, "name": "Annan"}).json()["id"]
    other = {"provider_id": added, "name": "other", "display_name": "Other"}
    other_id = client.post("/api/v1/admin/tenant-models/completion/", json=other).raise_for_status().json()["id"]
    move = {"to_model_id": model, "confirm_migration": True}
    moved = client.post(f"/api/v1/completion-models/{other_id}/migrate", json=move).raise_for_status().json()
    budget = client.post("/api/v1/admin/budgets/", json={"scope": "tenant", "tokens": 10**9}).json()
    made_class = client.post("/api/v1/security-classifications/", json={"name": "Öppen"}).raise_for_status().json()
    return {
        "classification": made_class["id"],
        "budget": budget["id"], "migration": moved["migration_id"],
        "price": price["id"], "completion_model": model,
        "website": website["id"], "crawl_run": website["latest_crawl"]["id"],
        "space": space, "collection": collection, "document": made["items"][0]["id"], "assistant": assistant,
        "conversation": answer["session_id"], "message": answer["id"], "number": "1", "user": user["id"],
        "username": "kollega@example.se",
        "file": client.post("/api/v1/files/", files={"upload_file": ("a.txt", b"Hemligt")}).json()["id"],
        "role": client.post("/api/v1/roles/", json={"name": "Roll", "permissions": []}).json()["id"],
        "user_group": client.post("/api/v1/user-groups/", json={"name": "Grupp"}).json()["id"],
        "provider": client.post("/api/v1/admin/model-providers/", json=provider).json()["id"],
        "prompt": client.get(f"/api/v1/assistants/{assistant}/").json()["prompt"]["id"],
        "history": client.get(f"/api/v1/assistants/{assistant}/history/").json()["items"][0]["id"],
        "api_key": client.post("/api/v1/api-keys/", json={"name": "Nyckel"}).json()["id"],
        "service_account": client.post("/api/v1/admin/service-accounts/", json={"name": "Robot"}).json()["id"],
        "origin": client.post("/api/v1/allowed-origins/", json={"url": "https://a.example.se"}).json()["id"],
        "job": client.get("/api/v1/jobs/").json()["items"][0]["id"],
        "embedding_model": client.get("/api/v1/embedding-models/").json()["items"][0]["id"],
    }  # fmt: skip


@pytest.mark.timeout(900)
def test_no_request_makes_the_server_fail(
    installation: Installation, request: pytest.FixtureRequest, tmp_path: Path, counted: Counted
) -> None:
    form = {"username": EMAIL, "password": PASSWORD}
    token = httpx.post(f"{installation.url}/api/v1/users/login/token/", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=installation.url, headers=headers) as client:
        ids = known_ids(client)
        operator = {"X-API-Key": OPERATOR_KEY}
        founded = client.post("/api/v1/sysadmin/tenants/", json={"name": "Grannkommunen"}, headers=operator)
        ids["tenant"] = founded.json()["id"]
        me = client.get("/api/v1/users/me/").json()
        tenants = client.get("/api/v1/sysadmin/tenants/", headers=operator).json()["items"]
        [mine] = {each["id"] for each in tenants} - {ids["tenant"]}
        own = {me["id"]: str(uuid4()), EMAIL: "nobody@example.se", mine: str(uuid4())}
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")), "run", f"{installation.url}/openapi.json",
                "-H", f"Authorization: Bearer {token}", "-H", f"X-API-Key: {OPERATOR_KEY}",
                "--checks", "not_a_server_error", "--phases", PHASES[request.node.callspec.params["installation"]],
                "--mode", "all", "--max-examples", EXAMPLES, "--seed", "1", "--continue-on-failure", "--no-color",
                "--generation-database", "none", "--request-timeout", "60",
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env={
                **os.environ, "WALK_IDS": json.dumps(ids), "WALK_OWN": json.dumps(own), "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "tests.support.schema_hooks",
            },
        )  # fmt: skip
        failures = done.stdout.find(" FAILURES ")
        assert done.returncode == 0, done.stdout[failures : failures + 6000] + done.stderr[-2000:]
        served = len([m for item in client.get("/openapi.json").json()["paths"].values() for m in item])
        assert client.get("/api/v1/users/me/").status_code == 200, "the caller was shut out on the way"
    tested = re.search(r"Tested: (\d+)", done.stdout)
    cases = re.search(r"(\d+) generated", done.stdout)
    assert tested is not None
    assert cases is not None
    counted(operations=int(tested[1]), cases=int(cases[1]))
    assert int(tested[1]) == served
    log = (installation.data / "serve.log").read_text()
    assert "Traceback" not in log, log[-4000:]
