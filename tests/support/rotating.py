"""`keys rotate --data` in a process of its own that dies without warning before a given transaction.

Called as `python -m tests.support.rotating FOLDER DATABASE_URL PROGRAM_URL KEY TRANSACTIONS`; an empty address means SQLite.
"""

import asyncio
import os
import signal
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import UUID

from app.bootstrap import build
from app.config import Settings
from domain.transaction import Transaction, UnitOfWork


class Dying:
    """A unit of work whose process is killed when it opens one transaction too many."""

    def __init__(self, uow: UnitOfWork, left: int) -> None:
        self._uow, self._left = uow, left

    def begin(self, tenant_id: UUID) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that writes."""
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1
        return self._uow.begin(tenant_id)

    def read(self, tenant_id: UUID, *, frozen: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that only reads."""
        return self._uow.read(tenant_id, frozen=frozen)


async def main(folder: str, url: str, program_url: str, key: str, transactions: str) -> None:
    """Replace every key, as far as it gets."""
    settings = Settings(
        _env_file=None, data_dir=Path(folder), database_url=url or None, database_app_url=program_url or None,
        encryption_key=key or None,
    )  # type: ignore[call-arg]  # fmt: skip
    runtime = await build(settings, listen=False)
    rotation = runtime.rotation
    rotation._uow, rotation._settle = Dying(rotation._uow, int(transactions)), 0.0
    await rotation.run(data=True, say=print)
    await runtime.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
