"""Where outbound calls may go."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.ai.openai_stream import stream
from app.security.outbound import OutboundGuard, is_public
from domain.kernel.errors import ProviderFailed

PRIVATE = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1",
    "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "193.10.10.10", "2a00:1450:4001::8", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_these_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_these_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost:8080/", "http://LOCALHOST/", "http://2130706433/", "http://0x7f000001/",
        "http://0177.0.0.1/", "http://127.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest",
        "http://user:pass@10.0.0.1/", "http://0/",
    ],
)  # fmt: skip
async def test_addresses_in_disguise_are_refused(url: str) -> None:
    with pytest.raises(ProviderFailed) as refusal:
        await OutboundGuard().check(url, "provider")
    assert "private network" in refusal.value.message


async def test_an_unknown_name_is_said_to_be_unknown() -> None:
    with pytest.raises(ProviderFailed) as refusal:
        await OutboundGuard().check("http://finns-inte.invalid/", "provider")
    assert refusal.value.params == {"host": "finns-inte.invalid"}
    assert "not known" in refusal.value.message


async def test_a_public_address_is_allowed_as_it_stands() -> None:
    assert await OutboundGuard().resolve("8.8.8.8", 443) == "8.8.8.8"


@pytest.mark.parametrize(
    "entry", ["localhost", "LocalHost:8443", " 127.0.0.1 ", "127.0.0.1:8443", "127.0.0.0/8", "10.0.0.0/8, localhost"]
)
async def test_an_operator_can_allow_a_private_host(entry: str) -> None:
    guard = OutboundGuard([*entry.split(","), "::1"])
    assert await guard.resolve("localhost", 8443) in ("127.0.0.1", "::1")


@pytest.mark.parametrize("entry", ["localhost:8080", "127.0.0.2", "10.0.0.0/8", "ocalhost", "localhost.example.se", ""])
async def test_an_entry_allows_nothing_but_itself(entry: str) -> None:
    with pytest.raises(ProviderFailed):
        await OutboundGuard([entry]).resolve("localhost", 8443)


async def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    _names(monkeypatch, ["8.8.8.8", "10.0.0.7"])
    with pytest.raises(ProviderFailed):
        await OutboundGuard().resolve("dubbel.example.se", 443)


def _names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let the operating system's name service answer so, one answer after the other; who was asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        asked.append(host)
        return [(2, 1, 6, "", (address, port)) for address in answers[min(len(asked), len(answers)) - 1]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


class Server:
    """A web server on this machine that records what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        place = f"http://127.0.0.1:{self.port}/secret".encode()
        answer = b"HTTP/1.1 302 Found\r\nlocation: " + place if b"/redirect" in head else b"HTTP/1.1 200 OK"
        writer.write(answer + b"\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    handler = Server()
    running = await asyncio.start_server(handler, "127.0.0.1", 0)
    handler.port = running.sockets[0].getsockname()[1]
    yield handler
    running.close()
    await running.wait_closed()


async def test_the_client_does_not_connect_to_this_machine(server: Server) -> None:
    guard = OutboundGuard()
    try:
        with pytest.raises(ProviderFailed):
            await guard.client("provider").get(f"http://127.0.0.1:{server.port}/")
        assert server.asked == []
    finally:
        await guard.close()


async def test_the_client_goes_where_it_is_allowed_and_follows_no_redirect(server: Server) -> None:
    guard = OutboundGuard([f"127.0.0.1:{server.port}"])
    try:
        client = guard.client("provider")
        assert client is guard.client("provider")
        assert (await client.get(f"http://127.0.0.1:{server.port}/")).text == "ok"
        answer = await client.get(f"http://127.0.0.1:{server.port}/redirect")
        assert answer.status_code == 302
        assert len(server.asked) == 2
    finally:
        await guard.close()


async def test_the_name_is_looked_up_anew_and_vetted_for_each_connection(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = OutboundGuard([f"bytt.example.se:{server.port}"])
    strict = OutboundGuard()
    asked = _names(monkeypatch, ["127.0.0.1"])
    url = f"http://bytt.example.se:{server.port}/"
    try:
        assert (await guard.client("provider").get(url)).text == "ok"
        assert b"host: bytt.example.se" in server.asked[0].lower()
        assert asked == ["bytt.example.se"]
        with pytest.raises(ProviderFailed):
            await strict.client("provider").get(url)
        assert len(server.asked) == 1
    finally:
        await guard.close()
        await strict.close()


async def test_a_proxy_from_the_environment_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    guard = OutboundGuard()
    try:
        with pytest.raises((ProviderFailed, httpx.HTTPError)):
            await guard.client("provider").get("http://finns-inte.invalid/")
        assert server.asked == []
    finally:
        await guard.close()


async def test_a_name_service_that_is_silent_is_waited_for_no_longer_than_a_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def getaddrinfo(*_: object, **__: object) -> object:
        return await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    guard = OutboundGuard()
    try:
        with pytest.raises(httpx.ConnectTimeout):
            await guard.client("provider").get("https://tyst.example.se/", timeout=httpx.Timeout(60, connect=0.1))
    finally:
        await guard.close()


async def test_the_client_for_streams_does_not_connect_to_this_machine_however_it_is_written(server: Server) -> None:
    guard = OutboundGuard()
    streams = await guard.streams()
    try:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"):
            with pytest.raises(ProviderFailed) as refusal:
                await streams.get(f"http://{host}:{server.port}/")
            assert "private network" in refusal.value.message
        assert server.asked == []
    finally:
        await guard.close()


async def test_the_client_for_streams_goes_to_the_address_that_was_vetted_for_the_name(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard, strict = OutboundGuard([f"bytt.example.se:{server.port}"]), OutboundGuard()
    asked = _names(monkeypatch, ["127.0.0.1"])
    url = f"http://bytt.example.se:{server.port}/"
    try:
        streams = await guard.streams()
        assert streams is await guard.streams()
        async with streams.get(url) as answer:
            assert await answer.text() == "ok"
        assert b"host: bytt.example.se" in server.asked[0].lower()
        assert asked == ["bytt.example.se"]
        # The name was allowed, not the address behind it.
        with pytest.raises(ProviderFailed):
            await streams.get(f"http://127.0.0.1:{server.port}/")
        with pytest.raises(ProviderFailed):
            await (await strict.streams()).get(url)
        assert len(server.asked) == 1
    finally:
        await guard.close()
        await strict.close()


async def test_an_answer_does_not_follow_a_redirect(server: Server) -> None:
    guard = OutboundGuard([f"127.0.0.1:{server.port}"])
    try:
        with pytest.raises(ProviderFailed):
            async for _ in stream(guard, f"http://127.0.0.1:{server.port}/redirect", None, "m", [], 5, {}):
                pass
        assert len(server.asked) == 1
    finally:
        await guard.close()


async def test_a_kept_connection_that_the_server_closes_as_it_is_used_again_loses_no_question() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        event = b'data: {"choices": [{"delta": {"content": "hej"}, "finish_reason": "stop"}]}\n\n'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(event), event))
        await writer.drain()
        # What comes next on it is not answered any more.
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    guard = OutboundGuard([f"127.0.0.1:{port}"])
    try:
        for asked in (1, 2, 3):
            pieces = [piece async for piece in stream(guard, f"http://127.0.0.1:{port}", None, "m", [], 5, {})]
            assert ([piece.text for piece in pieces], connections) == (["hej"], asked)
    finally:
        await guard.close()
        server.close()
