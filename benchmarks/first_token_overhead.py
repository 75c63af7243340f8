"""What the product adds to a provider's first word: the same streams straight to the provider, and through the product."""

import asyncio

from benchmarks.installation import Installation, arguments, assistant_of, quantile, row, stream_times
from tests.support.provider import Provider

MODEL = "ok:50"


async def together(
    count: int, url: str, headers: dict[str, str], body: dict[str, object], marker: bytes
) -> list[float]:
    """The seconds to the first word of `count` streams that begin at once."""
    calls = [stream_times(url, headers, body, marker) for _ in range(count)]
    return [first for first, _, _ in await asyncio.gather(*calls)]


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
    chosen = arguments(__doc__, rounds=(10, 1))
    provider = Provider()
    provider.start()
    try:
        with Installation(provider_url=provider.url, model=MODEL) as installation:
            asyncio.run(measure(installation, provider, [1, 5] if chosen.small else [1, 50, 200], chosen.rounds))
    finally:
        provider.stop()


if __name__ == "__main__":
    main()
