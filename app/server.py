"""The web process: REST, pages and sockets on one application."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection

from app import __version__
from app.api import (
    api_keys,
    assistants,
    audit,
    budgets,
    chunks,
    classifications,
    conversation_search,
    conversations,
    credentials,
    embedding_changes,
    errors,
    explanations,
    federation,
    files,
    health,
    icons,
    jobs,
    knowledge,
    model_catalogue,
    model_migrations,
    models,
    modules,
    nowhere,
    openai,
    operations,
    playground,
    rerank_models,
    roles,
    security,
    service_accounts,
    session,
    sharing,
    spaces,
    storage,
    sysadmin,
    transcription_models,
    transcripts,
    transparency,
    usage,
    user_groups,
    users,
    websites,
)
from app.auth.caller import Callers, is_ours
from app.auth.closed import Closed
from app.auth.sysadmin import admit
from app.auth.tokens import TokenRules
from app.bootstrap import Runtime, build
from app.config import Settings
from app.databases import check_database, patiently
from app.from_settings import builtin_embedder, redis_url
from app.memory import Memory
from app.security.edge import HostCheck, Strangers, Troubled, hosts_of
from app.security.headers import BodyLimit, PageHeaders, RequestContext
from app.security.origins import Origins
from app.security.prefix import UnderPrefix
from app.upkeep import (
    back_up,
    crawl_websites,
    delete_tenants,
    drop_temporary,
    erase_traces,
    forget_deleted,
    maintain,
    retain_audit,
    retain_conversations,
    retain_questions,
    sweep_calls,
    sweep_runs,
    watch,
)
from domain.kernel.actor import Actor
from domain.kernel.errors import Failure
from domain.tenants.operator import Operator

log = logging.getLogger(__name__)
SWITCH_SECONDS = 0.0002
"""So long the event loop and the threads of the databases wait for each other at the most when both want the interpreter.

Usual are 5 ms. A statement of SQLite wants it several times, and who writes keeps all others from writing meanwhile."""
DESCRIPTION = """The interface of Samråd. Sign in with POST /api/v1/users/login/token/ and send the token as
`Authorization: Bearer`, or send an API key as `X-API-Key`.
Every error has `message` (for people), `code`, and `request_id`."""
BODY_LIMIT = 64 * 1024**2
FORM_ROOM = 1024**2
ROUTERS = (
    users.router, users.admin, roles.router, roles.predefined, user_groups.router, spaces.router,
    spaces.dashboard,
    assistants.router, assistants.prompts, transparency.router, conversations.legacy, conversation_search.router,
    conversations.router,
    explanations.router, explanations.logging, transcripts.router,
    chunks.collections, chunks.documents, playground.router, embedding_changes.router, sharing.router,
    knowledge.groups, knowledge.blobs, knowledge.search, files.router, icons.router, jobs.router, jobs.socket,
    model_migrations.router, models.completion, models.embedding, models.overview, models.providers,
    models.administration,
    transcription_models.models, rerank_models.models, rerank_models.administration,
    transcription_models.administration, model_catalogue.administration, model_catalogue.prices,
    session.router, audit.router, usage.router, usage.tokens, usage.of_space,
    budgets.router, budgets.own, openai.router, classifications.router, classifications.of_space,
    api_keys.router, api_keys.own, api_keys.of_assistants, api_keys.rules, service_accounts.router,
    credentials.admin, credentials.operator,
    security.origins, security.alerts, security.operator,
    sysadmin.tenants, sysadmin.people, storage.router, storage.admin, modules.router,
    federation.public, federation.legacy, federation.browser, federation.operator,
    operations.notices, operations.administration, operations.operator_only,
    websites.of_space, websites.router, websites.crawl_runs,
)  # fmt: skip


def create_api(runtime: Runtime) -> FastAPI:
    """The REST interface over running parts."""
    api = FastAPI(title="Samråd", version=__version__, description=DESCRIPTION, docs_url="/docs", redoc_url=None)
    settings = runtime.settings
    rules = TokenRules(
        runtime.token_key,
        settings.jwt_issuer,
        settings.jwt_audience,
        settings.jwt_expiry_time,
        runtime.former_token_keys,
    )
    api.state.runtime, api.state.token_rules = runtime, rules
    use = runtime.services
    api.state.callers = Callers(use.identity, use.key_identity, rules, settings.api_key_header_name)
    errors.install(api)
    # As they stand in their modules: including them the usual way would build each once more at its first request.
    api.router.routes.extend(route for router in ROUTERS for route in router.routes)
    health.install(api)
    nowhere.install(api)
    api.add_middleware(Closed, operations=runtime.services.operations)
    everywhere = runtime.services.allowed_origins.everywhere
    known, own = runtime.directory.origin_known, settings.public_origin
    api.add_middleware(Origins, everywhere=everywhere, known=known, public_origin=own)
    api.add_middleware(BodyLimit, forms=settings.upload_max_file_size + FORM_ROOM, others=BODY_LIMIT)
    api.add_middleware(Strangers, limits=runtime.limits, key_header=settings.api_key_header_name)
    hosts = hosts_of(settings)
    if hosts is not None:
        api.add_middleware(HostCheck, hosts=hosts)
    api.add_middleware(Troubled)
    api.add_middleware(RequestContext, secure=settings.secure, answered=runtime.metrics.answered)
    return api


def add_pages(api: FastAPI, runtime: Runtime) -> None:
    """Put the pages on the application, behind the gate."""
    from nicegui import Client, core, ui
    from nicegui import app as pages_app

    import pages
    from app.auth.gate import Gate

    callers: Callers = api.state.callers

    async def resolve(connection: HTTPConnection) -> Actor | None:
        try:
            return await callers.page_actor(connection)
        except Failure:
            return None

    def csrf(request: Request) -> str:
        return callers.csrf_of(request)

    settings = runtime.settings
    runtime.watcher.pages = lambda: len(Client.instances)

    async def admit_operator(sent: str, request: Request) -> Operator:
        return await admit(runtime, sent, settings.super_api_key, request)

    async def admit_module_operator(sent: str, request: Request) -> Operator:
        return await admit(runtime, sent, settings.super_duper_api_key, request, what="modules")

    operated = settings.super_api_key is not None
    pages_app.add_middleware(PageHeaders)
    pages.register(
        runtime.services, resolve_actor=callers.page_actor, live=runtime.bus, csrf_token=csrf,
        admit_operator=admit_operator if operated else None,
        admit_module_operator=admit_module_operator if settings.super_duper_api_key else None,
        prefix=runtime.settings.path_prefix, zone=ZoneInfo(settings.time_zone),
    )  # fmt: skip
    ui.run_with(
        api, title="Samråd", favicon=None, reconnect_timeout=30, tailwind=False, show_welcome_message=False,
        storage_secret=runtime.token_key.hex(),
    )  # fmt: skip
    # Sockets follow the rule of all other requests: behind a proxy that changes the host, PUBLIC_ORIGIN is ours as well.
    core.sio.eio.cors_allowed_origins = lambda origin, environ: is_ours(
        origin, environ.get("HTTP_HOST"), settings.public_origin
    )
    # Innermost: what the gate refuses has passed the host check, and gets its headers, like everything else.
    api.user_middleware.append(Middleware(Gate, resolve=resolve, operated=operated))


@asynccontextmanager
async def running(settings: Settings, *, pages: bool = True) -> AsyncIterator[FastAPI]:
    """The application with everything it needs, until the block is left."""
    await patiently(partial(check_database, settings))
    runtime = await build(settings)
    runtime.contents.prepare(alone=settings.single_node and settings.workers > 0)
    api = create_api(runtime)
    if pages:
        add_pages(api, runtime)
    if settings.path_prefix:
        api.add_middleware(UnderPrefix, prefix=settings.path_prefix)
    sweepers = [
        asyncio.create_task(sweep_runs(runtime), name="answer sweeper"),
        asyncio.create_task(drop_temporary(runtime), name="temporary conversations"),
        asyncio.create_task(sweep_calls(runtime), name="sweeper of calls"),
        asyncio.create_task(forget_deleted(runtime), name="account sweeper"),
        asyncio.create_task(delete_tenants(runtime), name="deletion of organisations"),
        asyncio.create_task(erase_traces(runtime), name="traces of deleted documents"),
        asyncio.create_task(retain_audit(runtime), name="audit retention"),
        asyncio.create_task(crawl_websites(runtime), name="schedule of websites"),
        asyncio.create_task(retain_conversations(runtime), name="retention of conversations"),
        asyncio.create_task(retain_questions(runtime), name="retention of questions"),
        asyncio.create_task(back_up(runtime), name="scheduled backups"),
        asyncio.create_task(watch(runtime), name="alerts"),
        asyncio.create_task(maintain(runtime), name="nightly maintenance"),
        asyncio.create_task(runtime.shared.health.follow(), name="models that rest"),
        asyncio.create_task(runtime.metrics.look(), name="lag of the event loop"),
    ]
    try:
        yield api
    finally:
        for sweeper in sweepers:
            sweeper.cancel()
        await runtime.close()


async def serve(settings: Settings) -> None:
    """Run the web process; on a single node with its worker processes and private Valkey."""
    import uvicorn

    from app.jobs.lanes import Dispatcher
    from app.jobs.worker import Supervisor, lanes_of

    count = settings.workers if settings.redis_url is None or settings.single_node else 0
    supervisor = Supervisor(settings, count, lanes_of(None))
    await supervisor.start()
    try:
        async with running(settings) as api:
            runtime: Runtime = api.state.runtime
            dispatcher = Dispatcher(redis_url(settings), runtime.directory, runtime.services.jobs, runtime.bus)
            dispatching = asyncio.create_task(dispatcher.run(), name="dispatcher") if count else None
            config = uvicorn.Config(
                api, host=settings.host, port=settings.port, log_config=None, access_log=False, server_header=False,
                proxy_headers=True, forwarded_allow_ips=settings.forwarded_allow_ips, timeout_graceful_shutdown=3,
            )  # fmt: skip
            server = uvicorn.Server(config)
            memory = Memory(lambda: len(runtime.services.conversations.runs) > 0)
            memory.settle()
            tidying = asyncio.create_task(memory.follow(), name="garbage")
            sys.setswitchinterval(SWITCH_SECONDS)
            log.info(
                "Samråd %s is at %s", __version__, settings.public_origin or f"http://{settings.host}:{settings.port}"
            )
            # Once it has stopped, uvicorn raises the signal again that stopped it: then it is for us to tidy up, not to die.
            signal.signal(signal.SIGTERM, lambda *_: None)
            await server.serve()
            tidying.cancel()
            if dispatching is not None:
                dispatching.cancel()
    finally:
        await supervisor.stop()
        if settings.single_node:
            # Nobody else uses it.
            await builtin_embedder(settings).end()
