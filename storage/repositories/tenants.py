"""Organisations: what belongs to one, and the modules of the installation."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.kernel.errors import NotUnique
from domain.tenants.modules import Module, TenantModule
from storage.database import Database
from storage.tables.modules import modules


class TenantRepository:
    """See `domain.tenants.repository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def modules(self) -> Sequence[TenantModule]:
        """The modules it has."""
        return (await self._session.scalars(select(TenantModule))).all()


class SqlModuleCatalogue:
    """See `domain.tenants.modules.ModuleCatalogue`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[Module]:
        """In order of name."""
        async with self._database.system_session() as session:
            return (await session.scalars(select(Module).order_by(func.lower(modules.c.name)))).all()

    async def add(self, module: Module) -> None:
        """A new one; raises `NotUnique`."""
        async with self._database.system_session(write=True) as session:
            session.add(module)
            try:
                await session.commit()
            except IntegrityError:
                raise NotUnique from None
