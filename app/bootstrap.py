"""A running process: its parts, put together and let go of. How they are wired is said in `wiring.py`."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.config import Settings
from app.from_settings import redis_url, token_keys
from app.ingestion.parse import DocumentParser
from app.mail import SmtpMailer
from app.observability.audit_stream import AuditStream
from app.observability.metrics import Metrics
from app.observability.oidc_watch import OidcWatch
from app.observability.status import Watcher
from app.realtime.bus import Bus
from app.security.keys import KeyRing
from app.security.outbound import OutboundGuard
from app.security.rate_limits import RateLimits
from app.security.rotation import Rotation
from app.wiring import Shared, ground_of, reach_of, services_of
from domain.kernel import tracing
from domain.services import Services
from storage.blobs import BlobStore
from storage.database import Database
from storage.directory import SqlDirectory
from storage.slow import tell_slow

if TYPE_CHECKING:
    from app.observability.traces import Traces


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of a running process."""

    settings: Settings
    services: Services
    database: Database
    directory: SqlDirectory
    bus: Bus
    guard: OutboundGuard
    contents: BlobStore
    parser: DocumentParser
    token_key: bytes
    former_token_keys: tuple[bytes, ...]
    rotation: Rotation
    ring: KeyRing
    watch: OidcWatch
    limits: RateLimits
    metrics: Metrics
    watcher: Watcher
    mailer: SmtpMailer
    shared: Shared
    stream: AuditStream | None = None
    traces: "Traces | None" = None

    async def close(self) -> None:
        """Let go of everything."""
        await self.services.conversations.runs.shutdown()
        await self.services.key_identity.settle()
        await self.shared.close()
        await self.bus.close()
        await self.guard.close()
        await self.database.close()
        if self.stream is not None:
            await asyncio.to_thread(self.stream.close)
        if self.traces is not None:
            tracing.listen(None)
            await self.traces.close()


async def build(settings: Settings, *, listen: bool = True, worker: bool = False) -> Runtime:
    """Put the parts together. With `listen`, events of other processes are brought in; a `worker` only sends some."""
    ground = ground_of(settings, told=listen or worker)
    reach = reach_of(ground)
    database, directory, runs = ground.database, ground.directory, reach.runs
    watcher = Watcher(settings, database, directory, reach.metrics, redis_url(settings), lambda: len(runs))
    services = services_of(ground, reach, watcher)
    if listen:
        ground.bus.start()
    token_key, *former = token_keys(settings, ground.masters)
    return Runtime(
        settings=settings,
        services=services,
        database=database,
        directory=directory,
        bus=ground.bus,
        guard=ground.guard,
        contents=ground.contents,
        parser=reach.parser,
        token_key=token_key,
        former_token_keys=tuple(former),
        rotation=Rotation(ground.uow, directory, ground.ring, ground.contents, ground.signer),
        ring=ground.ring,
        watch=reach.watch,
        limits=reach.limits,
        metrics=reach.metrics,
        watcher=watcher,
        mailer=reach.mailer,
        shared=reach.shared,
        stream=ground.stream,
        traces=collect_traces(settings, database),
    )


def collect_traces(settings: Settings, database: Database) -> "Traces | None":
    """Begin to tell a collector what is done, where one is set; without, nothing of it is even loaded."""
    if settings.otel_exporter_otlp_endpoint is None:
        return None
    from app.observability.traces import Traces

    traces = Traces(settings)
    tracing.listen(traces)
    for engine in {database.writer, database.reader}:
        tell_slow(engine)
    return traces
