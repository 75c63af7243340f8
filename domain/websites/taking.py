"""Taking in what a site has: a page or a file becomes a version of a document in the website's collection."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.files.keeping import kept
from domain.files.screening import Screening
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Failure, NotFound, ProviderFailed, QuotaExceeded
from domain.knowledge.entities import Document, DocumentState, DocumentVersion
from domain.knowledge.ingestion import Ingestion
from domain.knowledge.intake import discard, require_room
from domain.knowledge.limits import require_counts
from domain.knowledge.parsing import ParsedDocument
from domain.knowledge.removal import remove_document, remove_versions
from domain.ports import Contents, StoredContent
from domain.transaction import Transaction, UnitOfWork
from domain.websites.entities import TAKEN, PageState, Reason, Website, WebsitePage
from domain.websites.web import Fetched, PageFailed, ReadPage

CONTENT_LIMIT = 200 * 1024**2
TITLE_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a page; `twin` is the address of another page with the same content, kept instead."""

    state: PageState
    document_id: UUID | None = None
    twin: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What is stored of a page: a file by its name, with what it says where that is known."""

    url: str
    title: str
    filename: str
    media_type: str
    body: bytes
    parsed: ParsedDocument | None = None


async def _quiet(fraction: float, step: str) -> None:
    """The crawl reports for all its pages."""


class Intake:
    """Embeds what is new or has changed, and nothing else. Can be stopped at any point and asked again."""

    def __init__(self, uow: UnitOfWork, contents: Contents, ingestion: Ingestion, screening: Screening) -> None:
        self._uow, self._contents, self._ingestion, self._screening = uow, contents, ingestion, screening

    async def page(
        self, website: Website, run_id: UUID, url: str, fetched: Fetched, read: ReadPage, links: Sequence[str]
    ) -> Outcome:
        """Take in a page."""
        text_hash = _digest(f"{read.title}\0{read.parsed.text}".encode())
        async with self._uow.begin(website.tenant_id) as tx:
            same = await self._same(tx, website, url, text_hash, fetched, links)
            if same is not None:
                return same
            twin = await self._twin(tx, website, run_id, url, text_hash)
            if twin is not None:
                return Outcome(PageState.SKIPPED, twin=twin)
        name = (read.title or url)[:200]
        content = Content(url, read.title or url, f"{name}.html", "text/html", read.html.encode(), read.parsed)
        return await self._take(website, content, text_hash, fetched, links)

    async def file(self, website: Website, url: str, fetched: Fetched) -> Outcome:
        """Take in a file."""
        text_hash = _digest(fetched.body)
        async with self._uow.begin(website.tenant_id) as tx:
            same = await self._same(tx, website, url, text_hash, fetched, ())
        if same is not None:
            return same
        name = fetched.filename or url
        return await self._take(
            website, Content(url, name, name, fetched.media_type, fetched.body), text_hash, fetched, ()
        )

    @staticmethod
    async def _same(
        tx: Transaction, website: Website, url: str, text_hash: str, fetched: Fetched, links: Sequence[str]
    ) -> Outcome | None:
        page = await tx.websites.page(website.id, url)
        document = await tx.get(Document, page.document_id) if page and page.document_id else None
        if page is None or document is None or document.version_id is None or page.text_hash != text_hash:
            return None
        _remember(page, text_hash, fetched, links)
        return Outcome(PageState.UNCHANGED, document.id)

    @staticmethod
    async def _twin(tx: Transaction, website: Website, run_id: UUID, url: str, text_hash: str) -> str | None:
        """Another page of this crawl that says the same. One that may have vanished does not count: this one moved."""
        twin = await tx.websites.page_with_text(website.id, text_hash)
        if twin is None or twin.url == url:
            return None
        line = await tx.websites.line(run_id, twin.url)
        return twin.url if line is not None and line.state in (PageState.WAITING, *TAKEN) else None

    async def _take(
        self, website: Website, content: Content, text_hash: str, fetched: Fetched, links: Sequence[str]
    ) -> Outcome:
        stored = await self._stored(website.tenant_id, content.body)
        try:
            if content.parsed is None:
                await self._screen(website, content, stored)
            version, first = await self._version(website, content, stored)
        except Failure:
            await discard(self._uow, self._contents, website.tenant_id, stored)
            raise
        try:
            await self._ingestion.run(website.tenant_id, version.id, _quiet, content.parsed)
        except ProviderFailed:
            raise
        except QuotaExceeded as failure:
            # For all pages that follow: it ends the crawl.
            await self._unreadable(website, version, failure)
            raise
        except Failure as failure:
            await self._unreadable(website, version, failure)
            said = failure.text() if failure.params else failure.message
            raise PageFailed(Reason.UNREADABLE, said, is_file=content.parsed is None) from failure
        async with self._uow.begin(website.tenant_id) as tx:
            page = await tx.websites.page(website.id, content.url)
            if page is None:
                raise NotFound(N_("The website was deleted."))
            _remember(page, text_hash, fetched, links)
            await remove_versions(tx, (await tx.knowledge.versions([version.document_id]))[1:])
        return Outcome(PageState.ADDED if first else PageState.CHANGED, version.document_id)

    async def _stored(self, tenant_id: UUID, body: bytes) -> StoredContent:
        async def stream() -> AsyncIterator[bytes]:
            yield body

        return await self._contents.receive(tenant_id, stream(), CONTENT_LIMIT)

    async def _screen(self, website: Website, content: Content, stored: StoredContent) -> None:
        """Files are looked at as those that people upload; one that is refused is left out with the reason."""
        try:
            await self._screening.check(_on_behalf(website), content.filename, stored)
        except Failure as failure:
            said = failure.text() if failure.params else failure.message
            raise PageFailed(Reason.UNREADABLE, said, is_file=True) from failure

    async def _version(self, website: Website, content: Content, stored: StoredContent) -> tuple[DocumentVersion, bool]:
        """The version to be read, and whether it is the first of its page; the one begun before, if it was begun."""
        async with self._uow.begin(website.tenant_id) as tx:
            if await tx.get(Website, website.id) is None:
                raise NotFound(N_("The website was deleted."))
            await tx.users.take_turns()
            await require_room(tx, _on_behalf(website), stored.size, website.space_id)
            blob = await kept(tx, website.tenant_id, stored)
            document = await self._document(tx, website, content)
            latest = await tx.knowledge.latest_version(document.id)
            if latest is not None and DocumentState(latest.state).busy:
                if latest.sha256 == stored.sha256:
                    return latest, document.version_id is None
                latest.state = DocumentState.CANCELLED
            version = DocumentVersion(
                tenant_id=website.tenant_id,
                document_id=document.id,
                number=latest.number + 1 if latest else 1,
                filename=content.filename[:TITLE_LIMIT],
                media_type=content.media_type,
                size=stored.size,
                sha256=stored.sha256,
                blob_id=blob.id,
            )
            await tx.add(version)
            return version, document.version_id is None

    @staticmethod
    async def _document(tx: Transaction, website: Website, content: Content) -> Document:
        page = await tx.websites.page(website.id, content.url)
        if page is None:
            page = WebsitePage(tenant_id=website.tenant_id, website_id=website.id, url=content.url)
            await tx.add(page)
        document = await tx.get(Document, page.document_id) if page.document_id else None
        if document is None:
            await require_counts(tx, website.user_id, website.space_id, documents=1, passages=1)
            document = Document(
                tenant_id=website.tenant_id,
                collection_id=website.id,
                user_id=website.user_id,
                title=content.title[:TITLE_LIMIT],
                url=content.url,
            )
            await tx.add(document)
        document.title = content.title[:TITLE_LIMIT]
        page.document_id = document.id
        # Until the new content is searchable, nothing may say that this page is as it was.
        page.etag = page.last_modified = page.text_hash = None
        return document

    async def _unreadable(self, website: Website, version: DocumentVersion, failure: Failure) -> None:
        """A content that cannot be read is not kept; what the page said before stays searchable."""
        async with self._uow.begin(website.tenant_id) as tx:
            document = await tx.get(Document, version.document_id)
            current = await tx.get(DocumentVersion, version.id)
            if document is None or current is None:
                return
            if document.version_id is None:
                await remove_document(tx, document)
            else:
                await remove_versions(tx, [current])


def _on_behalf(website: Website) -> Actor:
    """Whose storage a website fills: that of the person who added it."""
    return Actor.system(website.tenant_id, website.user_id)


def _remember(page: WebsitePage, text_hash: str, fetched: Fetched, links: Sequence[str]) -> None:
    page.etag, page.last_modified = fetched.etag, fetched.last_modified
    page.text_hash, page.links = text_hash, list(links)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
