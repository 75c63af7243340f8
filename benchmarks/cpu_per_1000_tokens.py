"""The processor time of the server for 1,000 streamed tokens, at a speed at which models really answer."""

import asyncio

from benchmarks.installation import Installation, arguments, assistant_of, row, stream_times
from tests.support.provider import Provider

RATE = 50
"""Tokens a second."""


async def measure(installation: Installation, streams: int, tokens: int) -> None:
    with installation.client() as client:
        assistant, token = assistant_of(client), client.headers["Authorization"]
    url, headers = f"{installation.url}/api/v1/conversations/", {"Authorization": token}
    body = {"assistant_id": assistant, "question": "Vad gäller?", "stream": True}
    await stream_times(url, headers, body, b"event: text")
    before = installation.cpu_seconds()
    ended = await asyncio.gather(*[stream_times(url, headers, body, b"event: text") for _ in range(streams)])
    used = installation.cpu_seconds() - before
    assert all(f"w{tokens - 1} ".encode() in seen for _, _, seen in ended), "an answer is not whole"
    row(
        "processor time for 1,000 tokens",
        ms=used * 1_000 / (streams * tokens / 1_000),
        streams=streams,
        tokens_each=tokens,
        seconds=max(whole for _, whole, _ in ended),
    )


def main() -> None:
    chosen = arguments(__doc__, streams=(20, 2), tokens=(500, 50))
    provider = Provider()
    provider.start()
    try:
        with Installation(provider_url=provider.url, model=f"rate:{RATE}:{chosen.tokens}") as installation:
            asyncio.run(measure(installation, chosen.streams, chosen.tokens))
    finally:
        provider.stop()


if __name__ == "__main__":
    main()
