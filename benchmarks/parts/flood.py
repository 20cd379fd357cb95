"""Send more requests than can be answered, with as cheap a client as possible."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import uvloop

REFUSED_SECONDS = 0.05  # a polite caller would wait for the second that it is told


@dataclass(kw_only=True)
class Flood:
    """The answers so far."""

    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0  # of the 503 answers


def flood(port: int, request: bytes, *, connections: int, seconds: float) -> Flood:
    """Send requests continuously on this many connections, whatever the answers."""
    return uvloop.run(_flood(port, request, connections, seconds))


async def _flood(port: int, request: bytes, connections: int, seconds: float) -> Flood:
    found = Flood()
    tasks = [asyncio.create_task(_ask(port, request, found)) for _ in range(connections)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _ask(port: int, request: bytes, found: Flood) -> None:
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                writer.write(request)
                await writer.drain()
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
                await reader.readexactly(int(length))
                status = int(head.split(maxsplit=2)[1])
                found.statuses[status] += 1
                found.without_retry_after += status == 503 and b"retry-after" not in head
                if status == 503:
                    await asyncio.sleep(REFUSED_SECONDS)
        writer.close()
