"""Work and accidents: people work for a long time, while processes are killed at random, or not.

    python -m benchmarks.soak --size one|many [--minutes 3] [--people 4] [--pause 1] [--kill-every 8]

`one` is `main.py serve` alone: SQLite, its own jobs. `many` are several web processes and workers on one Postgres and
one Valkey. People upload documents, search, and ask questions of which the answers are read as they are written, through
whichever web process answers. With accidents (`--kill-every 0` has none) web processes and workers are killed, and in
`many` Postgres and Valkey, which also forgets everything at times.

Exit status 1 when a promise was not kept (a document that was taken in is ready and found, a question that got its id
has an answer, which is what was read), when something was answered that may not be (without accidents: any error), when
an audit log is not whole, and when a run of 20 minutes or more ends with 10 % more memory than it had.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.soak.measures import Memory, latencies
from tests.support.houses import READY_SECONDS, House, ManyHouse
from tests.support.people import Person, Record, add_model
from tests.support.provider import Provider

SETTLE_SECONDS = 150.0
LONG_MINUTES = 20
MODEL = "rate:40:60"
"""Sixty words in a second and a half: long enough to be killed in."""


def arguments() -> argparse.Namespace:
    """What was chosen on the command line."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--size", choices=["one", "many"], default="many")
    told.add_argument("--minutes", type=float, default=3)
    told.add_argument("--webs", type=int, default=2, help="web processes (many)")
    told.add_argument("--workers", type=int, default=2, help="worker processes (many)")
    told.add_argument("--people", type=int, default=4)
    told.add_argument("--pause", type=float, default=1.0, help="seconds between a person's actions, on average")
    told.add_argument("--kill-every", type=float, default=8, help="seconds between accidents, on average; 0 = none")
    told.add_argument("--logs", type=Path, help="keep the logs of the processes in this folder")
    return told.parse_args()


async def happen(house: House, every: float, until: float, record: Record) -> Counter[str]:
    """Let accidents happen at random, the next when all is ready again; how often each did."""
    happened: Counter[str] = Counter()
    accidents = house.accidents()
    waiting: list[str] = []
    while every and time.monotonic() < until:
        await asyncio.sleep(random.uniform(0.5, 1.5) * every)
        # Each kind once, in any order, before one comes again.
        waiting = waiting or random.sample(list(accidents), len(accidents))
        name = waiting.pop()
        began = time.perf_counter()
        await asyncio.get_running_loop().run_in_executor(house.hand, accidents[name])
        try:
            await house.ready()
        except TimeoutError:
            record.wrong.append(f"not ready {READY_SECONDS:.0f} s after {name}")
        record.taken[f"{name}: until all is ready"].append(time.perf_counter() - began)
        happened[name] += 1
    return happened


async def soak(chosen: argparse.Namespace, house: House, provider: Provider) -> list[str]:
    """Let people work; what was wrong."""
    record, memory = Record(), Memory(house)
    await house.ready()
    model = await add_model(house.urls[0], provider, MODEL)
    people = [Person(number, house.urls, record) for number in range(chosen.people)]
    # Half of them are answered by the built-in model, half by a provider that writes word by word.
    await asyncio.gather(*(each.prepare(model if each.number % 2 else None) for each in people))
    until = time.monotonic() + chosen.minutes * 60
    watching = asyncio.create_task(memory.watch(until))
    happening = asyncio.create_task(happen(house, chosen.kill_every, until, record))
    await asyncio.gather(*(each.work(until, chosen.pause) for each in people))
    happened, _ = await asyncio.gather(happening, watching)
    await house.ready()
    await asyncio.gather(*(each.settle(SETTLE_SECONDS) for each in people))
    await asyncio.gather(*(each.leave() for each in people))
    wrong = list(record.wrong)
    if not chosen.kill_every:
        wrong += [f"{count} × {what}, without any accident" for what, count in record.trouble.items()]
    if chosen.minutes >= LONG_MINUTES:
        wrong += memory.grown()
    print("\n".join(["", *latencies(record.taken), "", *memory.rows(), ""]))
    documents, questions = sum(len(each.numbers) for each in people), sum(len(each.answers) for each in people)
    print(f"accidents   {dict(happened)}\ntrouble     {dict(record.trouble)}; {record.resumed} streams resumed")
    print(f"promised    {documents} documents, {questions} answers")
    return wrong


def main() -> int:
    chosen = arguments()
    # So that an impatient end still ends the processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    provider = Provider()
    provider.start()
    house = House() if chosen.size == "one" else ManyHouse(chosen.webs, chosen.workers)
    try:
        wrong = asyncio.run(soak(chosen, house, provider))
        audit = house.command("audit", "verify")
        print(f"audit log   {audit.stdout.strip() or audit.stderr.strip()}")
        print(f"wrong       {len(wrong)}", *wrong[:30], sep="\n            ", flush=True)
        return 1 if wrong or audit.returncode else 0
    finally:
        house.close(chosen.logs)
        provider.stop()


if __name__ == "__main__":
    sys.exit(main())
