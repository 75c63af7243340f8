"""`export-tenant` and `import-tenant`: one organisation from one installation to another, whatever their databases.

Its data keys travel inside the encrypted file, and are wrapped by the other installation's master key there; what this
installation signed of its audit log, the other one signs.
"""

import argparse
import base64
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.backup import header_of, linked, secret_of, write_files
from app.bootstrap import Runtime, build
from app.config import Settings
from app.databases import check_database
from app.security.keys import MasterKeys
from domain.audit.chain import Signer
from domain.kernel.events import Change
from domain.tenants.entities import TenantKey
from domain.tenants.operator import Operator
from storage import migrate
from storage.archive import entries
from storage.archive.bundle import ArchiveReader, ArchiveWriter, Header, Part
from storage.archive.copying import write_rows
from storage.archive.rows import Row, Shape, inward
from storage.archive.sealed import ArchiveError
from storage.archive.snapshot import Organisation, Snapshot, snapshot
from storage.search.postgres import PostgresSearchIndex
from storage.search.sqlite import SqliteSearchIndex

KIND = "organisation"
LEFT_BEHIND = frozenset({"sign_ins", "account_links", "pending_sign_ins", "provider_sessions", "audit_accesses"})
"""Sign-ins and links under way hold at the installation that made them."""
SIGNED = frozenset({"audit_trails", "audit_checkpoints", "audit_entries"})
OURS = "ours"
"""Stands for a signature of the installation that exported: the other one puts its own there."""
TAKEN = (
    "An organisation with this name or short name, or an account with one of its e-mail addresses, is here already. "
    "Nothing was brought in."
)


async def run(chosen: argparse.Namespace, settings: Settings) -> int:
    """One of the two commands; returns the exit status."""
    await check_database(settings)
    runtime = await build(settings, listen=False)
    try:
        secret = secret_of(settings, chosen.key_file)
        if chosen.command == "export-tenant":
            await export(runtime, chosen.slug, chosen.file or Path(f"{chosen.slug}.samrad"), secret)
        else:
            await bring(runtime, chosen.file, secret)
    except ArchiveError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        await runtime.close()
    return 0


async def export(runtime: Runtime, slug: str, path: Path, secret: bytes) -> None:
    """Write everything of one organisation into a file."""
    tenant_id = await runtime.directory.find_tenant(slug)
    masters, signer = runtime.ring.masters, Signer(*runtime.ring.masters.derived("audit"))
    with linked(runtime.settings.data_dir) as link:
        link()
        async with snapshot(runtime.database) as found:
            folder = link()
            chosen = [each for each in found.organisations if each.id == tenant_id and each.slug == slug]
            if not chosen:
                raise ArchiveError(f"There is no organisation {slug}.")
            keys = await _data_keys(found, chosen[0], masters)
            header = header_of(found, KIND, chosen, json.dumps(keys))

            def change(shape: Shape, row: Row) -> Row:
                return _outward(signer, shape, row)

            with ArchiveWriter(path, secret, header) as writer:
                needed = await write_rows(found, writer, chosen, shared=False, change=change)
                missing = write_files(writer, folder, needed)
    rows = sum(writer.manifest.counts.values()) - writer.manifest.counts["files"]
    sys.stdout.write(f"{path}: {slug}, {rows} rows, {writer.manifest.counts['files']} files. Its keys are inside.\n")
    if missing:
        sys.stdout.write(f"WARNING: {len(missing)} stored files are named in the database but missing.\n")


async def _data_keys(found: Snapshot, organisation: Organisation, masters: MasterKeys) -> dict[str, str]:
    """The data keys by their ids, in base64."""
    shape = next(shape for shape in found.shapes if shape.name == "tenant_keys")
    keys: dict[str, str] = {}
    async for rows in found.rows(shape, organisation.id):
        for row in rows:
            values = dict(zip(shape.names, inward(shape, row), strict=True))
            key = TenantKey(tenant_id=organisation.id, wrapped=values["wrapped"], master_key_id=values["master_key_id"])
            keys[values["id"].hex] = base64.b64encode(masters.unwrap(key)).decode()
    return keys


def _outward(signer: Signer, shape: Shape, row: Row) -> Row:
    """A row without what holds at this installation only."""
    named = dict(zip(shape.names, row, strict=True))
    if shape.name == "tenant_keys":
        named |= {"wrapped": "", "master_key_id": ""}
    elif shape.name in SIGNED and named["sequence"] and _holds(signer, named):
        named["signature"] = OURS
    return [named[name] for name in shape.names]


def _holds(signer: Signer, row: dict[str, Any]) -> bool:
    return bool(row["signature"]) and signer.holds(
        UUID(row["tenant_id"]), row["sequence"], row["hash"], row["signature"]
    )


async def bring(runtime: Runtime, path: Path, secret: bytes) -> None:
    """Bring an organisation in: all of it or nothing."""
    with ArchiveReader(path, secret) as reader:
        header = reader.header
        if header.kind != KIND:
            raise ArchiveError("This file holds a whole installation. Bring it back with: python main.py restore")
        if header.revision != migrate.head():
            raise ArchiveError(
                f"The file is at schema {header.revision}, this installation at {migrate.head()}. "
                "Bring the older one of the two installations to the version of the other, and export again."
            )
        tenant_id, slug = UUID(header.organisations[0][0]), header.organisations[0][1]
        folder = runtime.settings.data_dir / "files" / tenant_id.hex
        if tenant_id in await runtime.directory.tenant_ids() or folder.exists():
            raise ArchiveError(f"The organisation {slug} is here already. Nothing was brought in.")
        try:
            async with runtime.database.session(tenant_id) as session:
                rows = await _Import(runtime, session, header, folder).take(reader)
                await session.commit()
        except IntegrityError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ArchiveError(TAKEN) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    await _record(runtime, tenant_id, slug)
    sys.stdout.write(f"{slug} was brought in: {rows} rows. Its people sign in as before.\n")


async def _record(runtime: Runtime, tenant_id: UUID, slug: str) -> None:
    """The first entry that this installation writes in the organisation's audit log."""
    async with runtime.rotation.unit_of_work.begin(tenant_id) as tx:
        tx.record(Operator().within(tenant_id), Change("tenant_imported", "tenant", tenant_id, slug))


class _Import:
    def __init__(self, runtime: Runtime, session: AsyncSession, header: Header, folder: Path) -> None:
        self._session, self._folder = session, folder
        self._masters = runtime.ring.masters
        self._signer = Signer(*self._masters.derived("audit"))
        self._shapes = {shape.name: shape for shape in header.shapes}
        self._keys: dict[str, str] = json.loads(header.keys or "{}")
        self._tenant = header.organisations[0][0]
        self._index = SqliteSearchIndex() if runtime.database.dialect == "sqlite" else PostgresSearchIndex()

    async def take(self, reader: ArchiveReader) -> int:
        """Write everything; the number of rows."""
        number = 0
        for part in reader.parts():
            if part.place[0] != self._tenant:
                raise ArchiveError(f"{'/'.join(part.place)} does not belong to the organisation of this file.")
            if part.kind == "files":
                part.copy_to(self._folder.joinpath(*part.place[1:]))
            elif part.kind == "index":
                for some in entries.by_length([entries.inward(row) for row in part.lines()]):
                    await self._index.put(self._session, some)
            else:
                number += await self._rows(part)
        return number

    async def _rows(self, part: Part) -> int:
        shape = self._shapes[part.place[1]]
        if shape.name in LEFT_BEHIND:
            return 0
        rows = [self._inward(shape, row) for row in part.lines()]
        connection = await self._session.connection()
        await connection.execute(insert(shape.table()), rows)
        return len(rows)

    def _inward(self, shape: Shape, row: Sequence[object]) -> dict[str, object]:
        values = dict(zip(shape.names, inward(shape, row), strict=True))
        if shape.name == "tenant_keys":
            plain = base64.b64decode(self._keys[values["id"].hex])
            values["wrapped"], values["master_key_id"] = self._masters.wrap(values["tenant_id"], plain)
        elif shape.name in SIGNED and values["signature"] == OURS:
            values["signature"] = self._signer.sign(values["tenant_id"], values["sequence"], values["hash"])
        return values
