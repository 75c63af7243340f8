"""The command line: every command of `python main.py`, and what it starts."""

import argparse
import asyncio
import sys
from functools import partial
from getpass import getpass
from pathlib import Path
from typing import Any

from app import __version__
from app.config import Settings, SettingsError, documentation, load


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="samrad", description="Samråd, an AI workspace for public-sector organisations.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run the product (default settings: one node, everything embedded)")
    worker = commands.add_parser("worker", help="run worker processes for jobs")
    worker.add_argument("--lanes", help="with commas: interactive, ingest, maintenance (default: all)")
    worker.add_argument("--count", type=int, default=1, help="number of processes")
    work = commands.add_parser("work")
    work.add_argument("--lanes")
    setup = commands.add_parser("setup", help="create the first organisation without a browser")
    setup.add_argument("--organisation", required=True)
    setup.add_argument("--email", required=True)
    setup.add_argument("--password", help="asked for when it is not given")
    setup.add_argument("--language", default="sv", choices=["sv", "en"])
    setup.add_argument("--provider", help="openai_compatible, openai, azure, anthropic, mistral, gemini or cohere")
    setup.add_argument("--base-url", help="address of the provider")
    setup.add_argument("--key", help="key of the provider")
    setup.add_argument("--model", help="model of the provider; becomes the default")
    _describe_tenants(commands)
    audit = commands.add_parser("audit", help="check the audit log, or remove what is older than it is kept")
    audit.add_argument("what", choices=["verify", "retain"])
    audit.add_argument("--tenant", metavar="SLUG", help="one organisation instead of all")
    keys = commands.add_parser("keys", help="list the encryption keys, or replace them while the product runs")
    keys.add_argument("what", choices=["list", "rotate"])
    keys.add_argument("--data", action="store_true", help="also make new data keys and encrypt everything anew")
    _describe_evaluate(commands)
    _describe_life_cycle(commands)
    commands.add_parser("maintain", help="do now what is done every night: tidy up, and remove what nobody needs")
    commands.add_parser("migrate", help="bring the database to the present schema")
    commands.add_parser("prepare", help="make ready what the first start needs, so that it needs no network")
    doctor = commands.add_parser("doctor", help="say what is wrong and how to mend it")
    doctor.add_argument("--url", help="also look at the way to this address: buffering, websockets, size of uploads")
    bundle = commands.add_parser("support-bundle", help="collect what others need to help, without anybody's data")
    bundle.add_argument("file", type=Path)
    commands.add_parser("settings", help="print docs/settings.md")
    return top


def _describe_tenants(commands: Any) -> None:
    tenants = commands.add_parser("tenants", help="list, create, suspend, reactivate or delete organisations")
    what = tenants.add_subparsers(dest="what", required=True)
    what.add_parser("list", help="all organisations with their state and what they use")
    create = what.add_parser("create", help="a new organisation")
    create.add_argument("name")
    create.add_argument("--owner", metavar="EMAIL", help="invite this person as the owner; the link is printed once")
    create.add_argument("--language", default="sv", choices=["sv", "en"])
    create.add_argument("--quota", type=int, metavar="BYTES", help="room for documents")
    for word, text in (("suspend", "stop its people from working"), ("reactivate", "let them work again")):
        what.add_parser(word, help=text).add_argument("slug")
    delete = what.add_parser("delete", help="delete it for good; without --yes only say what would be deleted")
    delete.add_argument("slug")
    delete.add_argument("--yes", action="store_true", help="really delete it")
    certificate = what.add_parser("certificate", help="print certificates of deletion as JSON, checked")
    certificate.add_argument("slug", nargs="?", help="those of one organisation instead of all")


def _describe_life_cycle(commands: Any) -> None:
    told = {
        "backup": "back everything up into one encrypted file, while the product runs",
        "restore": "bring a backup back, into an empty data folder and database",
        "verify": "read a backup from end to end and say whether it is whole",
        "import-tenant": "bring in an organisation that another installation exported",
    }
    for name, text in told.items():
        commands.add_parser(name, help=text).add_argument("file", type=Path)
    export = commands.add_parser("export-tenant", help="write one organisation into a file for another installation")
    export.add_argument("slug")
    export.add_argument("file", type=Path, nargs="?", help="default: SLUG.samrad")
    upgrade = commands.add_parser("upgrade", help="backup, new schema, self-check; taken back when anything fails")
    upgrade.add_argument("--backup", type=Path, metavar="FILE", help="where the backup goes")
    for name in (*told, "export-tenant", "upgrade"):
        text = "file whose content encrypts the backup (openssl rand -hex 32)"
        commands.choices[name].add_argument("--key-file", type=Path, metavar="FILE", help=text)
    move = commands.add_parser("move", help="copy the installation from one database to the other")
    where = move.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", metavar="URL", help="from the configured database to this empty one, or to `sqlite`")
    where.add_argument("--from", metavar="URL", dest="from_", help="from this database into the configured, empty one")


def _describe_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="measure the search on a labelled set in BEIR's layout")
    evaluate.add_argument(
        "--corpus", required=True, help='JSON lines of {"_id", "title", "text"}, as all three plain or gzip'
    )
    evaluate.add_argument("--queries", required=True, help='JSON lines of {"_id", "text"}')
    evaluate.add_argument(
        "--qrels", required=True, help="query id, document id, grade, or TREC's four columns; heading or none"
    )
    evaluate.add_argument("--mode", choices=["all", "hybrid", "text", "vector", "rerank"], help="all if not given")
    evaluate.add_argument("--rerank-address", help="where a rerank model answers (its /rerank); its key in RERANK_KEY")
    evaluate.add_argument("--rerank-model", help="its name there")
    evaluate.add_argument("--database-url", help="an empty Postgres database to measure in, instead of SQLite")
    evaluate.add_argument("--json", action="store_true", help="print JSON lines instead of a table")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    chosen = parser().parse_args(arguments)
    if chosen.command == "settings":
        sys.stdout.write(documentation())
        return 0
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    from app.observability.logs import begin

    begin(settings.log_level, settings.log_format)
    return _run(chosen, settings)


def _run(chosen: argparse.Namespace, settings: Settings) -> int:
    match chosen.command:
        case "work":
            from app.jobs.worker import lanes_of, work

            work(settings, lanes_of(chosen.lanes))
            return 0
        case "prepare":
            from app.ai.embedding.convert import convert

            convert(settings.models_path)
            return 0
        case "serve":
            import uvloop

            return uvloop.run(_run_async(chosen, settings))
        case _:
            return asyncio.run(_run_async(chosen, settings))


async def _run_async(chosen: argparse.Namespace, settings: Settings) -> int:
    from app.databases import DataFolderError, migrate_database, patiently
    from domain.kernel.errors import StorageTrouble
    from storage.migrate import SchemaError

    try:
        match chosen.command:
            case "serve":
                from app.server import serve

                await patiently(partial(migrate_database, settings))
                await serve(settings)
            case "worker":
                from app.jobs.run import supervise

                await supervise(settings, chosen.count, chosen.lanes)
            case "migrate":
                await migrate_database(settings)
                sys.stdout.write("The database is at the present schema.\n")
            case "setup":
                return await _setup(chosen, settings)
            case "tenants":
                from app.operating import tenants

                return await tenants(chosen, settings)
            case "evaluate":
                from app.evaluate import evaluate

                return await evaluate(chosen, settings)
            case "audit":
                return await _audit(chosen, settings)
            case "keys":
                from app.key_commands import keys

                return await keys(settings, chosen.what, data=chosen.data)
            case "backup" | "restore" | "verify":
                from app.backup import run

                return await run(chosen, settings)
            case "export-tenant" | "import-tenant":
                from app.tenant_files import run as run_tenant_files

                return await run_tenant_files(chosen, settings)
            case "maintain":
                from app.maintenance import run as maintain

                return await maintain(settings)
            case "move":
                from app.moving import move

                return await move(chosen, settings)
            case "upgrade":
                from app.upgrade import upgrade

                return await upgrade(chosen, settings)
            case "doctor":
                from app.doctor import examine

                return await examine(settings, chosen.url)
            case "support-bundle":
                from app.support_bundle import run as run_support_bundle

                return await run_support_bundle(settings, chosen.file)
    except (SchemaError, DataFolderError, StorageTrouble) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _setup(chosen: argparse.Namespace, settings: Settings) -> int:
    from app.bootstrap import build
    from app.databases import migrate_database
    from domain.kernel.errors import Failure
    from domain.models.service import ProviderDraft
    from domain.tenants.service import Setup

    await migrate_database(settings)
    runtime = await build(settings, listen=False)
    try:
        password = chosen.password or getpass("Password: ")
        actor = await runtime.services.setup.run(Setup(chosen.organisation, chosen.email, password, chosen.language))
        if chosen.provider:
            draft = ProviderDraft(chosen.provider, chosen.provider, chosen.base_url, chosen.key)
            provider = await runtime.services.models.add_provider(actor, draft)
            if chosen.model:
                await runtime.services.models.add_completion_model(actor, provider.id, chosen.model, make_default=True)
    except Failure as failure:
        sys.stderr.write(f"{failure.text()}\n")
        return 1
    finally:
        await runtime.close()
    sys.stdout.write(f"{chosen.organisation} is ready; sign in as {chosen.email}.\n")
    return 0


async def _audit(chosen: argparse.Namespace, settings: Settings) -> int:
    """0 when every chain is whole."""
    from app.bootstrap import build
    from app.databases import check_database

    await check_database(settings)
    runtime = await build(settings, listen=False)
    audit, faulty, known = runtime.services.audit, False, False
    try:
        for tenant_id in await runtime.directory.tenant_ids():
            slug = await audit.slug(tenant_id)
            if chosen.tenant not in (None, slug):
                continue
            known = True
            if chosen.what == "retain":
                removed = await audit.retain(tenant_id)
                sys.stdout.write(f"{slug}: {removed} entries removed.\n")
                continue
            findings = await audit.verify(tenant_id)
            for fault in findings.faults:
                sys.stdout.write(f"{slug}: {fault.text()}\n")
            faulty = faulty or bool(findings.faults)
            if not findings.faults:
                sys.stdout.write(f"{slug}: {findings.checked} entries, whole and unaltered.\n")
    finally:
        await runtime.close()
    if chosen.tenant and not known:
        sys.stderr.write(f"There is no organisation {chosen.tenant}.\n")
        return 1
    return 1 if faulty else 0
