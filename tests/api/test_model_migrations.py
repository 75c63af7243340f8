"""Everything that uses a model gets another one: looked at first, told of afterwards, and nothing else changes."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain.kernel.clock import now
from tests.api.test_conversations import ask
from tests.api.test_model_catalogue import add_model
from tests.api.test_usage import answers
from tests.support.api import Api, make_assistant, make_space
from tests.support.provider import Provider


async def users_of(client: httpx.AsyncClient, provider: Provider, count: int = 3) -> tuple[str, list[str]]:
    """A model, and assistants that use it."""
    model = await add_model(client, provider, "ok:3", vision=True, token_limit=64_000)
    space = await make_space(client)
    found = []
    for _ in range(count):
        assistant = await make_assistant(client, space)
        body = {"completion_model": {"id": model}, "completion_model_kwargs": {"temperature": 0.3}}
        assert (await client.post(f"/api/v1/assistants/{assistant}/", json=body)).status_code == 200
        found.append(assistant)
    return model, found


async def move(client: httpx.AsyncClient, model: str, target: str, **more: Any) -> httpx.Response:
    return await client.post(f"/api/v1/completion-models/{model}/migrate", json={"to_model_id": target, **more})


async def test_all_assistants_move_and_answers_stay(api: Api, provider: Provider) -> None:
    client = await api.client()
    model, assistants = await users_of(client, provider)
    await ask(client, assistants[0], stream=False)
    target = await add_model(client, provider, "ok:4", vision=True, token_limit=64_000)
    used = (await client.get(f"/api/v1/completion-models/{model}/usage")).json()
    assert (used["assistants_count"], used["spaces_count"], used["questions_count"]) == (3, 1, 1)
    moved = (await move(client, model, target)).json()
    assert (moved["success"], moved["migrated_count"], moved["warnings"]) == (True, 3, [])
    for assistant in assistants:
        shown = (await client.get(f"/api/v1/assistants/{assistant}/")).json()
        assert (shown["completion_model"]["id"], shown["completion_model_kwargs"]["temperature"]) == (target, 0.3)
    # The ledger tells of what was, not of what is.
    assert [str(call.model_id) for call in await answers(api)] == [model]
    assert (await client.get(f"/api/v1/completion-models/{model}/usage")).json()["total_usage"] == 0
    [told] = (await client.get(f"/api/v1/completion-models/{model}/migration-history")).json()
    assert (told["to_model_id"], told["migrated_count"], told["initiated_by_name"]) == (target, 3, "owner@example.se")
    assert (await client.get(f"/api/v1/completion-models/migration-history/{told['id']}")).json() == told
    assert (await client.get("/api/v1/completion-models/migration-history")).json() == [told]
    # Each assistant's own history knows, and can take it back.
    history = (await client.get(f"/api/v1/assistants/{assistants[0]}/history/")).json()["items"]
    assert history[0]["action"] == "assistant_updated"


async def test_what_becomes_different_must_be_wanted(api: Api, provider: Provider) -> None:
    client = await api.client()
    model, assistants = await users_of(client, provider)
    target = await add_model(client, provider, "ok:4", token_limit=8_000, hosting="usa")
    tried = (await move(client, model, target, dry_run=True)).json()
    assert (tried["migrated_count"], tried["migration_id"], len(tried["warnings"])) == (3, None, 3)
    refused = await move(client, model, target)
    assert (refused.status_code, refused.json()["field"]) == (422, "confirm_migration")
    unchanged = (await client.get(f"/api/v1/assistants/{assistants[0]}/")).json()
    assert unchanged["completion_model"]["id"] == model
    assert (await move(client, model, target, confirm_migration=True)).json()["migrated_count"] == 3


async def test_the_default_moves_along(api: Api, provider: Provider) -> None:
    client = await api.client()
    first = next(m for m in (await client.get("/api/v1/completion-models/")).json()["items"] if m["is_org_default"])
    target = await add_model(client, provider, "ok:4", token_limit=64_000)
    assert (await move(client, first["id"], target, confirm_migration=True)).status_code == 200
    found = {m["id"]: m["is_org_default"] for m in (await client.get("/api/v1/completion-models/")).json()["items"]}
    assert (found[first["id"]], found[target]) == (False, True)


async def test_only_what_makes_sense(api: Api, provider: Provider) -> None:
    client = await api.client()
    model, _ = await users_of(client, provider, 1)
    target = await add_model(client, provider, "ok:4", vision=True, token_limit=64_000)
    assert (await move(client, model, model)).status_code == 422
    assert (await move(client, model, "00000000-0000-0000-0000-000000000001")).status_code == 404
    assert (await move(client, model, target, entity_types=["chairs"])).json()["field"] == "entity_types"
    retired = {"retires_on": str(now().date() - timedelta(days=1))}
    await client.put(f"/api/v1/admin/tenant-models/completion/{target}/", json=retired)
    assert (await move(client, model, target, confirm_migration=True)).json()["field"] == "to_model_id"
    await api.user("anna@example.se")
    anna = await api.client("anna@example.se")
    assert (await move(anna, model, target)).status_code == 403
    assert (await anna.get(f"/api/v1/completion-models/{model}/usage")).status_code == 403


@pytest.mark.parametrize("limit", [1, 2])
async def test_what_uses_a_model_is_paged(api: Api, provider: Provider, limit: int) -> None:
    client = await api.client()
    model, assistants = await users_of(client, provider)
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(f"/api/v1/completion-models/{model}/usage/details", params=params)).json()
        seen += [item["entity_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert (seen, page["total"]) == (assistants, 3)
