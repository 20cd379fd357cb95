"""Generate load cheaply: raw HTTP/1.1 over any number of kept connections."""

import asyncio
import gc
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import uvloop


@dataclass(frozen=True, kw_only=True)
class Load:
    """The result of several seconds of load."""

    requests_per_second: float
    median_ms: float
    p99_ms: float
    failures: int
    answers: int  # including those of the first half second


def request_bytes(path: str, body: object) -> bytes:
    """Return a POST as sent over the wire."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Caller(asyncio.Protocol):
    """Sends the same request again as soon as its answer is complete."""

    def __init__(self, request: bytes, latencies: list[float], failures: list[bytes]) -> None:
        self._request = request
        self._latencies = latencies
        self._failures = failures
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not derived from it
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Send the request again when its answer is complete."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        if not end or len(body) < int(length):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._failures.append(self._received)
        self._received = b""
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._ask()

    def _ask(self) -> None:
        self._sent_at = time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._request)

    def close(self) -> None:
        """Disconnect."""
        if self._transport is not None:
            self._transport.close()


@contextmanager
def without_pauses() -> Iterator[None]:
    """Disable garbage collection: collecting everything that a benchmark imported took 0.1 s.

    Measured latencies would include that pause.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def load(port: int, request: bytes, *, connections: int, seconds: float) -> Load:
    """Send requests over this many connections for this long, after half a second of warm-up."""
    with without_pauses():
        return uvloop.run(_load(port, request, connections, seconds))


async def _load(port: int, request: bytes, connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    failures: list[bytes] = []
    callers = [
        (
            await loop.create_connection(
                lambda: Caller(request, latencies, failures), "127.0.0.1", port
            )
        )[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(0.5)
    warm_up = len(latencies)
    latencies.clear()
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - started
    done = sorted(latencies)
    for caller in callers:
        caller.close()
    if failures:
        print(failures[0][:500])
    return Load(
        requests_per_second=len(done) / elapsed,
        median_ms=1000 * statistics.median(done),
        p99_ms=1000 * done[int(len(done) * 0.99)],
        failures=len(failures),
        answers=warm_up + len(done),
    )
