"""Postgres dies and comes back: everybody is told so in a sentence, and nothing that was promised is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest

from domain.conversations import records
from domain.conversations.entities import AnswerState
from domain.conversations.views import Question
from domain.kernel.errors import StorageTrouble
from domain.models.service import ProviderDraft
from tests.api.test_conversations import QUESTION, with_documents
from tests.conftest import _template
from tests.support.api import Api
from tests.support.postgres import Postgres
from tests.support.provider import Provider
from tests.support.worker import until

pytestmark = pytest.mark.parametrize("place", ["postgres"], indirect=True)
WORDS = 40


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server of our own, that can be killed."""
    server = Postgres(durable=True)
    asyncio.run(_template(server))
    yield server
    server.stop()


@pytest.fixture
async def killed(postgres: Postgres) -> AsyncIterator[Postgres]:
    """The server, which runs again after the test."""
    yield postgres
    if not postgres.running:
        postgres.start()


async def test_everybody_is_told_and_it_goes_on_by_itself(api: Api, killed: Postgres) -> None:
    client, watcher = await api.client(), api.browser()
    made = (await client.post("/api/v1/spaces/", json={"name": "Bygg"})).json()
    killed.kill()
    # First over a connection that breaks, then where none can be made.
    for _ in range(2):
        answer = await client.get(f"/api/v1/spaces/{made['id']}/", headers={"accept-language": "en"})
        assert (answer.status_code, answer.json()["code"]) == (503, 9033), answer.text
        assert "does not answer" in answer.json()["message"]
        assert answer.headers["retry-after"] == "5"
    assert (await watcher.get("/readyz")).json() == {"database": False, "redis": True}
    assert (await watcher.get("/readyz")).status_code == (await watcher.get("/api/healthz")).status_code == 503
    assert (await watcher.get("/livez")).status_code == 200
    killed.start()
    assert (await watcher.get("/readyz")).status_code == 200
    assert (await client.get(f"/api/v1/spaces/{made['id']}/")).json()["name"] == "Bygg"


async def test_an_answer_that_ends_meanwhile_is_kept_whole(
    api: Api, provider: Provider, killed: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an answer rests on is written when the database is gone already.
    monkeypatch.setattr(records, "EXPLAINED_SECONDS", 0.5)
    services, owner, client = api.runtime.services, api.owner, await api.client()
    added = await services.models.add_provider(owner, ProviderDraft("Test", "openai_compatible", provider.url))
    await services.models.add_completion_model(owner, added.id, f"rate:40:{WORDS}", make_default=True)
    assistant = await with_documents(api, client)
    asked = await services.conversations.ask(owner, Question(QUESTION, None, UUID(assistant)))
    follower = services.conversations.follow(owner, asked.message.id)
    assert (await anext(follower)).text
    killed.kill()

    async def written() -> bool:
        return provider.seen.finished == 1

    await until(written)
    with pytest.raises(StorageTrouble):
        await services.conversations.message(owner, asked.message.id)
    killed.start()
    async for news in follower:
        last = news
    assert last.state == AnswerState.DONE
    view = await services.conversations.message(owner, asked.message.id)
    assert view.message.state == AnswerState.DONE
    assert len(view.message.answer.split()) == WORDS
    assert {source.title for source in view.sources} == {"Handbok.pdf"}
    path = f"/api/v1/conversations/{asked.conversation.id}/messages/{asked.message.id}/context/"
    assert (await client.get(path)).json() == provider.seen.requests[-1]["messages"]
