"""Numbers for Prometheus, in its text form: counters and histograms that this process keeps, gauges that are asked for."""

import asyncio
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LOOK_SECONDS = 0.05
Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Times in seconds, counted by how long they were."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one in."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


@dataclass(slots=True)
class ProviderCalls:
    """Calls of AI providers of a kind."""

    calls: int = 0
    failures: int = 0
    last_failure: str | None = None
    first_token: Histogram = field(default_factory=Histogram)


class Metrics:
    """What this process has counted since it began."""

    def __init__(self) -> None:
        self.began = time.time()
        self.requests: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
        self.statuses: Counter[tuple[str, str, int]] = Counter()
        self.providers: defaultdict[str, ProviderCalls] = defaultdict(ProviderCalls)
        self.lag = Histogram()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self.requests[method, route].observe(seconds)
        self.statuses[method, route, status] += 1

    async def look(self) -> None:
        """Count how much later than wanted the event loop comes back to a task, looking every `LOOK_SECONDS`.

        Looks that fell into a time when it was busy are counted as well, each with what was left of it: otherwise a
        second in which nobody was served would weigh as much as one look.
        """
        clock = asyncio.get_running_loop().time
        while True:
            wanted = clock() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            late = max(clock() - wanted, 0.0)
            self.lag.observe(late)
            while (late := late - LOOK_SECONDS) > 0:
                self.lag.observe(late)

    @property
    def errors(self) -> int:
        """Requests that failed through no fault of the caller."""
        return sum(count for (_, _, status), count in self.statuses.items() if status >= 500)

    def lines(self) -> Iterable[str]:
        """What was counted, as Prometheus reads it."""
        yield from family("samrad_start_time_seconds", "gauge", "When this process began.", {(): self.began})
        statuses: dict[Labels, float] = {
            (("method", method), ("route", route), ("status", str(status))): float(count)
            for (method, route, status), count in sorted(self.statuses.items())
        }
        yield from family("samrad_requests_total", "counter", "Requests that were answered.", statuses)
        times: dict[Labels, Histogram] = {
            (("method", m), ("route", r)): found for (m, r), found in sorted(self.requests.items())
        }
        yield from histograms("samrad_event_loop_lag_seconds", "How late the event loop is.", {(): self.lag})
        yield from histograms("samrad_request_seconds", "Time until an answer began.", times)
        kinds = sorted(self.providers.items())
        for name, about, attribute in (
            ("samrad_provider_calls_total", "Calls of AI providers.", "calls"),
            ("samrad_provider_failures_total", "Calls of AI providers that failed.", "failures"),
        ):
            values: dict[Labels, float] = {(("type", kind),): float(getattr(found, attribute)) for kind, found in kinds}
            yield from family(name, "counter", about, values)
        first: dict[Labels, Histogram] = {(("type", kind),): found.first_token for kind, found in kinds}
        yield from histograms("samrad_first_token_seconds", "Time until the first token came.", first)


def family(name: str, kind: str, about: str, values: Mapping[Labels, float]) -> Iterable[str]:
    """A metric with its values."""
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{_shown(labels)} {value:.15g}"


def histograms(name: str, about: str, values: Mapping[Labels, Histogram]) -> Iterable[str]:
    """A metric of times."""
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} histogram"
    for labels, found in values.items():
        so_far = 0
        for edge, count in zip((*(f"{edge:g}" for edge in BUCKETS), "+Inf"), found.counts, strict=True):
            so_far += count
            yield f"{name}_bucket{_shown((*labels, ('le', edge)))} {so_far}"
        yield f"{name}_sum{_shown(labels)} {found.sum:.15g}"
        yield f"{name}_count{_shown(labels)} {so_far}"


def _shown(labels: Labels) -> str:
    if not labels:
        return ""
    escaped = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    return "{" + ",".join(f'{name}="{value.translate(escaped)}"' for name, value in labels) + "}"
