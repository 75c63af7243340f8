"""Many colleagues at once, from a table as spreadsheets save it (CSV)."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from domain.identity.links import letter
from domain.kernel.actor import Actor, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, Failure, Invalid, UserNotUnique
from domain.kernel.events import Change
from domain.kernel.text import clean_name
from domain.ports import Directory, Letter
from domain.roles.entities import HeldRole, granted
from domain.roles.service import require_not_beyond, roles_of
from domain.transaction import Transaction, UnitOfWork
from domain.users.checks import clean_email, one_of
from domain.users.entities import LANGUAGES, PredefinedRole, User, UserState
from domain.users.service import NewUser, UserService

MAX_LINES = 1000
MAX_CHARACTERS = 500_000
HEADINGS: Mapping[str, Sequence[str]] = {
    "email": ("email", "e-mail", "mail", "e-post", "epost", "e-postadress"),
    "username": ("username", "name", "namn", "användarnamn"),
    "roles": ("roles", "role", "roll", "roller"),
    "groups": ("groups", "group", "grupp", "grupper"),
    "language": ("language", "språk"),
}
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet takes a cell for a formula and may carry it out."""


@dataclass(frozen=True, slots=True)
class ImportLine:
    """What became, or would become, of a line: `new`, or `wrong` with a sentence. `path` is the invitation's."""

    number: int
    email: str
    username: str = ""
    outcome: str = "new"
    message: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    path: str | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """All lines. `dry_run` says that nothing was written; `mailed` how many invitations were mailed."""

    lines: Sequence[ImportLine]
    dry_run: bool
    mailed: int = 0

    @property
    def good(self) -> int:
        """How many lines are right."""
        return sum(line.outcome == "new" for line in self.lines)


@dataclass(slots=True)
class _Known:
    """What lines may refer to, by lower-case name."""

    roles: dict[str, HeldRole]
    groups: dict[str, UUID]
    seen: set[str] = field(default_factory=set)


def table_of(text: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV text with their line numbers, by our own headings; raises `Invalid` with the reason."""
    if len(text) > MAX_CHARACTERS:
        raise Invalid(N_("Use at most {limit} characters."), field="file", limit=MAX_CHARACTERS)
    text = text.lstrip("\ufeff").replace("\x00", "")
    first = text.split("\n", 1)[0]
    delimiter = max(";,\t", key=first.count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    ours = {name: ours for ours, names in HEADINGS.items() for name in names}
    headings = [ours.get(cell.strip().casefold(), "") for cell in rows[0]] if rows else []
    if "email" not in headings:
        raise Invalid(N_("The first line must name the columns; one of them must be “email”."), field="file")
    found = [
        (number, {name: cell.strip() for name, cell in zip(headings, row, strict=False) if name})
        for number, row in enumerate(rows[1:], 2)
        if any(cell.strip() for cell in row)
    ]
    if len(found) > MAX_LINES:
        raise Invalid(N_("Import at most {limit} people at a time."), field="file", limit=MAX_LINES)
    return found


def safe_cell(value: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(FORMULA_SIGNS) else value


class UserImport:
    """Use cases of importing."""

    def __init__(self, uow: UnitOfWork, directory: Directory, users: UserService) -> None:
        self._uow, self._directory, self._users = uow, directory, users

    async def run(self, actor: Actor, text: str, *, dry_run: bool) -> ImportReport:
        """Check every line and, unless it is a dry run, invite the people of the lines that are right."""
        actor.require(Permission.ADMIN)
        rows = table_of(text)
        async with self._uow.read(actor.tenant_id) as tx:
            known = await self._known(tx)
        checked = [await self._checked(actor, number, row, known) for number, row in rows]
        lines = [line for line, _ in checked]
        if dry_run:
            return ImportReport(lines, dry_run)
        return await self._write(actor, checked)

    @staticmethod
    async def _known(tx: Transaction) -> _Known:
        roles = {role.name.casefold(): role for role in (await roles_of(tx)).values()}
        groups: dict[str, UUID] = {}
        cursor: str | None = None
        while True:
            page = await tx.user_groups.page(search="", limit=200, cursor=cursor)
            groups |= {group.name.casefold(): group.id for group in page.items}
            cursor = page.next_cursor
            if cursor is None:
                return _Known(roles, groups)

    async def _checked(
        self, actor: Actor, number: int, row: Mapping[str, str], known: _Known
    ) -> tuple[ImportLine, NewUser | None]:
        line = ImportLine(number, row.get("email", "")[:320], row.get("username", "")[:255])
        try:
            new = self._new(actor, row, known)
            if new.email in known.seen:
                raise Invalid(N_("The address stands in an earlier line too."))
            if await self._directory.login(new.email):
                raise UserNotUnique
        except Failure as failure:
            return replace(line, outcome="wrong", message=failure.message, params=failure.params), None
        known.seen.add(new.email)
        return replace(line, email=new.email), new

    @staticmethod
    def _new(actor: Actor, row: Mapping[str, str], known: _Known) -> NewUser:
        email, name = clean_email(row.get("email", "")), row.get("username", "")
        if name.startswith(FORMULA_SIGNS) or email.startswith(FORMULA_SIGNS):
            raise Invalid(N_("Name and address must not begin with =, +, - or @."))
        roles = _named(row.get("roles", ""), known.roles, N_("There is no role “{name}”."))
        require_not_beyond(actor, granted(roles))
        groups = _named(row.get("groups", ""), known.groups, N_("There is no group “{name}”."))
        return NewUser(
            email=email,
            username=clean_name(name, "username") if name else None,
            roles=[role.key for role in roles] or [PredefinedRole.USER],
            language=one_of(row.get("language") or actor.language, LANGUAGES, "language"),
            groups=groups,
        )

    async def _write(self, actor: Actor, checked: Sequence[tuple[ImportLine, NewUser | None]]) -> ImportReport:
        lines: list[ImportLine] = []
        letters: list[Letter] = []
        tenant = await self._users.tenant(actor)
        async with self._uow.begin(actor.tenant_id) as tx:
            for line, new in checked:
                if new is None:
                    lines.append(line)
                    continue
                user = User(
                    tenant_id=actor.tenant_id,
                    email=new.email,
                    username=new.username,
                    state=UserState.INVITED,
                    language=new.language or actor.language,
                    state_changed_at=now(),
                )
                _, link = await self._users.add_in(tx, actor, user, new, link=True)
                if link is not None:
                    lines.append(replace(line, path=link.path))
                    organisation, inviter = tenant.display_name or tenant.name, actor.name or actor.email
                    letters.append(letter(user, link, organisation, inviter))
            added = {"added": len(letters), "lines": len(lines)}
            tx.record(actor, Change("users_imported", "user", None, tenant.name, new=added))
        mailer = self._users.mailer
        return ImportReport(lines, False, await mailer.send(*letters) if mailer.ready and letters else 0)


def _named(cell: str, known: Mapping[str, Any], missing: str) -> list[Any]:
    """What the names in a cell, parted by | or /, mean; raises `Invalid` with `missing`."""
    names = [name.strip() for part in cell.split("|") for name in part.split("/") if name.strip()]
    for name in names:
        if name.casefold() not in known:
            raise Invalid(missing, name=name)
    return [known[name.casefold()] for name in names]
