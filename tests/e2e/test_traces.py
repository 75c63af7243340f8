"""Traces as a collector gets them: from a request to the provider, and through the queue to the worker."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from uuid import uuid4

import pytest

from tests.support.browser import in_thread
from tests.support.collector import Collector, Seen
from tests.support.houses import House, ManyHouse
from tests.support.people import Person, Record, add_model
from tests.support.provider import Provider

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100", "LOG_FORMAT": "json"}
HARMLESS_SECONDS = 10


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def _settings(collector: Collector) -> dict[str, str]:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b"}
    return endpoint | SOON


@pytest.fixture(scope="module")
def one(collector: Collector) -> Iterator[House]:
    made = House(**_settings(collector))
    in_thread(made.ready())
    yield made
    made.close()


@pytest.fixture(scope="module")
def many(collector: Collector) -> Iterator[House]:
    made = ManyHouse(1, 1, **_settings(collector))
    in_thread(made.ready())
    yield made
    made.close()


def _named(spans: Sequence[Seen], name: str) -> list[Seen]:
    return [span for span in spans if span.name == name]


def _above(spans: Sequence[Seen], span: Seen) -> list[str]:
    """The names of all that a piece is part of, the nearest first."""
    by_id = {each.id: each for each in spans}
    names = []
    while (above := by_id.get(span.parent)) is not None:
        names.append(above.name)
        span = above
    return names


@pytest.mark.timeout(180)
@pytest.mark.parametrize("size", ["many", "one"])
async def test_what_is_done_is_one_trace_and_tells_nothing_of_anybody(
    size: str, request: pytest.FixtureRequest, collector: Collector, provider: Provider
) -> None:
    house: House = request.getfixturevalue(size)
    model = await add_model(house.urls[0], provider, "ok:20")
    who = Person(1, house.urls, Record())
    await who.prepare(model)
    trace_id, secret = uuid4().hex, "kanariefågel"
    headers = {"traceparent": f"00-{trace_id}-00000000000000ab-01"}
    path = f"/api/v1/groups/{who.collection}/documents/"
    text = f"Avgiften för {secret} är 300 kronor.".encode()
    document = await who.send("PUT", path, params={"name": f"{secret}.txt"}, content=text, headers=headers)
    state = ""
    while state != "ready":
        state = (await who.send("GET", f"/api/v1/info-blobs/{document['id']}/"))["state"]
        assert state not in ("failed", "cancelled")

    def job_ended(spans: Sequence[Seen]) -> bool:
        return any(span.name.startswith("job ") for span in spans if span.trace_id == trace_id)

    spans = [span for span in await asyncio.to_thread(collector.wait, job_ended) if span.trace_id == trace_id]
    [taken] = _named(spans, "PUT /api/v1/groups/{id}/documents/")
    [job] = [span for span in spans if span.name.startswith("job ")]
    assert taken.parent == "00000000000000ab"
    assert taken.facts["http.response.status_code"] == 202
    assert _above(spans, job) == [taken.name]
    assert (job.facts["samrad.job.lane"], job.facts["samrad.job.attempt"], job.failed) == ("ingest", 1, False)
    assert job.service["process.pid"] != taken.service["process.pid"]
    assert job.service["service.name"] == "samrad"
    for part in ("read document", "cut document", "embed"):
        assert _above(spans, _named(spans, part)[0])[-2:] == [job.name, taken.name]

    trace_id = uuid4().hex
    headers = {"traceparent": f"00-{trace_id}-00000000000000cd-01"}
    body = {"assistant_id": who.assistant, "question": f"Vad kostar {secret} för anna.canary@example.se?"}
    answered = await who.send("POST", "/api/v1/conversations/", params={"q": secret}, json=body, headers=headers)
    assert answered["answer"]

    def answer_ended(spans: Sequence[Seen]) -> bool:
        return {"answer", "POST /api/v1/conversations/"} <= {span.name for span in spans if span.trace_id == trace_id}

    spans = [span for span in await asyncio.to_thread(collector.wait, answer_ended) if span.trace_id == trace_id]
    [answer], [chat], [retrieve] = (_named(spans, name) for name in ("answer", "chat", "retrieve"))
    assert _above(spans, chat) == _above(spans, retrieve) == ["answer", "POST /api/v1/conversations/"]
    assert chat.facts["gen_ai.request.model"] == answer.facts["gen_ai.request.model"] == "ok:20"
    assert chat.marks == ["first token"]
    assert (answer.facts["gen_ai.usage.output_tokens"], answer.facts["samrad.answer.state"]) == (20, "done")
    # The question is embedded before the search itself begins.
    for part, whole in (("embed", "answer"), ("search vectors", "retrieve"), ("search texts", "retrieve")):
        assert _above(spans, _named(spans, part)[0])[0] == whole
    assert answer.milliseconds >= chat.milliseconds > 0

    assert collector.paths == {"/v1/traces"}
    assert all(each["x-key"] == "a b" for each in collector.headers)
    # To those outside nothing of it goes on.
    assert not any("traceparent" in headers or "tracestate" in headers for headers in provider.seen.headers)
    told = b"".join(collector.bodies)
    for private in (secret, "kanarief", "canary", "anna@", "Hjälpen", "Handböcker", "Rum 1", who.space, who.assistant):
        assert private.encode() not in told, private
    # Who reads the log finds the trace, and the other way round.
    [correlation] = {span.facts["samrad.correlation_id"] for span in spans if "samrad.correlation_id" in span.facts}
    assert len(correlation) == 16
    await who.leave()


@pytest.mark.timeout(120)
async def test_a_dead_collector_harms_nobody(one: House, collector: Collector) -> None:
    collector.close()
    who = Person(1, one.urls, Record())
    began = time.monotonic()
    await who.prepare()
    for _ in range(2):
        await who.upload()
    await who.settle(60)
    for _ in range(5):
        await who.ask()
    assert not who.record.wrong
    assert max(who.record.taken["question until the end of the answer"]) < HARMLESS_SECONDS
    await who.leave()
    minutes = (time.monotonic() - began) // 60 + 1
    logs = "".join(path.read_text() for path in one.folder.glob("*.log"))
    lines = [line for line in logs.splitlines() if "collector" in line or "v1/traces" in line]
    assert len(lines) <= minutes
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in lines[0]
