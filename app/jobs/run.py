"""The worker command: worker processes, the dispatcher and the sweeper, until SIGTERM."""

import asyncio
import signal
from functools import partial

from app.bootstrap import build
from app.config import Settings
from app.databases import check_database, patiently
from app.from_settings import redis_url
from app.jobs.lanes import Dispatcher
from app.jobs.worker import Supervisor, lanes_of
from app.upkeep import crawl_websites, sweep_runs


async def supervise(settings: Settings, count: int, lanes: str | None) -> None:
    """Run `count` workers on `lanes`."""
    # Web processes and workers may be started at once: those bring the database to the present schema.
    await patiently(partial(check_database, settings), migrated=False)
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
