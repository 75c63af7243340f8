"""Websites, their crawls with logs, and what is remembered of their pages."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Text, UniqueConstraint, Uuid, false

from domain.websites.entities import CrawlPage, CrawlRun, Website, WebsitePage
from storage.tables.base import SEALED_COLUMN, Json, Moment, belongs_to, mapper, partial_index, tenant_table

websites = tenant_table(
    "websites",
    Column("space_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("name", String(255)),
    Column("url", String(2000), nullable=False),
    Column("crawl_type", String(20), nullable=False),
    Column("download_files", Boolean, nullable=False),
    Column("run_scripts", Boolean, nullable=False, server_default=false()),
    Column("update_interval", String(20), nullable=False),
    Column("update_time", String(5), nullable=False),
    Column("include", Json, nullable=False),
    Column("exclude", Json, nullable=False),
    Column("max_depth", Integer, nullable=False),
    Column("max_pages", Integer, nullable=False),
    Column("delay", Float, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("http_auth_username", String(255)),
    Column("http_auth_secret", Text, info=SEALED_COLUMN),
    Column("http_auth_host", String(300)),
    Column("last_crawled_at", Moment),
    Column("next_crawl_at", Moment),
    Column("consecutive_failures", Integer, nullable=False),
    # A website has the id of its collection, and goes with it.
    belongs_to("id", "collections"),
    belongs_to("space_id", "spaces"),
    belongs_to("user_id", "users", ondelete="RESTRICT"),
)
Index("ix_websites_tenant_id_space_id", websites.c.tenant_id, websites.c.space_id)
partial_index("ix_websites_due", websites.c.next_crawl_at, where="next_crawl_at is not null")
crawl_runs = tenant_table(
    "crawl_runs",
    Column("website_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("job_id", Uuid),
    Column("scheduled", Boolean, nullable=False),
    Column("state", String(20), nullable=False),
    Column("start", String(2000), nullable=False),
    Column("counts", Json, nullable=False),
    Column("failures", Json, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("error", Text),
    Column("error_params", Json, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    belongs_to("website_id", "websites"),
    belongs_to("user_id", "users", ondelete="RESTRICT"),
)
Index("ix_crawl_runs_tenant_id_website_id", crawl_runs.c.tenant_id, crawl_runs.c.website_id, crawl_runs.c.id)
Index("ix_crawl_runs_tenant_id_job_id", crawl_runs.c.tenant_id, crawl_runs.c.job_id)
partial_index(
    "uq_crawl_runs_open",
    crawl_runs.c.tenant_id,
    crawl_runs.c.website_id,
    where="state in ('queued', 'running')",
    unique=True,
)
crawl_pages = tenant_table(
    "crawl_pages",
    Column("run_id", Uuid, nullable=False),
    Column("url", String(2000), nullable=False),
    Column("depth", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", String(40)),
    Column("detail", String(2000)),
    Column("status", Integer),
    Column("is_file", Boolean, nullable=False),
    Column("size", Integer, nullable=False),
    Column("title", String(255)),
    Column("document_id", Uuid),
    Column("blocks_removal", Boolean, nullable=False),
    belongs_to("run_id", "crawl_runs"),
    UniqueConstraint("tenant_id", "run_id", "url"),
)
Index("ix_crawl_pages_tenant_id_run_id", crawl_pages.c.tenant_id, crawl_pages.c.run_id, crawl_pages.c.id)
website_pages = tenant_table(
    "website_pages",
    Column("website_id", Uuid, nullable=False),
    Column("url", String(2000), nullable=False),
    Column("document_id", Uuid),
    Column("etag", String(500)),
    Column("last_modified", String(100)),
    Column("text_hash", String(64)),
    Column("links", Json, nullable=False),
    belongs_to("website_id", "websites"),
    UniqueConstraint("tenant_id", "website_id", "url"),
)
Index("ix_website_pages_text", website_pages.c.tenant_id, website_pages.c.website_id, website_pages.c.text_hash)
mapper.map_imperatively(Website, websites)
mapper.map_imperatively(CrawlRun, crawl_runs)
mapper.map_imperatively(CrawlPage, crawl_pages)
mapper.map_imperatively(WebsitePage, website_pages)
