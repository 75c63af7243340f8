"""An OpenTelemetry collector over OTLP/HTTP that keeps what it is sent."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(slots=True)
class Seen:
    """A piece of a trace as it arrived."""

    name: str
    trace_id: str
    id: str
    parent: str
    kind: int
    failed: bool
    milliseconds: float
    facts: dict[str, Any]
    marks: list[str] = field(default_factory=list)
    service: dict[str, Any] = field(default_factory=dict)


class _Receiving(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = cast("Collector", self.server)
        body = self.rfile.read(int(self.headers["content-length"]))
        server.take(self.path, dict(self.headers), body)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *words: Any) -> None: ...


class Collector(ThreadingHTTPServer):
    """Listens on a free port of this machine until `close`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiving)
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: set[str] = set()
        self._spans: list[Seen] = []
        self._news = threading.Condition()
        threading.Thread(target=self.serve_forever, name="collector", daemon=True).start()

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Keep what came."""
        sent = ExportTraceServiceRequest.FromString(body)
        with self._news:
            self.paths.add(path)
            self.headers.append({name.lower(): value for name, value in headers.items()})
            self.bodies.append(body)
            for of_process in sent.resource_spans:
                service = _facts(of_process.resource.attributes)
                for scope in of_process.scope_spans:
                    self._spans += [_seen(span, service) for span in scope.spans]
            self._news.notify_all()

    def wait(self, enough: Callable[[Sequence[Seen]], bool], seconds: float = 30) -> list[Seen]:
        """All that came, once it is enough; fails the test after `seconds`."""
        with self._news:
            if not self._news.wait_for(lambda: enough(self._spans), seconds):
                raise AssertionError(f"these traces only: {sorted(span.name for span in self._spans)}")
            return list(self._spans)

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


def _seen(span: Any, service: dict[str, Any]) -> Seen:
    return Seen(
        name=span.name,
        trace_id=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
        milliseconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
        facts=_facts(span.attributes),
        marks=[event.name for event in span.events],
        service=service,
    )


def _facts(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
