"""Every file that comes in is looked at by a virus scanner, where the installation has one."""

from domain.kernel.actor import Actor
from domain.kernel.errors import InfectedFile, ScannerUnreachable
from domain.kernel.events import Change
from domain.kernel.ids import new_id
from domain.ports import Contents, Scanner, StoredContent
from domain.transaction import UnitOfWork


class Screening:
    """Asks the scanner. With `required`, nothing is taken in while it does not answer."""

    def __init__(self, uow: UnitOfWork, contents: Contents, scanner: Scanner | None, *, required: bool = True) -> None:
        self._uow, self._contents, self._scanner, self._required = uow, contents, scanner, required

    async def check(self, actor: Actor, name: str, stored: StoredContent) -> None:
        """Raise `InfectedFile` for harmful content, which is noted in the audit log; or `ScannerUnreachable`."""
        if self._scanner is None:
            return
        try:
            found = await self._scanner.scan(self._contents.read(actor.tenant_id, stored.name))
        except ScannerUnreachable:
            if self._required:
                raise
            await self._note(actor, "file_not_screened", name, {"size": stored.size})
            return
        if found is not None:
            await self._note(actor, "file_refused", name, {"found": found, "sha256": stored.sha256})
            raise InfectedFile(found=found)

    async def _note(self, actor: Actor, action: str, name: str, what: dict[str, object]) -> None:
        async with self._uow.begin(actor.tenant_id) as tx:
            tx.record(actor, Change(action, "file", new_id(), name, new=what))
