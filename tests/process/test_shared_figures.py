"""Test the combined metrics of several api processes, some of which die."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from app.process.observability import Metrics
from app.process.shared_figures import Slot, make_files
from app.process.shared_memory import HALF_BYTES, HEAD

ANSWERED = 'stepahead_http_requests_total{method="POST",path="/predict",status="200"}'
# Counts requests and a loaded version, prints a line, and runs until its input is closed.
API_PROCESS = """
import asyncio, sys
from app.process.observability import Metrics
from app.process.shared_figures import Slot
metrics = Metrics(Slot.parse(sys.argv[1]))
async def answer():
    for _ in range(int(sys.argv[2])):
        metrics.observe("POST", "/predict", 200, 0.01)
asyncio.run(answer())
metrics.put()
metrics.loaded_models.set(1)
metrics.registry_read.set(1000 + int(sys.argv[2]))
metrics.exposition("")
print("ready", flush=True)
sys.stdin.read()
if sys.argv[3:] == ["orderly"]:
    metrics.close()
"""


@pytest.fixture
def files() -> Iterator[tuple[int, ...]]:
    made = tuple(make_files(3))
    yield made
    for descriptor in made:
        os.close(descriptor)


class Api:
    """A process that has a slot and has counted requests."""

    def __init__(self, files: tuple[int, ...], own: int, requests: int, *how: str) -> None:
        slot = Slot(descriptors=files, own=own)
        self.process = subprocess.Popen(
            [sys.executable, "-c", API_PROCESS, str(slot), str(requests), *how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=files,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        self.process.communicate()


def scraped(files: tuple[int, ...]) -> dict[str, float]:
    """Return the metrics of the process in the last slot, which has answered no request."""
    figures, _ = Metrics(Slot(descriptors=files, own=2)).exposition('stepahead_jobs{a="b"} 3\n')
    lines = [line for line in figures.decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_they_are_one_sum(files: tuple[int, ...]) -> None:
    apis = [Api(files, 0, 2), Api(files, 1, 5)]
    figures = scraped(files)
    assert figures[ANSWERED] == 7
    latency = 'stepahead_http_request_seconds_bucket{le="0.01",method="POST",path="/predict"}'
    assert figures[latency] == 7
    assert figures["stepahead_loaded_models"] == 2
    assert (
        figures["stepahead_registry_read_timestamp_seconds"] == 0
    )  # the minimum, which is that of the scraped process
    assert figures['stepahead_jobs{a="b"}'] == 3
    assert not [name for name in figures if "_created" in name]
    for api in apis:
        api.end()


def test_what_a_killed_process_counted_stays_and_its_gauges_go(files: tuple[int, ...]) -> None:
    first, second = Api(files, 0, 2), Api(files, 1, 5)
    first.kill()
    figures = scraped(files)
    assert (figures[ANSWERED], figures["stepahead_loaded_models"]) == (7, 1)
    again = Api(files, 0, 4)
    figures = scraped(files)
    assert (figures[ANSWERED], figures["stepahead_loaded_models"]) == (11, 2)
    for api in (again, second):
        api.kill()
    once_more = Api(files, 0, 1)
    assert scraped(files)[ANSWERED] == 12
    once_more.end()


def test_a_process_that_ends_in_order_takes_its_gauges_along(files: tuple[int, ...]) -> None:
    api = Api(files, 0, 2, "orderly")
    assert scraped(files)["stepahead_loaded_models"] == 1
    api.end()
    figures = scraped(files)
    assert (figures[ANSWERED], figures["stepahead_loaded_models"]) == (2, 0)


def test_figures_that_were_cut_off_leave_those_before(files: tuple[int, ...]) -> None:
    api = Api(files, 0, 2)
    api.kill()
    before = scraped(files)[ANSWERED]
    for offset in (0, HALF_BYTES):
        packed = os.pread(files[0], HEAD.size, offset)
        if len(packed) == HEAD.size and any(packed):
            generation, pid, length, checksum = HEAD.unpack(packed)
            torn = HALF_BYTES - offset  # the other half is newer but incomplete
            os.pwrite(files[0], b"[{", torn + HEAD.size)
            os.pwrite(files[0], HEAD.pack(generation + 1, pid, length, checksum), torn)
            break
    assert scraped(files)[ANSWERED] == before == 2


def test_a_slot_is_handed_on_as_text() -> None:
    slot = Slot(descriptors=(7, 8, 9), own=1)
    assert Slot.parse(str(slot)) == slot
