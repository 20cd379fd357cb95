"""Test a database that goes away in the middle of a job."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import make_engine
from app.storage.job_status import JobStatus
from app.storage.migrate import upgrade
from tests.jobs.harness import Harness, eventually
from tests.places import open_place

pytestmark = pytest.mark.linux


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    with open_place() as folder, EmbeddedPostgres(folder / "data") as server:
        yield server


@pytest.fixture
def harness(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Harness]:
    engine = make_engine(server.url)
    upgrade(engine)
    harness = Harness(server.url, engine, tmp_path)
    yield harness
    harness.close()
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("seconds_away", [0.0, 5.0])
def test_jobs_outlive_a_killed_database(
    harness: Harness, server: EmbeddedPostgres, seconds_away: float
) -> None:
    running, waiting = harness.enqueue(epochs=25), harness.enqueue("waiting")
    worker = harness.start_worker(epoch_seconds=0.3)
    harness.wait_for_epoch(running, 3)

    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not server.alive())
    time.sleep(seconds_away)
    server.start()

    assert harness.wait_for(running, JobStatus.SUCCEEDED).version == 1
    assert harness.wait_for(waiting, JobStatus.SUCCEEDED).version == 1
    epochs = [epoch for _, epoch in harness.epochs()]
    assert set(epochs) == set(range(1, 26))
    assert epochs.count(1) == 1  # it continued instead of starting over
    assert worker.process.poll() is None


@pytest.mark.slow
def test_a_worker_says_that_its_database_is_away(
    harness: Harness, server: EmbeddedPostgres, free_port: str
) -> None:
    harness.start_worker(environment={"STEPAHEAD_WORKER_PORT": free_port})
    url = f"http://127.0.0.1:{free_port}"
    eventually(lambda: against_work(url) == [])
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: any("the database was last reached" in it for it in against_work(url)))
    assert httpx.get(f"{url}/livez").is_success
    server.start()
    eventually(lambda: against_work(url) == [])


def against_work(url: str) -> list[str]:
    try:
        answer = httpx.get(f"{url}/readyz", timeout=10)
    except httpx.TransportError:
        return ["it does not answer yet"]
    return [error["message"] for error in answer.json().get("errors", [])]
