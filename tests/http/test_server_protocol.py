import asyncio
from typing import cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from app.http.server_protocol import MAX_GATHERED_BYTES, DirectProtocol, GatheringTransport

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class FakeTransport:
    """Remembers what reached it."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, name: str) -> str:
        return name


def gathering(fake: FakeTransport) -> GatheringTransport:
    return GatheringTransport(cast("asyncio.Transport", fake))


def test_head_and_body_leave_in_one_write() -> None:
    async def scenario() -> list[bytes]:
        fake = FakeTransport()
        transport = gathering(fake)
        for turn in (b"first", b"second"):
            transport.write(b"head of " + turn + b", ")
            transport.write(b"body")
            await asyncio.sleep(0)
        return fake.writes

    assert asyncio.run(scenario()) == [b"head of first, body", b"head of second, body"]


def test_closing_sends_what_was_written_before() -> None:
    async def scenario() -> FakeTransport:
        fake = FakeTransport()
        transport = gathering(fake)
        transport.write(b"last words")
        transport.close()
        await asyncio.sleep(0)
        return fake

    fake = asyncio.run(scenario())
    assert fake.writes == [b"last words"]
    assert fake.closed


def test_a_connection_that_is_gone_is_not_written_to() -> None:
    async def scenario() -> list[bytes]:
        fake = FakeTransport()
        transport = gathering(fake)
        transport.write(b"too late")
        fake.closed = True
        await asyncio.sleep(0)
        return fake.writes

    assert asyncio.run(scenario()) == []


def test_a_long_download_does_not_gather_in_memory() -> None:
    async def scenario() -> list[bytes]:
        fake = FakeTransport()
        transport = gathering(fake)
        transport.write(b"x" * MAX_GATHERED_BYTES)
        transport.write(b"y")
        return fake.writes

    assert asyncio.run(scenario()) == [b"x" * MAX_GATHERED_BYTES + b"y"]


def test_the_rest_is_the_transports_own() -> None:
    async def scenario() -> object:
        return gathering(FakeTransport()).get_extra_info("peername")  # type: ignore[operator]

    assert asyncio.run(scenario()) == "peername"


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers everything alike."""
    del scope, receive
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hi"})


async def after_farewell(request: bytes) -> bytes:
    """What an idle connection gives to a request that comes after its server began to end."""
    config = uvicorn.Config(greet, http=DirectProtocol, lifespan="off", log_level="critical")
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: DirectProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(REQUEST)
        assert (await reader.readuntil(b"\r\n\r\nhi")).startswith(b"HTTP/1.1 200 ")
        (connection,) = state.connections
        connection.shutdown()
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.read(), 60)  # to the connection's end
        finally:
            writer.close()


def test_an_ending_server_answers_a_last_request_and_says_goodbye(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.http.server_protocol.FAREWELL_SECONDS", 600)
    answer = asyncio.run(after_farewell(REQUEST))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer
    assert answer.endswith(b"hi")


def test_an_ending_server_closes_what_stays_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http.server_protocol.FAREWELL_SECONDS", 0.01)
    assert asyncio.run(after_farewell(b"")) == b""
