"""Processor time of one question from asking to the saved answer of three words, without and with a budget.

In one process on SQLite; the provider that answers runs in it too, and counts along.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from app.bootstrap import Runtime, build
from app.config import Settings
from app.databases import migrate_database
from benchmarks.installation import row
from domain.budgets.service import BudgetDraft
from domain.conversations.views import Question
from domain.kernel.actor import Actor
from domain.models.service import ProviderDraft
from domain.tenants.service import Setup
from tests.support.provider import Provider

QUESTIONS, ROUNDS = 50, 6


async def assistant_of(runtime: Runtime, owner: Actor, address: str) -> Question:
    """A question to an assistant whose model is the provider's."""
    services = runtime.services
    server = await services.models.add_provider(owner, ProviderDraft("Server", "openai_compatible", address))
    await services.models.add_completion_model(owner, server.id, "ok:3", make_default=True)
    space = await services.spaces.create(owner, "Bygg")
    assistant = await services.assistants.create(owner, space.space.id, "Hjälpen")
    return Question("Vad kostar det?", None, assistant.assistant.id)


async def best(runtime: Runtime, owner: Actor, question: Question) -> float:
    """Milliseconds of processor time for each question, in the best of several rounds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(QUESTIONS):
            asked = await runtime.services.conversations.ask(owner, question)
            async for _ in runtime.services.conversations.follow(owner, asked.message.id):
                continue
        times.append((time.process_time() - begun) / QUESTIONS * 1000)
    return min(times)


async def measure(data: Path, provider: Provider) -> None:
    """Ask, set a budget, ask again."""
    settings = Settings(
        _env_file=None, data_dir=data, encryption_key=bytes(range(32)).hex(), outbound_allow="127.0.0.0/8",
        rate_limit_questions=0,
    )  # type: ignore[call-arg]  # fmt: skip
    await migrate_database(settings)
    runtime = await build(settings, listen=False)
    runtime.contents.prepare()
    owner = await runtime.services.setup.run(Setup("Kommunen", "anna@example.se", "correct horse battery staple"))
    question = await assistant_of(runtime, owner, provider.url)
    row("processor time of a question", ms=await best(runtime, owner, question))
    await runtime.services.budgets.add(owner, BudgetDraft("tenant", "month", tokens=10**9))
    row("the same with a budget", ms=await best(runtime, owner, question))
    await runtime.close()


def main() -> None:
    """Measure and print."""
    provider = Provider()
    provider.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(Path(folder), provider))
    finally:
        provider.stop()


if __name__ == "__main__":
    main()
