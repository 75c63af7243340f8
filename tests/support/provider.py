"""A scriptable OpenAI-compatible provider over real HTTP. The name of the model says how it behaves.

ok:N        N words, then the end              rate:R:N  R words a second, N words
script      says what the test has put into `script` (script:R so many words a second)
echo        quotes the last question, cites [1]   slow:S    waits S seconds, then answers
err:STATUS  an error with this status (err:429:S with Retry-After: S)
ctx         the request is longer than the model can read
dims:N      vectors of N numbers          noise     other vectors each time
cut:K       K words, then the line is cut      cuterr:K  K words, then an error within the stream
hang:K      K words, then silence              garbage   K lines that are no protocol
spoil:K     K words, then lines that are no protocol
tool        a call of a tool that nobody offered, its arguments cut off
think:K:N:R K words of thought beside the answer, R a second, then N words
thinkcut:K  K words of thought, then the line is cut
marks:N     thoughts between marks at the beginning of the answer, torn apart, then N words
retry:K     fails K times with 500, then answers          first:K   as an embedding model: answers K times, then fails

As a rerank model: what stands in `preferred` first (in that order), then the rest; `few:N` says only N places.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import math
import re
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any, TypeAlias

DIMS = 64
NO_PROTOCOL = b"data: {not json\n\ndata: <html>\n\n"
TOOL_CALL = {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "rm", "arguments": '{"path": "/'}}]}
Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter


@dataclass(slots=True)
class Recorded:
    """What the provider saw."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    reranked: list[dict[str, Any]] = field(default_factory=list)
    recordings: list[tuple[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    open: int = 0
    """Questions that are being answered, and the most there were at once."""
    most_open: int = 0
    busy: int = 0
    """The same for calls of every kind."""
    most_busy: int = 0


class Provider:
    """Runs on a thread and an event loop of its own; all counters may be read from the test at any time."""

    def __init__(self) -> None:
        self.seen = Recorded()
        self.script = ""
        self.may_end = threading.Event()
        """Cleared, it keeps back the last word of `script`."""
        self.may_end.set()
        self.sums_up = ""
        """The model that answers in place of any other when a conversation is to be summed up."""
        self.preferred: list[str] = []
        self.port = 0
        self._disconnected = threading.Semaphore(0)
        self._embedding = threading.Semaphore(0)
        self._question = threading.Semaphore(0)
        self._held_model = self._held_words = ""
        self._open = threading.Event()
        self._open.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider", daemon=True)

    @property
    def url(self) -> str:
        """The base address, as one would give it to an OpenAI client."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=64 * 1024**2)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def stop(self) -> None:
        """Stop listening."""
        asyncio.run_coroutine_threadsafe(self._halt(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _halt(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def reset(self) -> None:
        """Forget everything recorded, and answer again."""
        self.seen, self.sums_up = Recorded(), ""
        self.may_end.set()
        self.preferred = []
        self._open.set()
        for waiting in (self._disconnected, self._embedding, self._question):
            while waiting.acquire(blocking=False):
                pass

    def hold_embeddings(self, model: str = "", words: str = "") -> None:
        """Let requests for embeddings (of one model, or with these words) wait until `release_embeddings`."""
        self._held_model, self._held_words = model, words
        self._open.clear()

    def release_embeddings(self) -> None:
        """Answer the requests that wait, and all others."""
        self._open.set()

    def wait_for_embedding(self, seconds: float = 30) -> bool:
        """Whether another request for embeddings comes within `seconds`."""
        return self._embedding.acquire(timeout=seconds)

    def wait_for_question(self, seconds: float = 30) -> bool:
        """Whether another question comes within `seconds`."""
        return self._question.acquire(timeout=seconds)

    def wait_for_disconnect(self, seconds: float = 10) -> bool:
        """Whether a caller went away in mid-answer within `seconds`."""
        return self._disconnected.acquire(timeout=seconds)

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, reader: Reader, writer: Writer) -> bool:
        first = (await reader.readline()).decode().split()
        if len(first) < 2:
            return False
        headers: dict[str, str] = {}
        while (line := (await reader.readline()).decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        self.seen.bodies.append(raw)
        self.seen.headers.append(headers)
        seen = self.seen
        seen.busy += 1
        seen.most_busy = max(seen.most_busy, seen.busy)
        try:
            return await self._reply(reader, writer, first, headers, raw)
        finally:
            seen.busy -= 1

    async def _reply(
        self, reader: Reader, writer: Writer, first: list[str], headers: dict[str, str], raw: bytes
    ) -> bool:
        if first[1].endswith("/audio/transcriptions"):
            await self._transcript(writer, headers, raw)
            return True
        body = json.loads(raw) if raw else {}
        if first[1].endswith("/models"):
            await _answer(writer, 200, {"object": "list", "data": [{"id": "ok:5", "object": "model"}]})
        elif first[1].endswith("/embeddings"):
            self._embedding.release()
            asked = self._held_model in ("", body["model"]) and self._held_words in str(body["input"])
            if asked and not self._open.is_set() and await self._held(reader):
                self._disconnected.release()
                return False
            await self._embeddings(writer, body)
        elif first[1].endswith("/rerank"):
            return await self._rerank(reader, writer, body)
        elif first[1].endswith("/chat/completions"):
            seen = self.seen
            seen.open += 1
            seen.most_open = max(seen.most_open, seen.open)
            try:
                return await self._chat(reader, writer, body)
            finally:
                seen.open -= 1
        else:
            await _answer(writer, 404, _error("unknown path", "not_found"))
        return True

    async def _held(self, reader: Reader) -> bool:
        """Wait for `release_embeddings`; whether the caller went away instead."""
        gone = asyncio.create_task(_gone(reader, None))
        opened = asyncio.create_task(asyncio.to_thread(self._open.wait, 60))
        await asyncio.wait((gone, opened), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            return True
        gone.cancel()
        # Only one may wait for what the caller says next.
        await asyncio.gather(gone, return_exceptions=True)
        return False

    async def _transcript(self, writer: Writer, headers: dict[str, str], raw: bytes) -> None:
        """Speech of `ok:N`: N sentences, one every seven seconds. `plain` gives no times, `err:S` fails."""
        form = message_from_bytes(f"content-type: {headers['content-type']}\r\n\r\n".encode() + raw)
        fields = {str(part.get_param("name", header="content-disposition")): part for part in form.walk()}
        model = str(fields["model"].get_payload(decode=True).decode())  # type: ignore[union-attr]
        self.seen.calls[model] += 1
        self.seen.recordings.append(
            (fields["file"].get_filename() or "", fields["file"].get_payload(decode=True) or b"")
        )
        kind, _, rest = model.partition(":")
        if kind == "err":
            await _answer(writer, int(rest), _error("refused", "server_error"))
            return
        if kind == "plain":
            await _answer(writer, 200, {"text": "Hela mötet utan tider."})
            return
        spoken = [f"Mening {n} om bygglov och avgifter." for n in range(int(rest or 3))]
        segments = [{"id": n, "start": n * 7.0, "end": n * 7.0 + 6.5, "text": f" {t}"} for n, t in enumerate(spoken)]
        answer = {"task": "transcribe", "language": "swedish", "duration": len(spoken) * 7.0}
        await _answer(writer, 200, {**answer, "text": " ".join(spoken), "segments": segments})

    async def _embeddings(self, writer: Writer, body: dict[str, Any]) -> None:
        given = body["input"]
        texts: list[str] = [given] if isinstance(given, str) else given
        self.seen.embedded += texts
        model = str(body["model"])
        self.seen.calls[model] += 1
        kind, *rest = model.split(":")
        if kind == "retry" and self.seen.calls[model] <= int(rest[0]):
            kind, rest = "err", ["500"]
        if kind == "first" and self.seen.calls[model] > int(rest[0]):
            kind, rest = "err", ["500"]
        if kind == "err":
            await _answer(writer, int(rest[0]), _error("refused", "server_error"))
            return
        dims = int(rest[0]) if kind == "dims" else DIMS
        said = f" {self.seen.calls[model]}" * 9 if kind == "noise" else ""
        vectors: list[Any] = [embedding(f"{text}{said}", dims) for text in texts]
        if body.get("encoding_format") == "base64":
            vectors = [base64.b64encode(struct.pack(f"<{dims}f", *vector)).decode() for vector in vectors]
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        await _answer(writer, 200, {"object": "list", "model": model, "data": data, "usage": usage})

    async def _rerank(self, reader: Reader, writer: Writer, body: dict[str, Any]) -> bool:
        model = str(body["model"])
        kind, _, rest = model.partition(":")
        self.seen.calls[model] += 1
        self.seen.reranked.append(dict(body))
        if kind == "err":
            await _answer(writer, int(rest), _error("refused", "server_error"))
            return True
        if kind == "slow" and await _gone(reader, float(rest)):
            self._disconnected.release()
            return False
        if kind == "garbage":
            await _answer(writer, 200, {"results": [{"index": len(body["documents"]), "relevance_score": 1.0}]})
            return True
        wanted = {words: len(self.preferred) - n for n, words in enumerate(self.preferred)}
        scores = [max((w for words, w in wanted.items() if words in text), default=0) for text in body["documents"]]
        most = max(*scores, 1)
        results = [{"index": n, "relevance_score": score / most} for n, score in enumerate(scores)]
        results.sort(key=lambda row: -row["relevance_score"])
        count = int(rest) if kind == "few" else len(results)
        await _answer(writer, 200, {"results": results[:count], "usage": {"total_tokens": 77}})
        return True

    async def _chat(self, reader: Reader, writer: Writer, body: dict[str, Any]) -> bool:
        model = str(body["model"])
        if self.sums_up and str(body["messages"][-1]["content"]).startswith("Sum up what"):
            model = self.sums_up
        kind, *rest = model.split(":")
        self.seen.requests.append(dict(body))
        self.seen.calls[model] += 1
        self._question.release()
        if kind == "retry":
            kind, rest = ("err", ["500"]) if self.seen.calls[model] <= int(rest[0]) else ("ok", ["5"])
        if kind == "err":
            status = int(rest[0])
            code = {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(status, "server_error")
            await _answer(writer, status, _error(f"error {status}", code), rest[1] if len(rest) > 1 else "1")
            return True
        if kind == "script":
            body["script"], body["may_end"] = self.script, self.may_end
        if kind == "ctx":
            text = "This model's maximum context length is 100 tokens. However, your messages resulted in 900 tokens."
            await _answer(writer, 400, _error(text, "context_length_exceeded"))
            return True
        if kind == "slow" and await _gone(reader, float(rest[0])):
            self._disconnected.release()
            return False
        if not body.get("stream"):
            text = "".join([word async for word in _words(kind, rest, body)])
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            await _answer(writer, 200, {"object": "chat.completion", "choices": [choice], "usage": _usage(5)})
            return True
        return await self._stream(reader, writer, body, kind, rest)

    async def _stream(self, reader: Reader, writer: Writer, body: dict[str, Any], kind: str, rest: list[str]) -> bool:
        head = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        gone = asyncio.create_task(_gone(reader, None))
        count = 0
        try:
            if kind == "garbage":
                await _part(writer, NO_PROTOCOL)
            if kind == "tool":
                await _part(writer, _event(body, TOOL_CALL))
                await _part(writer, _event(body, {}, finish="tool_calls"))
                await _part(writer, b"data: [DONE]\n\n")
                await _part(writer, b"")
                return False
            async for delta in _thoughts(kind, rest):
                if gone.done():
                    raise ConnectionResetError
                await _part(writer, _event(body, delta))
            async for word in _words(kind, rest, body):
                if gone.done():
                    raise ConnectionResetError
                await _part(writer, _event(body, {"content": word}))
                count += 1
            if kind == "spoil":
                await _part(writer, NO_PROTOCOL)
            if kind in ("cut", "thinkcut"):
                writer.transport.abort()
                return False
            if kind == "cuterr":
                await _part(writer, b"data: " + json.dumps(_error("overloaded", "server_error")).encode() + b"\n\n")
                await _part(writer, b"")
                return False
            if kind == "hang":
                await gone
                raise ConnectionResetError
            await _part(writer, _event(body, {}, finish="stop"))
            if (body.get("stream_options") or {}).get("include_usage"):
                await _part(writer, _event(body, None, usage=_usage(count)))
            await _part(writer, b"data: [DONE]\n\n")
            await _part(writer, b"")
            self.seen.finished += 1
        except ConnectionError:
            self._disconnected.release()
        finally:
            gone.cancel()
        return False


def embedding(text: str, dims: int = DIMS) -> list[float]:
    """A unit vector of the words of `text`: texts that share words are near each other."""
    values = [0.0] * dims
    for word in text.lower().split():
        digest = hashlib.sha256(word.strip(".,:;?!").encode()).digest()
        values[digest[0] % dims] += 1.0
        values[digest[1] % dims] += 0.5
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


async def _thoughts(kind: str, rest: list[str]) -> AsyncIterator[dict[str, str]]:
    if kind == "marks":
        for piece in ("\n<th", "ink>t0 ", "t1 </th", "t2</thin", "k>\n", "\n"):
            yield {"content": piece}
    if kind in ("think", "thinkcut"):
        for number in range(int(rest[0])):
            yield {"reasoning_content": f"t{number} "}
            if len(rest) > 2:
                await asyncio.sleep(1 / float(rest[2]))


async def _words(kind: str, rest: list[str], body: dict[str, Any]) -> AsyncIterator[str]:
    if kind == "script":
        *words, last = re.findall(r"\s*\S+", body["script"])
        for word in words:
            yield word
            if rest:
                await asyncio.sleep(1 / float(rest[0]))
        while not body["may_end"].is_set():
            await asyncio.sleep(0.02)
        yield last
        return
    if kind == "echo":
        question = str(body["messages"][-1]["content"])
        for word in f"Enligt underlaget [1]: {question[-200:]}".split(" "):
            yield word + " "
        return
    counts = {"rate": 1, "think": 1, "marks": 0, "ok": 0, "cut": 0, "cuterr": 0, "hang": 0, "spoil": 0}
    count = int(rest[counts[kind]]) if kind in counts and len(rest) > counts[kind] else 5
    for number in range(0 if kind in ("garbage", "thinkcut") else count):
        if kind == "rate" and number:
            await asyncio.sleep(1 / float(rest[0]))
        yield f"w{number} "


async def _gone(reader: Reader, seconds: float | None) -> bool:
    """Whether the caller closes the line (within `seconds`)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await reader.read(1):
                pass
            return True
    return False


def _event(
    body: dict[str, Any], delta: dict[str, Any] | None, *, finish: str | None = None, usage: Any = None
) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    return b"data: " + json.dumps(event | {"choices": choices} | ({"usage": usage} if usage else {})).encode() + b"\n\n"


def _usage(count: int) -> dict[str, int]:
    return {"prompt_tokens": 11, "completion_tokens": count, "total_tokens": 11 + count}


def _error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


async def _part(writer: Writer, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


async def _answer(writer: Writer, status: int, body: dict[str, Any], retry_after: str = "1") -> None:
    data = json.dumps(body).encode()
    retry = f"retry-after: {retry_after}\r\n" if status == 429 else ""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{retry}content-length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    await writer.drain()
