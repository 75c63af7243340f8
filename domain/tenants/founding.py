"""How an organisation begins, whoever founds it: under a name and an address of its own, with the built-in models."""

import re
import unicodedata

from domain.kernel.actor import Actor
from domain.kernel.errors import N_, NotUnique
from domain.kernel.events import Change
from domain.models.service import add_builtin
from domain.ports import Directory
from domain.tenants.entities import Tenant
from domain.transaction import Transaction

SLUG_LIMIT = 60
NAME_TAKEN = N_("Another organisation has this name.")
_SWEDISH = str.maketrans({"å": "a", "ä": "a", "ö": "o", "ø": "o", "æ": "ae", "ß": "ss"})


def slug_of(name: str) -> str:
    """A name for addresses: `Sundsvalls kommun` → `sundsvalls-kommun`, å and ä as a, ö as o; at most 60 characters."""
    text = unicodedata.normalize("NFKD", name.casefold().translate(_SWEDISH))
    text = re.sub(r"[^a-z0-9]+", "-", "".join(c for c in text if not unicodedata.combining(c))).strip("-")[:SLUG_LIMIT]
    return text.strip("-") or "organisation"


async def free_slug(directory: Directory, name: str) -> str:
    """The slug of `name`, with `-2`, `-3` … when others have it."""
    slug = slug_of(name)
    taken = set(await directory.slugs(slug))
    return next(s for s in (slug, *(f"{slug}-{n}" for n in range(2, len(taken) + 3))) if s not in taken)


async def require_free_name(directory: Directory, name: str) -> None:
    """Raise `NotUnique` when another organisation has this name, whatever its case."""
    if await directory.tenant_named(name) is not None:
        raise NotUnique(NAME_TAKEN, field="name")


async def found(tx: Transaction, actor: Actor, tenant: Tenant) -> None:
    """Write a new organisation with what every organisation has from the start."""
    await tx.add(tenant)
    await add_builtin(tx, tenant.id)
    new = {"slug": tenant.slug, "quota_limit": tenant.quota_limit, "state": tenant.state}
    tx.record(actor, Change("tenant_created", "tenant", tenant.id, tenant.name, new=new))
