"""Traces inside a process: nothing where nobody listens, and nothing that is not to be told where somebody does."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.config import Settings, SettingsError, load
from app.observability import logs
from app.observability.traces import Traces
from domain.kernel import tracing
from storage import slow
from tests.support.collector import Collector, Seen

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
async def traces(collector: Collector, tmp_path: Path) -> AsyncIterator[Traces]:
    """This process tells the collector what it does."""
    settings = Settings(_env_file=None, data_dir=tmp_path, otel_exporter_otlp_endpoint=collector.url)  # type: ignore[call-arg]
    made = Traces(settings)
    tracing.listen(made)
    yield made
    tracing.listen(None)
    await made.close()


async def _sent(traces: Traces, collector: Collector) -> list[Seen]:
    await traces.close()
    return collector.wait(lambda spans: True)


def test_without_a_collector_nothing_is_loaded_and_nothing_is_kept() -> None:
    program = (
        "import sys, app.server, app.jobs.work\n"
        "from domain.kernel import tracing\n"
        "with tracing.span('x', {'a': 1}) as span: assert span is tracing.SILENT and tracing.carried() is None\n"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


async def test_pieces_lie_in_each_other_and_go_on_in_other_tasks(traces: Traces, collector: Collector) -> None:
    async def beside() -> None:
        with tracing.span("beside"):
            await asyncio.sleep(0)

    with tracing.span("whole", {"number": 3}) as whole:
        task = asyncio.create_task(beside())
        with pytest.raises(ValueError, match="geheim"), tracing.span("broken"):
            raise ValueError("geheim")
        elsewhere = tracing.carried()
    await task
    with tracing.span("elsewhere", parent=elsewhere):
        assert tracing.present().trace_id == whole.trace_id
    spans = {span.name: span for span in await _sent(traces, collector)}
    assert {span.trace_id for span in spans.values()} == {whole.trace_id}
    assert {span.parent for name, span in spans.items() if name != "whole"} == {spans["whole"].id}
    assert spans["whole"].facts == {"number": 3}
    assert (spans["broken"].failed, spans["broken"].facts) == (True, {"error.type": "ValueError"})
    assert b"geheim" not in b"".join(collector.bodies)


@pytest.mark.parametrize(
    ("carried", "taken"),
    [
        (f"00-{FOREIGN}-b7ad6b7169203331-01", True),
        (f"cc-{FOREIGN}-b7ad6b7169203331-01-what-comes", True),
        (f"00-{FOREIGN}-b7ad6b7169203331-01-more", False),
        (f"ff-{FOREIGN}-b7ad6b7169203331-01", False),
        (f"00-{FOREIGN.upper()}-b7ad6b7169203331-01", False),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", False),
        (f"00-{FOREIGN}-{'0' * 16}-01", False),
        ("", False),
        ("x" * 10_000, False),
    ],
)
async def test_a_trace_is_taken_from_a_caller_who_names_one(traces: Traces, carried: str, taken: bool) -> None:
    with tracing.span("request", parent=carried) as span:
        assert (span.trace_id == FOREIGN) is taken
        assert len(span.carried) == 55


async def test_what_a_caller_does_not_want_sampled_is_not_sent(traces: Traces, collector: Collector) -> None:
    with tracing.span("unwanted", parent=f"00-{FOREIGN}-b7ad6b7169203331-00"):
        assert (tracing.carried() or "").endswith("-00")
    with tracing.span("wanted"):
        pass
    assert [span.name for span in await _sent(traces, collector)] == ["wanted"]


async def test_the_log_names_the_trace(traces: Traces, capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "something", (), None)
    with tracing.span("piece") as span:
        inside = json.loads(logs._Json().format(record))
    outside = json.loads(logs._Json().format(record))
    assert inside["trace_id"] == span.trace_id
    assert "trace_id" not in outside


async def test_slow_statements_are_told_without_their_text(
    traces: Traces, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    slow.tell_slow(engine)
    async with engine.begin() as connection:
        await connection.execute(text("create table people (name text)"))
        monkeypatch.setattr(slow, "SLOW_SECONDS", 0.0)
        await connection.execute(text("select 'geheim' from people where name = 'geheim'"))
    await engine.dispose()
    [span] = await _sent(traces, collector)
    assert span.name == "database statement"
    assert span.facts == {
        "db.system.name": "sqlite", "db.operation.name": "SELECT", "db.collection.name": "people",
    }  # fmt: skip
    assert b"geheim" not in b"".join(collector.bodies)


def test_settings_of_the_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(
        otel_exporter_otlp_endpoint="http://collector:4318/", otel_exporter_otlp_headers="Api-Key=a%20b, t=1"
    )
    assert settings.otel_exporter_otlp_endpoint == "http://collector:4318"
    assert settings.otel_headers == {"api-key": "a b", "t": "1"}
    for wrong in ({"otel_exporter_otlp_endpoint": "collector:4318"}, {"otel_exporter_otlp_headers": "only a key"}):
        with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP"):
            load(**wrong)
