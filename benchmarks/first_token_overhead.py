"""What the product adds to a provider's first word: the same streams straight to the provider, and through the product.

While N streams run, as on a busy day, each of 100 words at 20 words a second, without and with knowledge that is searched
for each question; and when N people ask in the very same moment.
"""

import asyncio
import json
import time
from pathlib import Path

import httpx

from benchmarks.installation import Installation, arguments, assistant_of, quantile, row, stream_times
from tests.support.provider import Provider

MODEL = "rate:20:100"
LAST = b"w99"
"""The last word of an answer of the model."""
ANSWER_SECONDS = 5.0
QUESTION = "Vad kostar det att söka bygglov för en altan?"
TEXTS = Path(__file__).parent / "sets/kommun-sv/corpus.jsonl"


async def together(
    count: int, url: str, headers: dict[str, str], body: dict[str, object], marker: bytes
) -> list[float]:
    """The seconds to the first word of `count` streams that begin at once."""
    calls = [stream_times(url, headers, body, marker) for _ in range(count)]
    return [first for first, _, _ in await asyncio.gather(*calls)]


async def running(
    count: int, seconds: float, url: str, headers: dict[str, str], body: dict[str, object], marker: bytes
) -> list[float]:
    """The seconds to the first word while `count` streams run: each asks anew when its answer has ended.

    Raises:
        RuntimeError: An answer was not told to its last word.

    """
    firsts: list[float] = []

    async def person(number: int) -> None:
        # People do not press the button in the same moment.
        await asyncio.sleep(ANSWER_SECONDS * number / count)
        ends = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < ends:
            first, _, told = await stream_times(url, headers, body, marker)
            if LAST not in told:
                raise RuntimeError(f"an answer was cut: {told[-500:]!r}")
            firsts.append(first)

    await asyncio.gather(*(person(number) for number in range(count)))
    # The first answers warm everything up.
    return firsts[count:]


def assistant_with_knowledge(client: httpx.Client) -> str:
    """The id of an assistant that answers from the texts of the set `kommun-sv`, once they are searchable."""
    space = client.post("/api/v1/spaces/", json={"name": "Kommun"}).raise_for_status().json()["id"]
    group = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Texter"}).raise_for_status().json()
    lines = TEXTS.read_text(encoding="utf-8").splitlines()
    texts = [{"text": each["text"], "metadata": {"title": each["title"]}} for each in map(json.loads, lines)]
    path = f"/api/v1/groups/{group['id']}/info-blobs/"
    client.post(path, json={"info_blobs": texts}).raise_for_status()
    while any(each["state"] != "ready" for each in client.get(path).raise_for_status().json()["items"]):
        time.sleep(0.5)
    path = f"/api/v1/spaces/{space}/applications/assistants/"
    made = client.post(path, json={"name": "Kommunen"}).raise_for_status().json()["id"]
    changes = {"groups": [{"id": group["id"]}]}
    client.post(f"/api/v1/assistants/{made}/", json=changes).raise_for_status()
    return str(made)


async def measure_running(
    installation: Installation, provider: Provider, streams: list[int], seconds: float, *, knowledge: bool = False
) -> None:
    with installation.client() as client:
        assistant = assistant_with_knowledge(client) if knowledge else assistant_of(client)
        token = client.headers["Authorization"]
    direct = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    asked = {"assistant_id": assistant, "question": QUESTION, "stream": True}
    for count in streams:
        straight = await running(count, seconds, f"{provider.url}/chat/completions", {}, direct, b'"w0 ')
        through = await running(
            count, seconds, f"{installation.url}/api/v1/conversations/", {"Authorization": token}, asked, b"event: text"
        )
        plain, whole = ([part * 1_000 for part in found] for found in (straight, through))
        row(
            f"first token, {count} streams running{', with knowledge' if knowledge else ''}",
            overhead_p50_ms=quantile(whole, 0.5) - quantile(plain, 0.5),
            overhead_p95_ms=quantile(whole, 0.95) - quantile(plain, 0.95),
            provider_p95_ms=quantile(plain, 0.95),
            answers=len(whole),
        )


async def measure(installation: Installation, provider: Provider, streams: list[int], rounds: int) -> None:
    with installation.client() as client:
        assistant, token = assistant_of(client), client.headers["Authorization"]
    direct = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Vad gäller?"}]}
    asked = {"assistant_id": assistant, "question": "Vad gäller?", "stream": True}
    for count in streams:
        straight, through = [], []
        for _ in range(rounds + 1):
            straight.append(await together(count, f"{provider.url}/chat/completions", {}, direct, b'"w0 '))
            through.append(
                await together(
                    count, f"{installation.url}/api/v1/conversations/", {"Authorization": token}, asked, b"event: text"
                )
            )
        # The first round warms everything up.
        plain = [seconds * 1_000 for part in straight[1:] for seconds in part]
        whole = [seconds * 1_000 for part in through[1:] for seconds in part]
        row(
            f"first token, {count} streams at once",
            overhead_p50_ms=quantile(whole, 0.5) - quantile(plain, 0.5),
            overhead_p95_ms=quantile(whole, 0.95) - quantile(plain, 0.95),
            provider_p50_ms=quantile(plain, 0.5),
            answers=len(whole),
        )


def main() -> None:
    chosen = arguments(__doc__, rounds=(5, 1), seconds=(30, 6))
    provider = Provider()
    provider.start()
    try:
        with Installation(provider_url=provider.url, model=MODEL) as installation:
            counts = [1, 5] if chosen.small else [1, 50, 200]
            asyncio.run(measure_running(installation, provider, counts, chosen.seconds))
            asyncio.run(measure_running(installation, provider, counts, chosen.seconds, knowledge=True))
            asyncio.run(measure(installation, provider, counts, chosen.rounds))
    finally:
        provider.stop()


if __name__ == "__main__":
    main()
