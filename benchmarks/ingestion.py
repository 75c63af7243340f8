"""Documents a second from upload to searchable, with the built-in embedding model, and the highest memory on the way."""

import threading
import time

import httpx

from benchmarks.installation import Installation, arguments, row
from tests.support import documents

WORDS = (
    "kommunen bygglov ansökan handläggning avgift nämnden beslut fastighet detaljplan granne hörande yttrande tillstånd "
    "enligt lagen och som för att inte kan ska med den sökande tidigast senast veckor ritning bilaga remiss ärende"
).split()


def page(number: int) -> str:
    """A page of 40 lines of ten words; no two pages are the same."""
    lines = []
    for line in range(40):
        picked = [WORDS[(number * 7 + line * 13 + place * (number % 11 + 1)) % len(WORDS)] for place in range(10)]
        lines.append(f"{' '.join(picked).capitalize()} {number}-{line}.")
    return "\n".join(lines)


class Peak:
    """Watches the memory of an installation until the block is left; `bytes` is the most it took."""

    def __init__(self, installation: Installation) -> None:
        self.bytes = 0
        self._installation, self._done = installation, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._done.wait(0.25):
            self.bytes = max(self.bytes, self._installation.memory())

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def upload(client: httpx.Client, collection: str, count: int, pages: int) -> None:
    """Send the documents, one after the other."""
    for number in range(count):
        content = documents.pdf([page(number * pages + index) for index in range(pages)])
        address = f"/api/v1/groups/{collection}/documents/?name=document-{number}.pdf"
        client.put(address, content=content).raise_for_status()


def wait(client: httpx.Client, collection: str, count: int) -> None:
    """Until all documents are ready."""
    while True:
        answer = client.get(f"/api/v1/groups/{collection}/info-blobs/", params={"limit": count})
        answer.raise_for_status()
        states = [item["state"] for item in answer.json()["items"]]
        if states == ["ready"] * count:
            return
        if {"failed", "cancelled"} & set(states):
            raise RuntimeError(f"a document failed: {answer.json()['items']}")
        time.sleep(0.2)


def main() -> None:
    chosen = arguments(__doc__, documents=(50, 3), pages=(10, 2))
    with Installation() as installation, installation.client() as client:
        space = client.get("/api/v1/spaces/type/personal/").json()["id"]
        made = client.post(f"/api/v1/spaces/{space}/knowledge/groups/", json={"name": "Mätning"})
        made.raise_for_status()
        began = time.monotonic()
        with Peak(installation) as peak:
            upload(client, made.json()["id"], chosen.documents, chosen.pages)
            wait(client, made.json()["id"], chosen.documents)
        seconds = time.monotonic() - began
    row(
        "ingestion of PDF, built-in model",
        documents_per_s=chosen.documents / seconds,
        pages_per_s=chosen.documents * chosen.pages / seconds,
        peak_memory_MB=peak.bytes / 1e6,
        documents=chosen.documents,
        pages_each=chosen.pages,
    )


if __name__ == "__main__":
    main()
