"""Traces to an OpenTelemetry collector over OTLP/HTTP. Imported only where one is set.

Sent from a thread of its own, in batches, from a queue that drops what does not fit: a collector that is slow or away
holds nobody up. The provider is our own: libraries that look for a global one find none.
"""

import asyncio
import contextlib
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from app import __version__
from app.config import Settings
from domain.kernel.tracing import Facts, Kind, Span

log = logging.getLogger(__name__)
EXPORT_SECONDS = 5.0
CLOSING_SECONDS = 2.0
"""So long the end of a process waits for what is still to be sent."""
QUIET_SECONDS = 60.0
CARRIED = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
KINDS: dict[Kind, trace.SpanKind] = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "consumer": trace.SpanKind.CONSUMER,
}


class OtelSpan:
    """See `domain.kernel.tracing.Span`."""

    def __init__(self, inner: trace.Span) -> None:
        self.inner = inner

    @property
    def trace_id(self) -> str:
        """The id of the trace, in hexadecimal."""
        return trace.format_trace_id(self.inner.get_span_context().trace_id)

    @property
    def carried(self) -> str:
        """As W3C `traceparent`."""
        context = self.inner.get_span_context()
        return f"00-{self.trace_id}-{trace.format_span_id(context.span_id)}-{context.trace_flags:02x}"

    def rename(self, name: str) -> None:
        """Give it another name."""
        self.inner.update_name(name)

    def note(self, facts: Facts) -> None:
        """Add attributes."""
        self.inner.set_attributes(facts)

    def mark(self, moment: str) -> None:
        """Add an event."""
        self.inner.add_event(moment)

    def fail(self, kind: str) -> None:
        """Its status is an error of this kind."""
        self.inner.set_attribute("error.type", kind)
        self.inner.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        """Hand it over for sending."""
        self.inner.end()


class Traces:
    """See `domain.kernel.tracing.Tracer`."""

    def __init__(self, settings: Settings) -> None:
        # What it says of a collector that is away, it says again and again; we say it once a minute.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        about: dict[str, str | int] = {
            "service.name": settings.otel_service_name,
            "service.version": __version__,
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
        }
        exporter = OTLPSpanExporter(
            endpoint=f"{settings.otel_exporter_otlp_endpoint}/v1/traces",
            headers=settings.otel_headers,
            timeout=EXPORT_SECONDS,
        )
        self._provider = TracerProvider(resource=Resource(about), shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(_Patient(exporter, settings.data_dir / "run" / "traces-not-taken"))
        )
        self._tracer = self._provider.get_tracer("samrad", __version__)

    def begin(self, name: str, facts: Facts, kind: Kind, parent: Span | str | None, seconds_ago: float) -> OtelSpan:
        """See `domain.kernel.tracing.Tracer`."""
        inside = Context()
        above = (
            parent.inner if isinstance(parent, OtelSpan) else _elsewhere(parent) if isinstance(parent, str) else None
        )
        if above is not None:
            inside = trace.set_span_in_context(above, inside)
        began = time.time_ns() - round(seconds_ago * 1e9)
        return OtelSpan(
            self._tracer.start_span(name, inside, KINDS[kind], facts, start_time=began, record_exception=False)
        )

    async def close(self) -> None:
        """Send what is left, within `CLOSING_SECONDS`."""
        sending = threading.Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        sending.start()
        await asyncio.to_thread(sending.join, CLOSING_SECONDS)


class _Patient(SpanExporter):
    """Says once a minute, for all processes of a machine, that the collector takes nothing; jobs are short processes."""

    def __init__(self, inner: SpanExporter, said: Path) -> None:
        self._inner, self._said = inner, said

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send; what is not taken is lost."""
        result = self._inner.export(spans)
        if result is not SpanExportResult.SUCCESS and not self._lately():
            log.warning("the collector of traces does not take them; see OTEL_EXPORTER_OTLP_ENDPOINT")
        return result

    def _lately(self) -> bool:
        """Whether somebody has said so within `QUIET_SECONDS`; from now on somebody has."""
        with contextlib.suppress(OSError):
            if time.time() - self._said.stat().st_mtime < QUIET_SECONDS:
                return True
        with contextlib.suppress(OSError):
            self._said.parent.mkdir(parents=True, exist_ok=True)
            self._said.touch()
        return not self._said.exists()

    def shutdown(self) -> None:
        """Give up what is being tried."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held back here."""
        return self._inner.force_flush(timeout_millis)


def _elsewhere(carried: str) -> trace.Span | None:
    """The piece of another process that was carried here; None when it is not what `traceparent` looks like."""
    match = CARRIED.fullmatch(carried)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    flags = trace.TraceFlags(int(match[4], 16) & trace.TraceFlags.SAMPLED)
    context = trace.SpanContext(int(match[2], 16), int(match[3], 16), is_remote=True, trace_flags=flags)
    return trace.NonRecordingSpan(context) if context.is_valid else None
