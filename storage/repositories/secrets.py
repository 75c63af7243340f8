"""Data keys of one tenant, and its encrypted values wherever they stand."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidTag
from sqlalchemy import Column, Text, inspect, or_, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.kernel.errors import KeyMissing
from domain.secrets.repository import BEGINNING, Progress
from domain.tenants.entities import TenantKey
from storage.sealing import FIRST_FORM, SEALED, VAULT, SealedText, TenantKeys
from storage.tables.base import mapper
from storage.tables.tenants import tenant_keys

Place = tuple[Any, Column[Any]]


@cache
def places() -> Sequence[Place]:
    """Every encrypted column with the entity it belongs to."""
    found: list[Place] = []
    for mapped in sorted(mapper.mappers, key=lambda each: each.class_.__name__):
        for column in inspect(mapped.class_).local_table.columns:
            if isinstance(column.type, SealedText) or column.info.get("sealed"):
                found.append((mapped.class_, column))
    return found


def _purpose(column: Column[Any]) -> str:
    return column.type.purpose if isinstance(column.type, SealedText) else VAULT


class SecretRepository:
    """See `domain.secrets.repository`."""

    def __init__(self, session: AsyncSession, keys: TenantKeys | None) -> None:
        self._session, self._keys = session, keys

    async def data_keys(self) -> Sequence[TenantKey]:
        """All data keys, retired ones too, in the order they were made."""
        return (await self._session.scalars(select(TenantKey).order_by(tenant_keys.c.id))).all()

    async def turn_over(self, progress: Progress, limit: int) -> bool:
        """Encrypt the next values anew that are not in the present form under the present key; False at the end."""
        if self._keys is None or progress.place >= len(places()):
            return False
        kind, column = places()[progress.place]
        table, raw = column.table.c, type_coerce(column, Text)
        wanted = (table.id > progress.after, raw.not_like(f"{self._keys.prefix}%"), *_filled(column, raw))
        found = (await self._session.execute(select(table.id, raw).select_from(kind).where(*wanted)
                                             .order_by(table.id).limit(limit))).all()  # fmt: skip
        for row_id, value in found:
            anew = self._anew(value, column, progress)
            if anew is not None:
                # Only if it is still what was read: whoever writes meanwhile uses the present key anyway.
                statement = (
                    update(kind).where(table.id == row_id, raw == value).values({column: type_coerce(anew, Text)})
                )
                await self._session.execute(statement, execution_options={"synchronize_session": False})
        if len(found) < limit:
            progress.place, progress.after = progress.place + 1, BEGINNING
        else:
            progress.after = found[-1][0]
        return True

    def _anew(self, value: str, column: Column[Any], progress: Progress) -> str | None:
        assert self._keys is not None
        purpose = _purpose(column)
        try:
            text = self._keys.open_column(value, purpose) if purpose != VAULT else self._keys.open(value, purpose)
        except (KeyMissing, InvalidTag):
            progress.unreadable[f"{column.table.name}.{column.name}"] += 1
            return None
        progress.changed += 1
        return self._keys.seal(text, purpose)

    async def needs(self, tags: Collection[str]) -> bool:
        """Whether a value names one of these keys, or is of a form that names none."""
        for kind, column in places():
            raw = type_coerce(column, Text)
            named = [raw.like(f"{start}%") for start in (*(f"{SEALED}{tag}:" for tag in tags), FIRST_FORM)]
            statement = select(column.table.c.id).select_from(kind).where(or_(*named)).limit(1)
            if (await self._session.execute(statement)).first() is not None:
                return True
        return False


def _filled(column: Column[Any], raw: Any) -> tuple[Any, ...]:
    """A secret may be empty, where there is none; a text is encrypted even then."""
    return (raw != "",) if _purpose(column) == VAULT else ()
