"""A hundred files that mean harm: each ends ready, or failed with a sentence, and the worker goes on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from app.bootstrap import Runtime
from app.jobs.lanes import Dispatcher
from domain.jobs.service import UNEXPECTED
from domain.kernel.actor import Actor
from domain.kernel.errors import Failure
from domain.knowledge.entities import DocumentState
from domain.knowledge.service import DocumentView
from domain.models.service import ProviderDraft
from pages.i18n import translate
from tests.conftest import Counted
from tests.support import hostile
from tests.support.provider import DIMS, Provider
from tests.support.valkey import Valkey
from tests.support.worker import WorkerProcess, until

SECONDS = 480


async def parts(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.mark.timeout(600)
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_hundred_hostile_files(
    runtime: Runtime, owner: Actor, provider: Provider, valkey: Valkey, counted: Counted
) -> None:
    services = runtime.services
    models = await services.models.add_provider(owner, ProviderDraft("Test", "openai_compatible", provider.url))
    model = await services.models.add_embedding_model(owner, models.id, "ok", dimensions=DIMS)
    space = await services.spaces.create(owner, "Bygg")
    collection = (await services.knowledge.create_collection(owner, space.space.id, "Allt", model.id)).collection.id
    files = hostile.files()
    assert len(files) >= 100
    refused: list[Failure] = []
    for name, content in files.items():
        try:
            await services.knowledge.upload(owner, collection, name, parts(content))
        except Failure as failure:
            refused.append(failure)
    assert all(is_sentence(failure.message, failure.params) for failure in refused)
    dispatching = asyncio.create_task(Dispatcher(valkey.url, runtime.directory, services.jobs, runtime.bus).run())
    worker = WorkerProcess(runtime.settings)
    try:
        await until(lambda: ended(runtime, owner, collection), SECONDS)
        views = await everything(runtime, owner, collection)
        # Members of archives are documents too.
        assert len(views) + len(refused) >= len(files)
        for view in views:
            version = view.version
            if version.state == DocumentState.FAILED:
                assert is_sentence(version.error or "", version.error_params), view.document.title
                assert version.error != UNEXPECTED, (view.document.title, worker.log[-3_000:])
            else:
                assert (version.state, version.chunk_count > 0) == (DocumentState.READY, True), view.document.title
        secret = [v for v in views if v.version.state == DocumentState.READY and "utifrån" in v.document.title]
        for view in secret:
            assert "root:" not in await services.knowledge.text(owner, view.document.id)
        # The worker is the same one, and takes the next file in.
        good = await services.knowledge.upload(owner, collection, "bra.txt", parts(b"En bra text om bygglov."))

        async def ready() -> bool:
            return (await services.knowledge.document(owner, good.document.id)).version.state == DocumentState.READY

        await until(ready)
        assert worker.alive
    finally:
        worker.kill()
        dispatching.cancel()
        await asyncio.gather(dispatching, return_exceptions=True)
    states = Counter(view.version.state for view in views)
    counted(files=len(files), ready=states["ready"], failed=states["failed"], refused_at_once=len(refused))


async def everything(runtime: Runtime, owner: Actor, collection: object) -> list[DocumentView]:
    """All documents of a collection."""
    found: list[DocumentView] = []
    cursor = None
    while True:
        page = await runtime.services.knowledge.documents(owner, collection, limit=100, cursor=cursor)  # type: ignore[arg-type]
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


async def ended(runtime: Runtime, owner: Actor, collection: object) -> bool:
    """Whether nothing is being read any more."""
    await asyncio.sleep(1)
    return not any(DocumentState(v.version.state).busy for v in await everything(runtime, owner, collection))


def is_sentence(message: str, params: dict[str, object]) -> bool:
    """Whether a reason is something to read, in both languages."""
    texts = [translate(message, language, **params) for language in ("en", "sv")]
    return all(len(text.split()) >= 3 and text[0].isupper() and text.endswith((".", "”")) for text in texts)
