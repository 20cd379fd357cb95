import asyncio
from typing import cast

from app.http.server.transport import MAX_GATHERED_BYTES, GatheringTransport


class FakeTransport:
    """Records what is written to it."""

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
    return GatheringTransport(cast("asyncio.Transport", fake), fake.close)


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
