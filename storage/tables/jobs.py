"""Jobs."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Text, Uuid

from domain.jobs.entities import Job
from storage.tables.base import Json, Moment, belongs_to, mapper, partial_index, tenant_table

jobs = tenant_table(
    "jobs",
    Column("user_id", Uuid, nullable=False),
    Column("task", String(80), nullable=False),
    Column("lane", String(20), nullable=False),
    Column("name", String(255)),
    Column("args", Json, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("run_after", Moment),
    Column("lease_token", String(64)),
    Column("lease_until", Moment),
    Column("cancel_requested", Boolean, nullable=False),
    Column("progress", Float, nullable=False),
    Column("step", String(80), nullable=False),
    Column("error", Text),
    Column("error_params", Json, nullable=False),
    Column("result_location", String(500)),
    Column("finished_at", Moment),
    Column("trace", String(80)),
    belongs_to("user_id", "users"),
)
Index("ix_jobs_tenant_id_user_id", jobs.c.tenant_id, jobs.c.user_id, jobs.c.id)
partial_index("ix_jobs_open", jobs.c.state, jobs.c.lane, jobs.c.created_at, where="state in ('queued', 'running')")
mapper.map_imperatively(Job, jobs)
