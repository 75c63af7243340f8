"""The worker command: worker processes, the dispatcher and the sweeper, until SIGTERM."""

import asyncio
import logging
import signal
from time import monotonic

from app.bootstrap import build
from app.config import Settings
from app.databases import check_database
from app.from_settings import redis_url
from app.jobs.lanes import Dispatcher
from app.jobs.worker import Supervisor, lanes_of
from app.upkeep import crawl_websites, sweep_runs
from storage.migrate import SchemaError

log = logging.getLogger(__name__)

SCHEMA_SECONDS = 120.0
"""So long workers wait for another process to bring the database to the present schema."""
LOOK_SECONDS = 1.0


async def _schema(settings: Settings) -> None:
    """Raise `SchemaError` unless the database is ready, or soon is: web processes and workers may be started at once."""
    ends, waiting = monotonic() + SCHEMA_SECONDS, False
    while True:
        try:
            return await check_database(settings)
        except SchemaError:
            if monotonic() >= ends:
                raise
        if not waiting:
            log.info(
                "Waiting for the database to be brought to the present schema (main.py serve, or main.py migrate)."
            )
        waiting = True
        await asyncio.sleep(LOOK_SECONDS)


async def supervise(settings: Settings, count: int, lanes: str | None) -> None:
    """Run `count` workers on `lanes`."""
    await _schema(settings)
    supervisor = Supervisor(settings, count, lanes_of(lanes))
    await supervisor.start()
    runtime = await build(settings)
    dispatcher = Dispatcher(redis_url(settings), runtime.directory, runtime.services.jobs, runtime.bus)
    tasks = [asyncio.create_task(dispatcher.run()), asyncio.create_task(sweep_runs(runtime))]
    tasks.append(asyncio.create_task(crawl_websites(runtime)))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    for task in tasks:
        task.cancel()
    await supervisor.stop()
    await runtime.close()
