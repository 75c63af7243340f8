"""What tables alone do not say: triggers, row-level security, roles, functions, and the search index's own tables.

Everything here can be applied again at any time; it is, after every upgrade, since a batch change of a SQLite table drops
its triggers without a word.
"""

import hashlib
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from storage.partitions import close_parts
from storage.postgres import PROGRAM_ROLE
from storage.search.words import ALL, NEARLY_ALL
from storage.tables import metadata

INDEX_TABLE, VECTORS_TABLE, WORDS_TABLE = "chunk_index", "chunk_vectors", "chunk_words"
DIRECTORY_TABLES = (
    "tenants", "users", "api_keys", "jobs", "messages", "allowed_origins", "document_versions", "websites", "model_calls",
    INDEX_TABLE, VECTORS_TABLE, WORDS_TABLE,
)  # fmt: skip
"""Tables that the owner's SECURITY DEFINER functions may read across tenants."""


SQLITE_INDEX_TABLES = ("chunk_places", "chunk_vector_places", WORDS_TABLE)
WRITES = (("insert", "new"), ("update", "new"), ("update", "old"), ("delete", "old"))
CHAIN_TRIGGER = "audit_entries_chained"
"""Moves the end of a chain when an entry follows it."""
APPEND_ONLY = ("audit_entries", "audit_checkpoints")
"""Tables whose rows stay as they are. An entry may be deleted once a checkpoint covers it; all go with their tenant."""


class NotAllowed(RuntimeError):
    """The database's owner may not do what is needed, or somebody may do too much; the message says what to do."""


def tenant_tables() -> list[str]:
    """The names of all tables whose rows belong to a tenant."""
    return [table.name for table in metadata.sorted_tables if table.info.get("tenant")]


def sqlite_triggers() -> set[str]:
    """The names of the triggers that SQLite must have."""
    guards = {f"{t}_tenant_{moment}_{row}" for t in (*tenant_tables(), *SQLITE_INDEX_TABLES) for moment, row in WRITES}
    kept = {f"{table}_kept_{moment}" for table in APPEND_ONLY for moment in ("update", "delete")}
    return guards | kept | {CHAIN_TRIGGER} | {f"{table}_updated_at" for table in tenant_tables()}


def fingerprint() -> str:
    """Changes when what `apply` does may have changed."""
    told = [(Path(__file__).parent / "ddl.py").read_bytes(), *(name.encode() for name in tenant_tables())]
    return hashlib.sha256(b"\n".join(told)).hexdigest()


def applied(connection: Connection) -> bool:
    """Whether this very state was applied already. Then nothing need be locked while others work."""
    if connection.dialect.name == "sqlite":
        return bool(connection.exec_driver_sql("pragma user_version").scalar() == _short())
    noted = "select obj_description(oid) from pg_namespace where nspname = 'app'"
    return bool(connection.execute(text(noted)).scalar() == fingerprint())


def _short() -> int:
    """SQLite has room for 31 bits."""
    return int(fingerprint()[:8], 16) >> 1


def apply(connection: Connection, program_password: str | None) -> None:
    """Bring everything besides the tables to the state the code expects."""
    if connection.dialect.name == "sqlite":
        _sqlite(connection)
        connection.exec_driver_sql(f"pragma user_version = {_short()}")
    else:
        _postgres(connection, program_password)
        connection.execute(text(f"comment on schema app is '{fingerprint()}'"))


def _sqlite(connection: Connection) -> None:
    run = connection.exec_driver_sql
    run("create table if not exists chunk_places(key integer primary key, tenant_id text not null, "
        "scope text not null, terms text not null)")  # fmt: skip
    run("create index if not exists ix_chunk_places_scope on chunk_places(scope)")
    run("create table if not exists chunk_vector_places(vector integer primary key, tenant_id text not null, "
        "scope text not null, dims integer not null, block integer)")  # fmt: skip
    run("create index if not exists ix_chunk_vector_places_scope on chunk_vector_places(scope)")
    run("create table if not exists chunk_traces(number integer primary key)")
    run("create table if not exists chunk_centres(scope text not null, dims integer not null, centre blob not null, "
        "primary key(scope, dims)) without rowid")  # fmt: skip
    run("create table if not exists chunk_blocks(number integer primary key, scope text not null, dims integer not null, "
        "chunks integer not null, keys blob not null, bits blob not null, stamp integer not null default 0)")  # fmt: skip
    run("create index if not exists ix_chunk_blocks_scope on chunk_blocks(scope, dims, chunks)")
    run("create index if not exists ix_chunk_blocks_stamp on chunk_blocks(scope, dims, number, stamp)")
    run("create table if not exists chunk_codes(key integer primary key, code blob not null)")
    run("create table if not exists chunk_words(tenant_id text not null, scope text not null, word text not null, "
        "backwards text, chunks integer not null, occurrences integer not null, primary key(scope, word)) "
        "without rowid")  # fmt: skip
    run(
        "create index if not exists ix_chunk_words_backwards on chunk_words(scope, backwards) where backwards is not null"
    )
    run("create index if not exists ix_chunk_words_gone on chunk_words(scope) where chunks <= 0")
    run("create virtual table if not exists chunk_terms using fts5(scope, terms, content='', contentless_delete=1, "
        "tokenize='unicode61 remove_diacritics 0')")  # fmt: skip
    for table in tenant_tables():
        run(f"drop trigger if exists {table}_updated_at")
        run(
            f"create trigger {table}_updated_at after update on {table} for each row "
            f"when new.updated_at is old.updated_at begin update {table} set updated_at = "
            "strftime('%Y-%m-%d %H:%M:%f000', 'now') where id = new.id; end"
        )
    for table in (*tenant_tables(), *SQLITE_INDEX_TABLES):
        for moment, row in WRITES:
            name = f"{table}_tenant_{moment}_{row}"
            run(f"drop trigger if exists {name}")
            run(
                f"create trigger {name} before {moment} on {table} for each row "
                f"when app_tenant() is not '*' and {row}.tenant_id is not app_tenant() "
                "begin select raise(abort, 'row of another tenant'); end"
            )
    run(f"drop trigger if exists {CHAIN_TRIGGER}")
    run(
        f"create trigger {CHAIN_TRIGGER} after insert on audit_entries for each row when new.sequence is not null begin "
        "update audit_trails set sequence = new.sequence, hash = new.hash, signature = new.signature "
        "where tenant_id = new.tenant_id and sequence = new.sequence - 1; end"
    )
    for table in APPEND_ONLY:
        for moment in ("update", "delete"):
            run(f"drop trigger if exists {table}_kept_{moment}")
        run(
            f"create trigger {table}_kept_update before update on {table} for each row "
            "when app_tenant() in ('*', old.tenant_id) and new.tenant_id is old.tenant_id "
            "begin select raise(abort, 'the audit log is append-only'); end"
        )
        covered = (
            "and old.sequence is not null and not exists (select 1 from audit_checkpoints c "
            "where c.tenant_id = old.tenant_id and c.sequence >= old.sequence)"
        )
        run(
            f"create trigger {table}_kept_delete before delete on {table} for each row "
            "when app_tenant() in ('*', old.tenant_id) and exists (select 1 from tenants where id = old.tenant_id) "
            f"{covered if table == 'audit_entries' else ''} "
            "begin select raise(abort, 'the audit log is append-only'); end"
        )


def _postgres(connection: Connection, program_password: str | None) -> None:
    _extension(connection)
    for script in (_FUNCTIONS, _INDEX_TABLE, _SEARCH, _DIRECTORY):
        for statement in _statements(script):
            connection.exec_driver_sql(statement)
    for dims in NEAR_DIMENSIONS:
        connection.exec_driver_sql(near_index(dims))
    role(connection, program_password)
    _grants(connection)
    close_parts(connection)
    owner = connection.execute(text("select current_user")).scalar_one()
    for table in tenant_tables():
        connection.execute(text(f"drop trigger if exists {table}_updated_at on {table}"))
        connection.execute(
            text(
                f"create trigger {table}_updated_at before update on {table} "
                "for each row execute function app.set_updated_at()"
            )
        )
    connection.execute(text(f"drop trigger if exists {CHAIN_TRIGGER} on audit_entries"))
    connection.execute(
        text(
            f"create trigger {CHAIN_TRIGGER} after insert on audit_entries for each row "
            "when (new.sequence is not null) execute function app.chain_audit()"
        )
    )
    for table in APPEND_ONLY:
        connection.execute(text(f"drop trigger if exists {table}_kept on {table}"))
        connection.execute(
            text(
                f"create trigger {table}_kept before update or delete on {table} "
                "for each row execute function app.keep_audit()"
            )
        )
    for table in [*tenant_tables(), INDEX_TABLE, VECTORS_TABLE, WORDS_TABLE]:
        for policy in ("tenant_isolation", "directory_read"):
            connection.execute(text(f"drop policy if exists {policy} on {table}"))
        connection.execute(text(f"alter table {table} enable row level security"))
        connection.execute(text(f"alter table {table} force row level security"))
        connection.execute(
            text(
                f"create policy tenant_isolation on {table} for all to {PROGRAM_ROLE} "
                "using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()))"
            )
        )
        if table in DIRECTORY_TABLES:
            connection.execute(text(f'create policy directory_read on {table} for select to "{owner}" using (true)'))


def _extension(connection: Connection) -> None:
    if connection.execute(text("select 1 from pg_extension where extname = 'vector'")).scalar() is None:
        try:
            connection.execute(text("create extension vector"))
        except DBAPIError as error:
            raise NotAllowed(
                "pgvector is missing. Ask the database's administrator to install it and to run, in this database: "
                "create extension vector"
            ) from error


def role(connection: Connection, program_password: str | None) -> None:
    """The program's role, with this password; raises `NotAllowed` when it could see more than it should."""
    find = text("select rolsuper or rolbypassrls from pg_roles where rolname = :role")
    unbound = connection.execute(find, {"role": PROGRAM_ROLE}).scalar()
    if unbound:
        raise NotAllowed(
            f"the role {PROGRAM_ROLE} may bypass row-level security. Take SUPERUSER and BYPASSRLS from it."
        )
    if program_password is not None:
        # Only a superuser may name SUPERUSER or BYPASSRLS, even to refuse them; a new role has neither.
        verb = "create" if unbound is None else "alter"
        # The password is a hexadecimal digest: it needs no quoting.
        connection.execute(text(f"{verb} role {PROGRAM_ROLE} login password '{program_password}'"))


def _grants(connection: Connection) -> None:
    for grant in (
        f"grant usage on schema public, app to {PROGRAM_ROLE}",
        f"grant select, insert, update, delete on all tables in schema public to {PROGRAM_ROLE}",
        f"revoke insert, update, delete on alembic_version from {PROGRAM_ROLE}",
        "revoke all on all functions in schema app from public",
        f"grant execute on all functions in schema app to {PROGRAM_ROLE}",
    ):
        connection.execute(text(grant))


def _statements(script: str) -> list[str]:
    """The statements of a script; the driver takes one at a time. Function bodies are fenced by `$$`."""
    parts, fenced, start = [], False, 0
    for position, character in enumerate(script):
        if script.startswith("$$", position):
            fenced = not fenced
        if character == ";" and not fenced:
            parts.append(script[start:position].strip())
            start = position + 1
    return [part for part in parts if part]


_FUNCTIONS = """
create schema if not exists app;
create or replace function app.tenant() returns uuid language plpgsql stable as $$
declare value text := current_setting('app.tenant_id', true);
begin
  if value is null or value = '' then
    raise exception 'no tenant in this transaction';
  end if;
  return value::uuid;
end $$;
create or replace function app.set_updated_at() returns trigger language plpgsql as $$
begin
  if new is distinct from old then
    new.updated_at := clock_timestamp();
  end if;
  return new;
end $$;
create or replace function app.chain_audit() returns trigger language plpgsql as $$
begin
  update audit_trails set sequence = new.sequence, hash = new.hash, signature = new.signature
  where tenant_id = new.tenant_id and sequence = new.sequence - 1;
  return new;
end $$;
create or replace function app.keep_audit() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if new.tenant_id is distinct from old.tenant_id then
      return new;
    end if;
  elsif not exists (select 1 from tenants where id = old.tenant_id) then
    return old;
  elsif tg_table_name like 'audit_entries%' and (old.sequence is null or exists (
    select 1 from audit_checkpoints c where c.tenant_id = old.tenant_id and c.sequence >= old.sequence
  )) then
    return old;
  end if;
  raise exception 'the audit log is append-only';
end $$;
"""

_INDEX_TABLE = """
create table if not exists chunk_index (
  tenant_id uuid not null,
  chunk_key bigint not null primary key,
  chunk_id uuid not null,
  collection_id uuid not null,
  document_id uuid not null,
  lexemes tsvector not null,
  terms text not null,
  foreign key (tenant_id, chunk_id) references chunks (tenant_id, id) on delete cascade
);
alter table chunk_index alter column lexemes set storage external;
alter table chunk_index alter column terms set storage external;
create index if not exists ix_chunk_index_places on chunk_index (tenant_id, collection_id);
create index if not exists ix_chunk_index_chunk on chunk_index (tenant_id, chunk_id);
create or replace function app.scope_of(collection uuid) returns tsvector
language plpgsql immutable strict parallel safe as $$
begin
  return quote_literal('@' || replace(collection::text, '-', ''))::tsvector;
end $$;
create index if not exists ix_chunk_index_lexemes on chunk_index
  using gin ((lexemes || app.scope_of(collection_id))) with (fastupdate = off);
create table if not exists chunk_vectors (
  tenant_id uuid not null,
  chunk_key bigint not null,
  vector_set smallint not null,
  collection_id uuid not null,
  dims integer not null,
  embedding halfvec not null,
  primary key (chunk_key, vector_set),
  foreign key (chunk_key) references chunk_index (chunk_key) on delete cascade
);
create index if not exists ix_chunk_vectors_collection on chunk_vectors (tenant_id, collection_id, vector_set, dims);
create table if not exists chunk_words (
  tenant_id uuid not null,
  collection_id uuid not null,
  word text collate "C" not null,
  backwards text collate "C",
  chunks integer not null,
  occurrences bigint not null,
  primary key (collection_id, word),
  foreign key (tenant_id, collection_id) references collections (tenant_id, id) on delete cascade
);
create index if not exists ix_chunk_words_backwards on chunk_words (collection_id, backwards) where backwards is not null;
"""

NEAR_DIMENSIONS = (384, 512, 768, 1_024, 1_536, 3_072)
"""Lengths of vectors that have an approximate index; the vectors of other models are compared one by one."""


def near_index(dims: int) -> str:
    """The statement that makes the approximate index of vectors of this length."""
    return (
        f"create index if not exists ix_chunk_vectors_near_{dims} on chunk_vectors "
        f"using hnsw ((embedding::halfvec({dims})) halfvec_cosine_ops) where dims = {dims}"
    )


# The index holds each chunk's collection as one more lexeme, so that a word is looked up inside its scope by intersecting
# two lists of the index. Tenant and scope are checked on the rows all the same, behind `offset 0`: without the fence the
# planner may prefer the collection's own index and read every text in it. It runs as the owner, because under row-level
# security the planner may not use the index for `@@`, and so it names the tenant itself. Where nearly every chunk of the
# database is in scope, intersecting finds what the rows tell anyway, and takes half of the time: there it is left out.
_SEARCH = f"""
create or replace function app.chunks_with(
  scope uuid[], queries tsquery[], most integer[], worth double precision[], best integer
) returns table (key bigint)
language sql stable security definer set search_path = pg_catalog, public, pg_temp set enable_seqscan = off as $$
  with tenant as materialized (select app.tenant() as id),
  inside as materialized (
    select case when chunks >= {NEARLY_ALL} * reltuples and reltuples > 0 then null
      else (select string_agg(app.scope_of(s)::text, ' | ')::tsquery from unnest(scope) as s) end as query
    from pg_class, (
      select sum(w.chunks) as chunks from chunk_words w
      where w.tenant_id = (select id from tenant) and w.collection_id = any(scope) and w.word = '{ALL}'
    ) as held
    where pg_class.oid = 'chunk_index'::regclass
  )
  select found.chunk_key
  from unnest(queries, most, worth) as asked(query, most, worth)
  cross join lateral (
    select f.chunk_key from (
      select c.tenant_id, c.collection_id, c.chunk_key from chunk_index c
      where (c.lexemes || app.scope_of(c.collection_id))
        @@ coalesce((select query from inside) && asked.query, asked.query) offset 0
    ) f where f.tenant_id = (select id from tenant) and f.collection_id = any(scope) limit asked.most
  ) found
  group by found.chunk_key order by sum(asked.worth) desc, found.chunk_key limit best
$$;
"""

_DIRECTORY = """
create or replace function app.tenant_ids() returns setof uuid
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select id from tenants order by id
$$;
create or replace function app.find_tenant(word text) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select id from tenants where slug = word
  union all
  select min(id::text)::uuid from tenants
  where lower(domain) = word and not exists (select 1 from tenants where slug = word) having count(*) = 1
$$;
create or replace function app.deleting() returns setof uuid
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select id from tenants where state = 'deleting' order by id
$$;
create or replace function app.tenant_named(word text) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select id from tenants where lower(name) = lower(word)
$$;
create or replace function app.slugs(beginning text) returns setof text
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select slug from tenants where starts_with(slug, beginning)
$$;
create or replace function app.tenants_like(pattern text, only_domain text) returns setof tenants
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select t.* from tenants t
  where (lower(t.name) like pattern or lower(t.display_name) like pattern or lower(t.domain) like pattern
    or t.slug like pattern) and (only_domain = '' or lower(t.domain) = only_domain)
$$;
create or replace function app.tenant_use(ids uuid[]) returns table (tenant_id uuid, bytes bigint, people bigint)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select t.id,
    (select coalesce(sum(v.size), 0)::bigint from document_versions v where v.tenant_id = t.id),
    (select count(*) from users u where u.tenant_id = t.id and u.deleted_at is null and u.kind = 'person')
  from unnest(ids) as t(id)
$$;
create or replace function app.user_tenant(wanted uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select u.tenant_id from users u where u.id = wanted
$$;
create or replace function app.users_after(last_tenant uuid, last_id uuid, most integer)
returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select u.tenant_id, u.id from users u
  where u.deleted_at is null and u.kind = 'person' and (last_id is null or (u.tenant_id, u.id) > (last_tenant, last_id))
  order by u.tenant_id, u.id limit most
$$;
create or replace function app.origin_known(origin text) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select exists (select 1 from allowed_origins where url = origin)
$$;
create or replace function app.tenant_names() returns table (slug text, name text, display_name text)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select t.slug, t.name, t.display_name from tenants t where t.state = 'active' order by t.name
$$;
create or replace function app.login(address text) returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select u.tenant_id, u.id from users u where u.email = lower(address) and u.deleted_at is null and u.kind = 'person'
$$;
create or replace function app.api_key(digest text) returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select k.tenant_id, k.id from api_keys k where k.hash = digest
  union all
  select k.tenant_id, k.id from api_keys k where k.previous_hash = digest
$$;
-- See domain.kernel.clock.over.
create or replace function app.over(moment timestamptz, age interval default '0') returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select moment <= now() - age or moment > now() - age + interval '10 minutes'
$$;
create or replace function app.due_jobs(wanted text, most integer) returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select w.tenant_id, w.id from (
    select j.tenant_id, j.id, row_number() over (partition by j.tenant_id order by j.id) as turn
    from jobs j join tenants t on t.id = j.tenant_id and t.state = 'active'
    where j.state = 'queued' and j.lane = wanted and (j.run_after is null or app.over(j.run_after))
  ) w order by w.turn, w.id limit most
$$;
create or replace function app.open_jobs()
returns table (lane text, waiting bigint, running bigint, oldest timestamptz)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select j.lane, count(*) filter (where j.state = 'queued'), count(*) filter (where j.state = 'running'),
    min(case when j.state = 'queued' then coalesce(j.run_after, j.created_at) end)
  from jobs j where j.state in ('queued', 'running') group by j.lane
$$;
create or replace function app.ended_jobs(since timestamptz)
returns table (task text, state text, count bigint, seconds double precision)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select j.task, j.state, count(*), avg(extract(epoch from j.finished_at - j.created_at))::double precision
  from jobs j where j.finished_at >= since group by j.task, j.state
$$;
create or replace function app.expired_jobs() returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select j.tenant_id, j.id from jobs j where j.state = 'running' and app.over(j.lease_until)
$$;
create or replace function app.due_websites() returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select w.tenant_id, w.id from websites w join tenants t on t.id = w.tenant_id and t.state = 'active'
  where w.next_crawl_at <= now()
$$;
create or replace function app.stale_calls() returns table (tenant_id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select distinct c.tenant_id from model_calls c
  where c.lease_until < now() or c.lease_until > now() + interval '1 hour' + interval '10 minutes'
$$;
create or replace function app.stale_runs(age double precision) returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select m.tenant_id, m.id from messages m
  where m.state = 'running' and app.over(m.heartbeat_at, make_interval(secs => age))
$$;
"""
