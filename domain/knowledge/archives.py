"""Archives: each member becomes a document of its own, with its path in the archive as its title."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from domain.files.naming import clean_path
from domain.files.screening import Screening
from domain.jobs.service import Ended
from domain.kernel.actor import Actor
from domain.kernel.errors import N_, Failure, NotFound, ProviderFailed, QuotaExceeded, UnreadableFile
from domain.knowledge.entities import Collection, Document
from domain.knowledge.intake import Incoming, discard, take_in
from domain.knowledge.parsing import Block, Member, ParsedDocument, Progress, Refused
from domain.ports import Contents, Parser
from domain.transaction import UnitOfWork

MEDIA_TYPE = "application/zip"
BLOCK = 1 << 20
SAME = N_("A document with the same content is here already: “{title}”.")
NONE_TAKEN = N_("None of the {count} files in the archive can be read.")


class Archives:
    """Takes the files of archives in. Can be run again at any point: what is there already is left alone."""

    def __init__(
        self,
        uow: UnitOfWork,
        contents: Contents,
        parser: Parser,
        screening: Screening,
        *,
        max_file_size: int,
        ended: Mapping[str, Ended],
    ) -> None:
        self._uow, self._contents, self._parser, self._screening = uow, contents, parser, screening
        self._max_file_size, self._ended = max_file_size, ended

    async def read(self, document: Document, path: Path, filename: str, progress: Progress) -> ParsedDocument:
        """The list of what the archive holds, once all that can be is taken in. Raises `UnreadableFile` and its kin."""
        actor = Actor(tenant_id=document.tenant_id, user_id=document.user_id)
        folder = document.title.removesuffix(".zip")
        taken: list[str] = []
        async with self._parser.unpack(path, filename) as unpacked:
            refused = list(unpacked.refused)
            for done, member in enumerate(unpacked.members, 1):
                try:
                    await self._take(actor, document, folder, member)
                    taken.append(member.path)
                except (QuotaExceeded, ProviderFailed):
                    raise
                except Failure as failure:
                    refused.append(Refused(member.path, failure.message, failure.params))
                await progress(done / len(unpacked.members))
        if not taken and not any(r.message == SAME for r in refused):
            if len({r.message for r in refused}) == 1:
                raise UnreadableFile(refused[0].message, **refused[0].params)
            raise UnreadableFile(NONE_TAKEN, count=len(refused))
        return contents_list(taken, refused)

    async def _take(self, actor: Actor, document: Document, folder: str, member: Member) -> None:
        stored = await self._contents.receive(actor.tenant_id, _parts(member.file), self._max_file_size)
        try:
            await self._screening.check(actor, member.path, stored)
            async with self._uow.begin(actor.tenant_id) as tx:
                collection = await tx.get(Collection, document.collection_id)
                if collection is None or await tx.get(Document, document.id) is None:
                    raise NotFound(N_("The document was deleted."))
                name, title = member.path.rpartition("/")[2], clean_path(f"{folder}/{member.path}")
                uploaded = await take_in(tx, actor, collection, Incoming(name, title, None, stored), self._ended)
        except BaseException:
            await discard(self._uow, self._contents, actor.tenant_id, stored)
            raise
        if uploaded.job is None and uploaded.document.title != title:
            raise UnreadableFile(SAME, title=uploaded.document.title)


async def _parts(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while part := opened.read(BLOCK):
            yield part


def contents_list(taken: Sequence[str], refused: Sequence[Refused]) -> ParsedDocument:
    """The archive as a document: the paths of its files, a line each."""
    text = "\n".join([*taken, *(r.path for r in refused)])
    return ParsedDocument(text, [Block("list", 0, len(text))], MEDIA_TYPE, refused=list(refused))
