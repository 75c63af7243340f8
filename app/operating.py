"""The command `tenants`: what the operator does with organisations, on the machine itself."""

import argparse
import json
import sys
from typing import Any
from uuid import UUID

from app.bootstrap import Runtime, build
from app.config import Settings
from app.databases import check_database
from domain.kernel.errors import Failure, NotFound
from domain.tenants.administration import NewTenant
from domain.tenants.deletion import DeletionCertificate
from domain.tenants.operator import Operator

OPERATOR = Operator()
PAGE = 200


async def tenants(chosen: argparse.Namespace, settings: Settings) -> int:
    """Run the command; returns the exit status."""
    await check_database(settings)
    # News of what is done here reach the running processes; none are listened to.
    runtime = await build(settings, listen=False, worker=True)
    try:
        return await _run(chosen, runtime)
    except Failure as failure:
        sys.stderr.write(f"{failure.text()}\n")
        return 1
    finally:
        await runtime.close()


async def _run(chosen: argparse.Namespace, runtime: Runtime) -> int:
    services = runtime.services
    match chosen.what:
        case "list":
            await _list(runtime)
        case "create":
            await _create(chosen, runtime)
        case "suspend":
            await services.tenants.suspend(OPERATOR, await _named(runtime, chosen.slug))
        case "reactivate":
            await services.tenants.reactivate(OPERATOR, await _named(runtime, chosen.slug))
        case "delete":
            await _delete(chosen, runtime)
        case "certificate":
            return await _certificates(chosen.slug, runtime)
    return 0


async def _named(runtime: Runtime, slug: str) -> UUID:
    found = await runtime.directory.find_tenant(slug)
    if found is None or (await runtime.services.tenants.get(OPERATOR, found)).tenant.slug != slug:
        raise NotFound("There is no organisation {slug}.", slug=slug)
    return found


async def _list(runtime: Runtime) -> None:
    cursor: str | None = None
    while True:
        page = await runtime.services.tenants.page(OPERATOR, limit=PAGE, cursor=cursor)
        for view in page.items:
            tenant, use = view.tenant, view.use
            room = f"{use.bytes} of {tenant.quota_limit} bytes"
            sys.stdout.write(f"{tenant.slug}\t{tenant.state}\t{use.people} people\t{room}\t{tenant.name}\n")
        cursor = page.next_cursor
        if cursor is None:
            return


async def _create(chosen: argparse.Namespace, runtime: Runtime) -> None:
    more = {} if chosen.quota is None else {"quota_limit": chosen.quota}
    new = NewTenant(chosen.name, language=chosen.language, owner_email=chosen.owner, **more)
    made = await runtime.services.tenants.create(OPERATOR, new)
    sys.stdout.write(f"{made.tenant.slug}\n")
    if made.link is not None:
        origin = (runtime.settings.public_origin or f"http://localhost:{runtime.settings.port}").rstrip("/")
        sys.stdout.write(f"{origin}{made.link.path}\n")


async def _delete(chosen: argparse.Namespace, runtime: Runtime) -> None:
    """Delete here and now when no web process does it; both may work at the same time."""
    deletion, tenant_id = runtime.services.deletion, await _named(runtime, chosen.slug)
    preview = await deletion.preview(OPERATOR, tenant_id)
    counts = ", ".join(f"{number} {word}" for word, number in preview.counts.items())
    if not chosen.yes:
        sys.stdout.write(f"{preview.tenant.name} has {counts}. Nothing was deleted: repeat with --yes.\n")
        return
    await deletion.begin(OPERATOR, tenant_id)
    await deletion.finish(tenant_id)
    sys.stdout.write(f"{preview.tenant.name} was deleted: {counts}.\n")


async def _certificates(slug: str | None, runtime: Runtime) -> int:
    """0 when every certificate that is finished carries our signature."""
    deletion, cursor, good, known = runtime.services.deletion, None, True, False
    while True:
        page = await deletion.certificates(OPERATOR, limit=PAGE, cursor=cursor)
        for each in page.items:
            if slug in (None, each.slug):
                known, valid = True, deletion.signer.holds(each)
                good = good and (valid or each.ended_at is None)
                sys.stdout.write(json.dumps(_shown(each, valid), ensure_ascii=False) + "\n")
        cursor = page.next_cursor
        if cursor is None:
            break
    if slug is not None and not known:
        raise NotFound("There is no certificate of {slug}.", slug=slug)
    return 0 if good else 1


def _shown(found: DeletionCertificate, valid: bool) -> dict[str, Any]:
    return {**found.content(), "signature": found.signature, "valid": valid}
