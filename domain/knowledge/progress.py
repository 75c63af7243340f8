"""Telling the watching pages how a document is doing."""

from domain.kernel.events import Signal
from domain.knowledge.entities import Collection, Document, DocumentVersion
from domain.transaction import Transaction


def topics(document: Document, collection: Collection) -> list[str]:
    """Who hears of a document's state."""
    return [f"collection:{collection.id}", f"space:{collection.space_id}"]


async def announce(tx: Transaction, document: Document, version: DocumentVersion) -> None:
    """Tell the watching pages how a document is doing."""
    collection = await tx.get(Collection, document.collection_id)
    if collection is None:
        return
    data = {"id": str(document.id), "state": version.state, "progress": round(version.progress, 3)}
    for topic in topics(document, collection):
        tx.signal(Signal(topic, "document", data))
