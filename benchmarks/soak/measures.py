"""What a run is judged by: how long things took, and whether memory grows."""

import asyncio
import time
from collections import defaultdict
from statistics import median

import psutil  # type: ignore[import-untyped]

from benchmarks.installation import quantile
from tests.support.houses import House

SAMPLE_SECONDS = 5.0
WARM_UP = 0.15
"""This share of a run is not looked at: caches and models are being filled."""
MOST_DRIFT = 10.0
LEAST_MB = 4.0
"""Growth by less than this is the noise of a small process."""
PASSING = {"job"}
"""Processes that live as long as one job cannot grow over a run."""


class Memory:
    """The resident memory of each kind of process over time, in MB."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.samples: dict[str, list[tuple[float, float]]] = defaultdict(list)

    async def watch(self, until: float) -> None:
        """Look again and again, until the moment."""
        began = time.monotonic()
        while time.monotonic() < until:
            held = await asyncio.to_thread(self._look)
            for kind, megabytes in held.items():
                self.samples[kind].append(((time.monotonic() - began) / (until - began), megabytes))
            await asyncio.sleep(SAMPLE_SECONDS)

    def _look(self) -> dict[str, float]:
        return {kind: sum(map(_resident, found)) for kind, found in self._house.processes().items()}

    def drift(self, kind: str) -> tuple[float, float, float]:
        """Median of the first third after the warm-up, of the last third, and the difference in percent."""
        third = (1 - WARM_UP) / 3
        first = [held for moment, held in self.samples[kind] if WARM_UP <= moment < WARM_UP + third]
        last = [held for moment, held in self.samples[kind] if moment >= 1 - third]
        if not first or not last:
            return 0.0, 0.0, 0.0
        before, after = median(first), median(last)
        return before, after, (after - before) / before * 100

    def grown(self) -> list[str]:
        """The kinds of process that hold more and more."""
        found = []
        for kind in self.samples.keys() - PASSING:
            before, after, percent = self.drift(kind)
            if percent >= MOST_DRIFT and after - before >= LEAST_MB:
                found.append(f"{kind} grew from {before:.0f} to {after:.0f} MB")
        return found

    def rows(self) -> list[str]:
        """A Markdown table."""
        lines = ["| memory of | first third, MB | last third, MB | drift | most, MB |", "|---|---|---|---|---|"]
        for kind, samples in sorted(self.samples.items()):
            before, after, percent = self.drift(kind)
            most = max(held for _, held in samples)
            lines.append(f"| {kind} | {before:.0f} | {after:.0f} | {percent:+.1f} % | {most:.0f} |")
        return lines


def _resident(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def latencies(taken: dict[str, list[float]]) -> list[str]:
    """A Markdown table of what people waited for, in milliseconds."""
    lines = ["| what | times | p50 | p95 | p99 | most |", "|---|---|---|---|---|---|"]
    for kind, seconds in sorted(taken.items()):
        told = [quantile(seconds, share) for share in (0.5, 0.95, 0.99)]
        shown = " | ".join(f"{each * 1_000:,.0f} ms" for each in (*told, max(seconds)))
        lines.append(f"| {kind} | {len(seconds):,} | {shown} |")
    return lines
