"""The few look-ups that cross tenants. They answer with ids only, but for what the operator is shown of organisations.

On Postgres each is a SECURITY DEFINER function (see `storage.migrations.ddl`), since the program's role sees one tenant
at a time; on SQLite it is a statement in the explicit system scope.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Float, and_, case, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import aliased

from domain.allowed_origins.entities import AllowedOrigin
from domain.api_keys.entities import ApiKey
from domain.conversations.entities import AnswerState, Message
from domain.jobs.entities import Job, JobState
from domain.kernel.clock import SET_BACK, now
from domain.kernel.paging import Page
from domain.knowledge.entities import DocumentVersion
from domain.operations.entities import EndedJobs, LaneStatus
from domain.ports import Located, LoginMatch, TenantName
from domain.tenants.entities import Tenant, TenantQuery, TenantState, TenantUse
from domain.usage.entities import LEASE, ModelCall
from domain.users.entities import User, UserKind
from domain.websites.entities import Website
from storage.database import Database
from storage.repositories.paging import decode, encode, escape_like, identifier
from storage.tables.allowed_origins import allowed_origins
from storage.tables.api_keys import api_keys
from storage.tables.conversations import messages
from storage.tables.identity import login_throttles, switches
from storage.tables.jobs import jobs
from storage.tables.knowledge import document_versions
from storage.tables.tenants import tenants
from storage.tables.usage import model_calls
from storage.tables.users import users
from storage.tables.websites import websites


class SqlDirectory:
    """See `domain.ports.Directory`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _postgres(self) -> bool:
        return self._database.dialect == "postgresql"

    async def has_tenants(self) -> bool:
        """Whether the installation is set up."""
        return bool(await self.tenant_ids())

    async def tenant_ids(self) -> Sequence[UUID]:
        """All organisations."""
        async with self._database.system_session() as session:
            if self._postgres:
                return (await session.scalars(text("select id from app.tenant_ids() as id"))).all()
            return (await session.scalars(select(tenants.c.id).select_from(Tenant))).all()

    async def login(self, email: str) -> LoginMatch | None:
        """The living account with this address."""
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select tenant_id, id from app.login(:email)").bindparams(email=email.strip())
                row = (await session.execute(statement)).first()
            else:
                person = users.c.kind == UserKind.PERSON
                living = (users.c.email == email.strip().lower(), users.c.deleted_at.is_(None), person)
                query = select(users.c.tenant_id, users.c.id).select_from(User).where(*living)
                row = (await session.execute(query)).first()
        return LoginMatch(row[0], row[1]) if row else None

    async def api_key(self, digest: str) -> Located | None:
        """The key with this SHA-256, as it is or as it was before it was renewed."""
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select tenant_id, id from app.api_key(:digest)").bindparams(digest=digest)
                row = (await session.execute(statement)).first()
            else:
                known = or_(api_keys.c.hash == digest, api_keys.c.previous_hash == digest)
                query = select(api_keys.c.tenant_id, api_keys.c.id).select_from(ApiKey).where(known)
                row = (await session.execute(query)).first()
        return Located(row[0], row[1]) if row else None

    async def find_tenant(self, word: str) -> UUID | None:
        """The organisation with this slug, else the only one with this e-mail domain."""
        word = word.strip().lower()
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select id from app.find_tenant(:word) as id").bindparams(word=word)
                return (await session.scalars(statement)).first()
            slug = select(tenants.c.id).select_from(Tenant).where(tenants.c.slug == word)
            found = (await session.scalars(slug)).first()
            if found is None:
                domain = select(tenants.c.id).select_from(Tenant).where(func.lower(tenants.c.domain) == word).limit(2)
                several = (await session.scalars(domain)).all()
                found = several[0] if len(several) == 1 else None
            return found

    async def origin_known(self, origin: str) -> bool:
        """Whether any organisation allows pages of this web site to call the API. Asked before a browser may ask."""
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select app.origin_known(:origin)").bindparams(origin=origin)
                return bool(await session.scalar(statement))
            wanted = select(allowed_origins.c.id).select_from(AllowedOrigin).where(allowed_origins.c.url == origin)
            return await session.scalar(wanted.limit(1)) is not None

    async def deleting(self) -> Sequence[UUID]:
        """The organisations whose deletion has begun."""
        async with self._database.system_session() as session:
            if self._postgres:
                return (await session.scalars(text("select id from app.deleting() as id"))).all()
            wanted = tenants.c.state == TenantState.DELETING
            return (await session.scalars(select(tenants.c.id).select_from(Tenant).where(wanted))).all()

    async def tenant_named(self, name: str) -> UUID | None:
        """The organisation with this name, whatever its case."""
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select id from app.tenant_named(:word) as id").bindparams(word=name)
                return (await session.scalars(statement)).first()
            same = func.lower(tenants.c.name) == name.lower()
            return (await session.scalars(select(tenants.c.id).select_from(Tenant).where(same))).first()

    async def slugs(self, beginning: str) -> Sequence[str]:
        """The slugs in use that begin so."""
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select slug from app.slugs(:beginning) as slug").bindparams(beginning=beginning)
                return (await session.scalars(statement)).all()
            begin = tenants.c.slug.startswith(beginning, autoescape=True)
            return (await session.scalars(select(tenants.c.slug).select_from(Tenant).where(begin))).all()

    async def tenants(self, query: TenantQuery, *, limit: int, cursor: str | None = None) -> Page[Tenant]:
        """Organisations in order of name, for the operator."""
        pattern, domain = f"%{escape_like(query.search.strip().lower())}%", query.domain.strip().lower()
        found = self._tenants_like(pattern, domain)
        name, after = func.lower(found.name), decode(cursor, 2)
        statement = select(found, name).order_by(name, found.id).limit(limit + 1)
        if after is not None:
            last = identifier(after[1])
            statement = statement.where(or_(name > after[0], and_(name == after[0], found.id > last)))
        async with self._database.system_session() as session:
            total = await session.scalar(select(func.count()).select_from(found))
            rows = (await session.execute(statement)).all()
        shown = rows[:limit]
        more = encode(shown[-1][1], shown[-1][0].id) if len(rows) > limit else None
        return Page([row[0] for row in shown], more, total)

    def _tenants_like(self, pattern: str, domain: str) -> Any:
        """The organisations with this in their name, domain or slug, to select from."""
        if self._postgres:
            matching = text("select * from app.tenants_like(:pattern, :domain)").bindparams(
                pattern=pattern, domain=domain
            )
            return aliased(Tenant, matching.columns(*tenants.columns).subquery("found"))
        words = (func.lower(tenants.c.name), func.lower(tenants.c.display_name), func.lower(tenants.c.domain))
        wanted = [or_(*(word.like(pattern, escape="\\") for word in (*words, tenants.c.slug)))]
        if domain:
            wanted.append(func.lower(tenants.c.domain) == domain)
        return aliased(Tenant, select(Tenant).where(*wanted).subquery("found"))

    async def tenant_use(self, tenant_ids: Sequence[UUID]) -> Mapping[UUID, TenantUse]:
        """What each of these organisations uses."""
        ids = list(tenant_ids)
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select tenant_id, bytes, people from app.tenant_use(:ids)").bindparams(ids=ids)
                return {row[0]: TenantUse(row[1], row[2]) for row in await session.execute(statement)}
            size, versions = func.sum(document_versions.c.size), document_versions.c.tenant_id
            sums = select(versions, size).select_from(DocumentVersion).where(versions.in_(ids)).group_by(versions)
            living = (users.c.tenant_id.in_(ids), users.c.deleted_at.is_(None), users.c.kind == UserKind.PERSON)
            heads = select(users.c.tenant_id, func.count()).select_from(User).where(*living).group_by(users.c.tenant_id)
            stored: dict[UUID, int] = dict((await session.execute(sums)).all())
            people: dict[UUID, int] = dict((await session.execute(heads)).all())
        return {each: TenantUse(stored.get(each, 0), people.get(each, 0)) for each in ids}

    async def user_tenant(self, user_id: UUID) -> UUID | None:
        """The organisation of a user, for the operator."""
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select id from app.user_tenant(:wanted) as id").bindparams(wanted=user_id)
                return (await session.scalars(statement)).first()
            query = select(users.c.tenant_id).select_from(User).where(users.c.id == user_id)
            return (await session.scalars(query)).first()

    async def users_after(self, last: Located | None, limit: int) -> Sequence[Located]:
        """Accounts that are not deleted, organisation by organisation, for the operator."""
        async with self._database.system_session() as session:
            if self._postgres:
                call = "select tenant_id, id from app.users_after(cast(:tenant as uuid), cast(:last as uuid), :most)"
                values = {"tenant": last.tenant_id if last else None, "last": last.id if last else None, "most": limit}
                rows = await session.execute(text(call), values)
            else:
                living = (users.c.deleted_at.is_(None), users.c.kind == UserKind.PERSON)
                query = select(users.c.tenant_id, users.c.id).select_from(User).where(*living)
                if last is not None:
                    further = and_(users.c.tenant_id == last.tenant_id, users.c.id > last.id)
                    query = query.where(or_(users.c.tenant_id > last.tenant_id, further))
                rows = await session.execute(query.order_by(users.c.tenant_id, users.c.id).limit(limit))
            return [Located(row[0], row[1]) for row in rows]

    async def tenant_names(self) -> Sequence[TenantName]:
        """The active organisations by name: the one look-up that gives more than ids, where the operator wants it."""
        async with self._database.system_session() as session:
            if self._postgres:
                rows = await session.execute(text("select slug, name, display_name from app.tenant_names()"))
            else:
                columns = (tenants.c.slug, tenants.c.name, tenants.c.display_name)
                active = tenants.c.state == TenantState.ACTIVE
                rows = await session.execute(
                    select(*columns).select_from(Tenant).where(active).order_by(tenants.c.name)
                )
            return [TenantName(row[0], row[1], row[2] or row[1]) for row in rows]

    async def switch(self, key: str) -> dict[str, Any] | None:
        """What an operator's switch says; None when it is off or its time is over."""
        async with self._database.system_session() as session:
            row = (await session.execute(select(switches).where(switches.c.key == key))).first()
        return dict(row.value) if row is not None and row.expires_at > now() else None

    async def set_switch(self, key: str, value: dict[str, Any] | None, expires_at: datetime | None = None) -> None:
        """Turn an operator's switch on until `expires_at`, or off."""
        async with self._database.system_session(write=True) as session:
            await session.execute(delete(switches).where(switches.c.key == key))
            if value is not None:
                await session.execute(insert(switches).values(key=key, value=value, expires_at=expires_at))
            await session.commit()

    async def take_switch(self, key: str, value: dict[str, Any], expires_at: datetime) -> bool:
        """Turn a switch on unless it is on; whether this call did it. Of several processes one succeeds."""
        async with self._database.system_session(write=True) as session:
            await session.execute(delete(switches).where(switches.c.key == key, switches.c.expires_at <= now()))
            made = postgres_insert(switches) if self._postgres else sqlite_insert(switches)
            statement = made.values(key=key, value=value, expires_at=expires_at).on_conflict_do_nothing()
            taken = (await session.execute(statement.returning(switches.c.key))).first()
            await session.commit()
        return taken is not None

    async def keep_switch(self, key: str, expires_at: datetime) -> None:
        """Let a switch that is on be on until then."""
        async with self._database.system_session(write=True) as session:
            await session.execute(update(switches).where(switches.c.key == key).values(expires_at=expires_at))
            await session.commit()

    async def end_switch(self, key: str) -> bool:
        """Turn a switch off; whether this call did it. Of several processes one succeeds."""
        async with self._database.system_session(write=True) as session:
            on = (switches.c.key == key, switches.c.expires_at > now())
            ended = (await session.execute(delete(switches).where(*on).returning(switches.c.key))).first()
            await session.commit()
        return ended is not None

    async def forget_expired(self) -> int:
        """Delete switches and counts of wrong passwords that mean nothing any more; how many."""
        moment = now()
        old = login_throttles.c.window_started_at < moment - timedelta(days=1)
        unblocked = or_(login_throttles.c.blocked_until.is_(None), login_throttles.c.blocked_until < moment)
        async with self._database.system_session(write=True) as session:
            gone = 0
            for statement in (
                delete(switches).where(switches.c.expires_at < moment), delete(login_throttles).where(old, unblocked),
            ):  # fmt: skip
                done = await session.execute(statement)
                gone += done.rowcount if isinstance(done, CursorResult) else 0
            await session.commit()
        return gone

    async def due_jobs(self, lane: str, limit: int) -> Sequence[Located]:
        """Queued jobs that may run now: the first of each tenant, then the second of each, and so on.

        Those of organisations that are not active wait.
        """
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select tenant_id, id from app.due_jobs(:lane, :most)").bindparams(
                    lane=lane, most=limit
                )
                return [Located(row[0], row[1]) for row in await session.execute(statement)]
            turn = func.row_number().over(partition_by=jobs.c.tenant_id, order_by=jobs.c.id).label("turn")
            waiting = (
                select(jobs.c.tenant_id, jobs.c.id, turn)
                .select_from(Job)
                .join(Tenant, tenants.c.id == jobs.c.tenant_id)
                .where(
                    tenants.c.state == TenantState.ACTIVE,
                    jobs.c.state == JobState.QUEUED,
                    jobs.c.lane == lane,
                    or_(jobs.c.run_after.is_(None), _over(jobs.c.run_after)),
                )
                .subquery()
            )
            query = select(waiting.c.tenant_id, waiting.c.id).order_by(waiting.c.turn, waiting.c.id).limit(limit)
            return [Located(row[0], row[1]) for row in await session.execute(query)]

    async def open_jobs(self) -> Sequence[LaneStatus]:
        """How many jobs wait and run in each lane, and how long the first has waited."""
        async with self._database.system_session() as session:
            if self._postgres:
                rows = (await session.execute(text("select lane, waiting, running, oldest from app.open_jobs()"))).all()
            else:
                queued, running = jobs.c.state == JobState.QUEUED, jobs.c.state == JobState.RUNNING
                due = case((queued, func.coalesce(jobs.c.run_after, jobs.c.created_at)))
                counts = (func.count().filter(queued), func.count().filter(running), func.min(due))
                query = select(jobs.c.lane, *counts).select_from(Job).where(or_(queued, running)).group_by(jobs.c.lane)
                rows = (await session.execute(query)).all()
        moment = now()
        ages = {row[0]: max(0.0, (moment - _aware(row[3])).total_seconds()) if row[3] else 0.0 for row in rows}
        return [LaneStatus(row[0], row[1], row[2], ages[row[0]]) for row in rows]

    async def ended_jobs(self, since: datetime) -> Sequence[EndedJobs]:
        """How many jobs of each kind have ended how since then, and how long that took."""
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select task, state, count, seconds from app.ended_jobs(:since)")
                rows = await session.execute(statement.bindparams(since=since))
            else:
                took = (func.julianday(jobs.c.finished_at) - func.julianday(jobs.c.created_at)) * 86_400
                query = select(jobs.c.task, jobs.c.state, func.count(), func.avg(took, type_=Float)).select_from(Job)
                query = query.where(jobs.c.finished_at >= since).group_by(jobs.c.task, jobs.c.state)
                rows = await session.execute(query)
            return [EndedJobs(row[0], row[1], row[2], float(row[3])) for row in rows]

    async def expired_jobs(self) -> Sequence[Located]:
        """Running jobs whose lease has run out."""
        async with self._database.system_session() as session:
            if self._postgres:
                rows = await session.execute(text("select tenant_id, id from app.expired_jobs()"))
            else:
                expired = (jobs.c.state == JobState.RUNNING, _over(jobs.c.lease_until))
                rows = await session.execute(select(jobs.c.tenant_id, jobs.c.id).select_from(Job).where(*expired))
            return [Located(row[0], row[1]) for row in rows]

    async def due_websites(self) -> Sequence[Located]:
        """Websites of active organisations whose time to be read has come."""
        async with self._database.system_session() as session:
            if self._postgres:
                rows = await session.execute(text("select tenant_id, id from app.due_websites()"))
            else:
                due = (tenants.c.state == TenantState.ACTIVE, websites.c.next_crawl_at <= now())
                query = select(websites.c.tenant_id, websites.c.id).select_from(Website)
                rows = await session.execute(query.join(Tenant, tenants.c.id == websites.c.tenant_id).where(*due))
            return [Located(row[0], row[1]) for row in rows]

    async def stale_runs(self, older_than_seconds: float) -> Sequence[Located]:
        """Messages said to be running whose process gives no sign of life."""
        async with self._database.system_session() as session:
            if self._postgres:
                statement = text("select tenant_id, id from app.stale_runs(:age)").bindparams(age=older_than_seconds)
                rows = await session.execute(statement)
            else:
                age = timedelta(seconds=older_than_seconds)
                stale = (messages.c.state == AnswerState.RUNNING, _over(messages.c.heartbeat_at, age))
                query = select(messages.c.tenant_id, messages.c.id).select_from(Message).where(*stale)
                rows = await session.execute(query)
            return [Located(row[0], row[1]) for row in rows]

    async def stale_calls(self) -> Sequence[UUID]:
        """The organisations with calls of models that should have ended."""
        async with self._database.system_session() as session:
            if self._postgres:
                return list(await session.scalars(text("select tenant_id from app.stale_calls()")))
            late = select(model_calls.c.tenant_id).distinct().select_from(ModelCall)
            lease = model_calls.c.lease_until
            return (await session.scalars(late.where(or_(lease < now(), lease > now() + LEASE + SET_BACK)))).all()

    async def login_attempts(self, key: str, *, block_seconds: int) -> tuple[int, float]:
        """Failures in the current window and the seconds still to wait; a block is never longer than `block_seconds`."""
        async with self._database.system_session() as session:
            row = (await session.execute(select(login_throttles).where(login_throttles.c.key == key))).first()
        if row is None:
            return 0, 0.0
        wait = (row.blocked_until - now()).total_seconds() if row.blocked_until else 0.0
        # One that is longer is from before the clock was set back.
        return row.failures, max(0.0, wait) if wait <= block_seconds else 0.0

    async def login_failed(self, key: str, *, window_seconds: int, threshold: int, block_seconds: int) -> None:
        """Count a failed attempt; block the key beyond `threshold`."""
        moment = now()
        throttle = login_throttles
        async with self._database.system_session(write=True) as session:
            row = (await session.execute(select(throttle).where(throttle.c.key == key).with_for_update())).first()
            if row is None:
                await session.execute(insert(throttle).values(key=key, failures=1, window_started_at=moment))
            else:
                since = moment - row.window_started_at
                fresh = since > timedelta(seconds=window_seconds) or since < timedelta()
                failures = 1 if fresh else row.failures + 1
                values: dict[str, object] = {"failures": failures}
                if fresh:
                    values["window_started_at"] = moment
                if failures >= threshold:
                    values["blocked_until"] = moment + timedelta(seconds=block_seconds)
                await session.execute(update(throttle).where(throttle.c.key == key).values(**values))
            await session.commit()

    async def login_succeeded(self, key: str) -> None:
        """Forget the failures of `key`."""
        async with self._database.system_session(write=True) as session:
            await session.execute(delete(login_throttles).where(login_throttles.c.key == key))
            await session.commit()


def _over(moment: ColumnElement[Any], age: timedelta = timedelta()) -> ColumnElement[bool]:
    """See `domain.kernel.clock.over`."""
    present = now() - age
    return or_(moment <= present, moment > present + SET_BACK)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
