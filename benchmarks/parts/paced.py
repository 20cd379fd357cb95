"""Generate load at a given rate: requests start when they are due, whatever happened before.

Latencies use `time.perf_counter`, because uvloop's clock only counts milliseconds.
"""

import asyncio
import statistics
from dataclasses import dataclass
from time import perf_counter

import uvloop

from benchmarks.parts.load import without_pauses


@dataclass(frozen=True, kw_only=True)
class Paced:
    """Latencies from when a request was due."""

    median_ms: float
    p99_ms: float
    answers: int


def paced(port: int, request: bytes, *, rate: float, seconds: float, connections: int) -> Paced:
    """Send requests at this rate for this long over kept connections."""
    with without_pauses():
        latencies = uvloop.run(_paced(port, request, rate, seconds, connections))
    latencies.sort()
    return Paced(
        median_ms=1000 * statistics.median(latencies),
        p99_ms=1000 * latencies[int(len(latencies) * 0.99)],
        answers=len(latencies),
    )


async def _paced(
    port: int, request: bytes, rate: float, seconds: float, connections: int
) -> list[float]:
    due: asyncio.Queue[float] = asyncio.Queue()
    latencies: list[float] = []

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            began = await due.get()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(
                int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
            )
            latencies.append(perf_counter() - began)
            due.task_done()

    asking = [asyncio.create_task(ask()) for _ in range(connections)]
    start = perf_counter() + 0.2
    count = int(rate * seconds)
    for number in range(count):
        moment = start + number / rate
        if moment > perf_counter():
            await asyncio.sleep(moment - perf_counter())
        due.put_nowait(moment)
    await due.join()
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    return latencies
