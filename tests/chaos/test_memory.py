"""Measure the memory of a real api process while callers try to exhaust it."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.chaos.load import Load
from tests.chaos.table import NOTES
from tests.places import open_place
from tests.serving import WITHOUT_WORKER, Served, served

pytestmark = [pytest.mark.slow, pytest.mark.linux, pytest.mark.timeout(600)]

MOST_GROWTH_MB = 100
KB_PER_MB = 1024
RESET_PEAK = "5"  # proc_pid_clear_refs(5)
SILENT_SECONDS = 2.0
CONNECTIONS = 16
HEADERS = b"".join(b"x-%d: 1\r\n" % number for number in range(8000))
LONG_HEADER = b"x: " + b"y" * (1 << 20)
MEGABYTES = 160
TEXT: dict[str, object] = {"model": "belling-the-cat", "text": "long ago , the", "steps": 1000}
TEXTS, MOST_TEXTS = 1000, 50  # the answers of more would have more values than are allowed
SERIES: dict[str, object] = {"model": "google-stock", "history": [778.81] * 400}
MOST_SERIES = 1000


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with open_place() as place, served(place / "data", environment=WITHOUT_WORKER) as running:
        load = Load(running.url)
        with load.running():
            load.wait_for_more()
        ask(running, [{**TEXT, "steps": 1}])  # so that its model is loaded
        yield running


def memory_mb(pid: int, name: str) -> float:
    """Return VmRSS (now) or VmHWM (the peak) of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / KB_PER_MB


def connect(service: Served) -> socket.socket:
    parts = urlsplit(service.url)
    connected = socket.create_connection((str(parts.hostname), int(parts.port or 0)))
    connected.settimeout(SILENT_SECONDS)
    return connected


def send_for_ever(connected: socket.socket, block: bytes, blocks: int) -> None:
    """Send a block repeatedly, until the service stops reading or closes the connection."""
    try:
        for _ in range(blocks):
            connected.sendall(block)
    except (TimeoutError, ConnectionError):
        return


def pipeline_without_reading(service: Served) -> None:
    body = json.dumps({"model": "google-stock", "history": [778.81] * 60}).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    predict = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    models = b"GET /models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as open_connections:
        for request in (predict, models):
            for _ in range(2):
                connected = open_connections.enter_context(connect(service))
                send_for_ever(connected, request * 1000, MEGABYTES)


def send_endless_heads(service: Served) -> None:
    start = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
    with ExitStack() as open_connections:
        for block, blocks in ((HEADERS, 1000), (LONG_HEADER, MEGABYTES)):
            for _ in range(CONNECTIONS):
                connected = open_connections.enter_context(connect(service))
                connected.sendall(start)
                send_for_ever(connected, block, blocks)


def ask(service: Served, items: list[dict[str, object]]) -> int:
    answer = httpx.post(f"{service.url}/predict/batch", json={"items": items}, timeout=120)
    return answer.status_code


def send_dear_batches(service: Served) -> None:
    assert ask(service, [TEXT] * TEXTS) == httpx.codes.UNPROCESSABLE_ENTITY
    assert ask(service, [TEXT] * MOST_TEXTS) == httpx.codes.OK
    assert ask(service, [SERIES] * MOST_SERIES) == httpx.codes.OK


def send_two_dear_batches_at_once(service: Served) -> None:
    with ThreadPoolExecutor(2) as callers:
        statuses = {*callers.map(partial(ask, service), [[TEXT] * MOST_TEXTS] * 2)}
    assert httpx.codes.OK in statuses
    assert statuses <= {httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE}


@pytest.mark.parametrize(
    "attack",
    [
        pipeline_without_reading,
        send_endless_heads,
        send_two_dear_batches_at_once,  # before the next, whose memory the process keeps
        send_dear_batches,
    ],
)
def test_an_api_process_stays_small(service: Served, attack: Callable[[Served], None]) -> None:
    pid = service.children()["api"]
    calm = memory_mb(pid, "VmRSS")
    Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK)
    attack(service)
    growth = memory_mb(pid, "VmHWM") - calm
    name = attack.__name__.replace("_", " ")
    NOTES.append(f"{name}: memory of the api {calm:.0f} MB, at most {growth:.0f} MB more")
    assert growth < MOST_GROWTH_MB, NOTES[-1]
    assert httpx.get(f"{service.url}/readyz", timeout=30).is_success
