"""Sign-in sessions, the throttle that guards the sign-in form, and the operator's switches."""

from sqlalchemy import Column, Index, Integer, String, Table, Uuid

from domain.identity.entities import AccountLink, SignIn, SignInAlert
from storage.tables.base import Json, Moment, belongs_to, mapper, metadata, tenant_table

sign_ins = tenant_table(
    "sign_ins",
    Column("user_id", Uuid, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("token_hash", String(64)),
    Column("expires_at", Moment, nullable=False),
    Column("idle_seconds", Integer, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("ip", String(64)),
    Column("user_agent", String(500)),
    Column("revoked_at", Moment),
    belongs_to("user_id", "users"),
)
Index("ix_sign_ins_tenant_id_user_id", sign_ins.c.tenant_id, sign_ins.c.user_id)
mapper.map_imperatively(SignIn, sign_ins)
account_links = tenant_table(
    "account_links",
    Column("user_id", Uuid, nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("expires_at", Moment, nullable=False),
    belongs_to("user_id", "users"),
)
Index("ix_account_links_tenant_id_user_id", account_links.c.tenant_id, account_links.c.user_id)
mapper.map_imperatively(AccountLink, account_links)

sign_in_alerts = tenant_table(
    "sign_in_alerts",
    Column("kind", String(40), nullable=False),
    Column("user_id", Uuid),
    Column("ip", String(64)),
    Column("user_agent", String(500)),
    Column("times", Integer, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("seen_at", Moment),
    Column("seen_by", Uuid),
    belongs_to("user_id", "users"),
)
mapper.map_imperatively(SignInAlert, sign_in_alerts)

# Not a tenant's: attempts are counted before anybody knows which organisation an address belongs to. The key is a hash.
login_throttles = Table(
    "login_throttles",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("window_started_at", Moment, nullable=False),
    Column("blocked_until", Moment),
)

# Not a tenant's either: what the operator switches on for a while, for the whole installation.
switches = Table(
    "switches",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Json, nullable=False),
    Column("expires_at", Moment, nullable=False),
)
