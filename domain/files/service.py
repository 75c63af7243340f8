"""Files that people attach to questions and instructions: use cases."""

from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

from domain.conversations.tokens import estimate
from domain.files.entities import Blob, File
from domain.files.keeping import kept
from domain.files.naming import clean_filename
from domain.files.screening import Screening
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Invalid, NotFound, UnsupportedFile
from domain.kernel.events import Change
from domain.kernel.paging import Page, clamp
from domain.knowledge.parsing import ATTACHABLE, RECORDINGS, SUPPORTED, attachable
from domain.knowledge.removal import release_blobs
from domain.knowledge.transcripts import Transcripts
from domain.models.transcription import transcription_in
from domain.ports import Contents, Deed, Limiter, Parser, StoredContent
from domain.spaces.service import space_access
from domain.tenants.entities import Tenant
from domain.transaction import UnitOfWork

IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}
_SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


class FileService:
    """Use cases of attached files. A file is its owner's alone."""

    def __init__(
        self,
        uow: UnitOfWork,
        contents: Contents,
        parser: Parser,
        limiter: Limiter,
        screening: Screening,
        *,
        transcripts: Transcripts,
        max_text: int,
        max_image: int,
        max_recording: int,
    ) -> None:
        self._uow, self._contents, self._parser, self._limiter = uow, contents, parser, limiter
        self._screening = screening
        self._transcripts = transcripts
        self.limits: Mapping[str, int] = {
            **{e: max_recording if e in RECORDINGS else max_text for e in ATTACHABLE},
            **dict.fromkeys(IMAGES, max_image),
        }
        """The most bytes of a file, for each extension that can be attached."""

    async def upload(
        self, actor: Actor, filename: str, stream: AsyncIterator[bytes], *, space_id: UUID | None = None
    ) -> File:
        """Store a file and read its text at once.

        What is said in a recording is written down by a model of the space, of the actor's own where none is named.
        """
        await self._limiter.take(Deed.UPLOAD, actor)
        name = clean_filename(filename)
        extension = name.rpartition(".")[2].lower()
        image = IMAGES.get(extension)
        if image is None:
            extension = attachable(name)
        place = await self._place(actor, space_id, heard=extension in RECORDINGS)
        stored = await self._contents.receive(actor.tenant_id, stream, self.limits[extension])
        try:
            await self._screening.check(actor, name, stored)
            return await self._take_in(actor, name, extension, place, stored)
        except BaseException:
            async with self._uow.read(actor.tenant_id) as tx:
                blob = await tx.files.blob_by_hash(stored.sha256)
            if blob is None or blob.name != stored.name:
                await self._contents.delete(actor.tenant_id, stored.name)
            raise

    async def _place(self, actor: Actor, space_id: UUID | None, *, heard: bool) -> UUID | None:
        """The space whose model writes a recording down; there has to be one before anything is sent."""
        if space_id is None and not heard:
            return None
        async with self._uow.read(actor.tenant_id) as tx:
            if space_id is not None:
                await space_access(tx, actor, space_id)
            elif own := await tx.spaces.personal(actor.user_id):
                space_id = own.id
            else:
                raise Invalid(N_("Say for which space the recording is."), field="space_id")
            if not heard:
                return None
            await transcription_in(tx, space_id)
            return space_id

    async def _take_in(
        self, actor: Actor, name: str, extension: str, place: UUID | None, stored: StoredContent
    ) -> File:
        image = IMAGES.get(extension)
        if stored.size == 0:
            raise Invalid(N_("The file is empty."), field="upload_file")
        text = None
        if image is None:
            async with self._contents.on_disk(actor.tenant_id, stored.name) as path:
                if place is not None:
                    text = await self._transcripts.speech(actor, path, name, space_id=place)
                else:
                    text = (await self._parser.parse(path, name)).text
        else:
            await self._check_image(actor, stored, image)
        async with self._uow.begin(actor.tenant_id) as tx:
            blob = await kept(tx, actor.tenant_id, stored)
            file = File(
                tenant_id=actor.tenant_id,
                user_id=actor.user_id,
                name=name,
                media_type=image or SUPPORTED[extension][0],
                kind="image" if image else "text",
                size=stored.size,
                blob_id=blob.id,
                text=text,
                token_count=estimate(text) if text is not None else None,
                api_key_id=actor.apart,
            )
            await tx.add(file)
            tx.record(actor, Change("file_uploaded", "file", file.id, name))
            return file

    async def _check_image(self, actor: Actor, stored: StoredContent, media_type: str) -> None:
        head = b"".join([part async for part in self._contents.read(actor.tenant_id, stored.name, 0, 16)])
        if not head.startswith(_SIGNATURES[media_type]):
            raise UnsupportedFile(N_("The file is not the picture its name says."))

    async def page(self, actor: Actor, *, limit: int | None = None, cursor: str | None = None) -> Page[File]:
        """The actor's files, newest first."""
        async with self._uow.read(actor.tenant_id) as tx:
            return await tx.files.page(actor.user_id, actor.apart, limit=clamp(limit), cursor=cursor)

    async def get(self, actor: Actor, file_id: UUID) -> File:
        """One of the actor's files."""
        async with self._uow.read(actor.tenant_id) as tx:
            file = await tx.get(File, file_id)
        if file is None or not file.is_of(actor):
            raise NotFound(N_("The file was not found."))
        return file

    async def content(self, actor: Actor, file_id: UUID) -> tuple[File, AsyncIterator[bytes]]:
        """The file itself."""
        file = await self.get(actor, file_id)
        return file, await self.stored(file)

    async def stored(self, file: File, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a file whose reading was allowed before (by ownership or by a signed address)."""
        async with self._uow.read(file.tenant_id) as tx:
            blob = await tx.get(Blob, file.blob_id)
        if blob is None:
            raise NotFound(N_("The file was not found."))
        return self._contents.read(file.tenant_id, blob.name, start, end)

    async def by_grant(self, tenant_id: UUID, file_id: UUID) -> File:
        """A file named by a valid signed address."""
        async with self._uow.read(tenant_id) as tx:
            file, tenant = await tx.get(File, file_id), await tx.get(Tenant, tenant_id)
        if file is None or tenant is None:
            raise NotFound(N_("The file was not found."))
        tenant.require_active()
        return file

    async def delete(self, actor: Actor, file_id: UUID) -> None:
        """Delete one of the actor's files, from questions and instructions too."""
        async with self._uow.begin(actor.tenant_id) as tx:
            file = await tx.get(File, file_id)
            if file is None or not file.is_of(actor):
                raise NotFound(N_("The file was not found."))
            await tx.remove(file)
            await release_blobs(tx, [file.blob_id])
            tx.record(actor, Change("file_deleted", "file", file_id, file.name))

    async def own(self, actor: Actor, ids: Sequence[UUID]) -> Sequence[File]:
        """The actor's files with these ids; `NotFound` when one is not theirs."""
        unique = list(dict.fromkeys(ids))
        if not unique:
            return ()
        async with self._uow.read(actor.tenant_id) as tx:
            files = await tx.files.many(unique)
        if len(files) != len(unique) or not all(f.is_of(actor) for f in files):
            raise NotFound(N_("A file was not found. Attach it again."), field="files")
        return files
