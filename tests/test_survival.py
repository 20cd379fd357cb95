"""Kill processes with -9 in the middle of work; no answered prediction or accepted job is lost."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo
from tests.places import open_place
from tests.serving import (
    WITHOUT_WORKER,
    Served,
    is_ready,
    runs,
    served,
    wait_until,
    with_fake_trainer,
)

pytestmark = [pytest.mark.slow, pytest.mark.linux]

CLIENTS = 4
PAUSE_SECONDS = 0.01  # pause of a client between an answer and its next request
MORE_ANSWERS = 40  # number of answers after a part is back
EPOCHS = 60  # three seconds of work
JOB_SECONDS = 240.0


class Clients:
    """Clients that constantly request predictions and record every answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)
        ]
        self.answered: list[str] = []
        self.failures: list[int | str] = []

    @contextmanager
    def asking(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def wait_for_more(self) -> None:
        so_far = len(self.answered)
        wait_until(lambda: len(self.answered) >= so_far + MORE_ANSWERS, 120)

    def _ask(self, number: int) -> None:
        client = httpx.Client(base_url=self._url, timeout=60)
        body = {"model": "google-stock", "history": [780.0 + number], "series": f"client-{number}"}
        while not self._stop.is_set():
            try:
                answer = client.post("/predict", json=body)
            except httpx.TransportError as error:
                self.failures.append(type(error).__name__)
                time.sleep(0.05)
                continue
            if answer.is_success:
                self.answered.append(answer.json()["id"])
                time.sleep(PAUSE_SECONDS)
            else:
                self.failures.append(answer.status_code)
                time.sleep(0.05)
        client.close()


def start_job(url: str, name: str, *, epochs: int = EPOCHS) -> str:
    """Start a training, and return the job's id."""
    walk = random.Random(name)
    value, lines = 100.0, ["value"]
    for _ in range(1000):
        value += walk.gauss(0, 1)
        lines.append(f"{value:.4f}")
    answer = httpx.post(
        f"{url}/models/{name}/train",
        files={"file": ("walk.csv", "\n".join(lines))},
        data={"recipe": json.dumps({"preset": "chapter", "epochs": epochs, "refit": False})},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def job_of(url: str, job_id: str) -> dict[str, object]:
    """Return the job, or {} while the service cannot answer."""
    try:
        answer = httpx.get(f"{url}/jobs/{job_id}", timeout=30)
    except httpx.TransportError:
        return {}
    return answer.json() if answer.is_success else {}


def is_in_training(url: str, job_id: str) -> bool:
    job = job_of(url, job_id)
    progress = job.get("progress")
    assert job.get("status") not in {"failed", "succeeded"}, job
    return isinstance(progress, dict) and bool(progress["epoch"])


def wait_until_succeeded(url: str, job_id: str) -> None:
    def has_ended() -> bool:
        job = job_of(url, job_id)
        assert job.get("status") not in {"failed", "cancelled"}, job.get("error")
        return job.get("status") == "succeeded"

    wait_until(has_ended, JOB_SECONDS)


def logged(url: str) -> set[str]:
    """Return the ids of all predictions in the log."""
    found: set[str] = set()
    cursor: dict[str, str] = {}
    while True:
        page = httpx.get(f"{url}/predictions", params={"limit": 500, **cursor}, timeout=60).json()
        found |= {item["id"] for item in page["items"]}
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def committed(data_dir: Path) -> set[str]:
    """Return the ids of all predictions in the database of a service that has ended."""
    with EmbeddedPostgres(data_dir) as server, psycopg.connect(conninfo(server.url)) as connection:
        return {str(found) for (found,) in connection.execute("SELECT id FROM predictions")}


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    """Yield a service with a trainer that trains nothing; tests/jobs kills real ones."""
    with (
        open_place() as folder,
        served(folder / "data", environment=with_fake_trainer(folder)) as running,
    ):
        wait_until(lambda: "trainer ready" in running.output, 120)
        yield running


@pytest.mark.parametrize("victim", ["api", "postgres", "worker", "trainer"])
def test_a_killed_part_loses_nothing(service: Served, victim: str) -> None:
    clients = Clients(service.url)
    with clients.asking():
        clients.wait_for_more()
        job_id = start_job(service.url, f"walk-{victim}")
        wait_until(lambda: is_in_training(service.url, job_id), 120)
        killed = service.children()[victim]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: service.children().get(victim, killed) != killed, 120)
        clients.wait_for_more()
        wait_until_succeeded(service.url, job_id)
    assert set(clients.answered) <= logged(service.url)
    assert len(set(clients.answered)) == len(clients.answered)


def test_a_killed_reader_is_there_again_for_the_next_upload(service: Served) -> None:
    wait_until_succeeded(service.url, start_job(service.url, "walk-reader", epochs=1))
    reader = service.children()["reader"]
    os.kill(reader, signal.SIGKILL)
    wait_until(lambda: not runs(reader))
    wait_until_succeeded(service.url, start_job(service.url, "walk-again", epochs=1))


def test_a_killed_service_loses_nothing(place: Path) -> None:
    environment = with_fake_trainer(place)
    with served(place / "data", environment=environment) as first:
        port = first.url.rpartition(":")[2]
        clients = Clients(first.url)
        with clients.asking():
            clients.wait_for_more()
            job_id = start_job(first.url, "walk")
            wait_until(lambda: is_in_training(first.url, job_id), 120)
            first.process.kill()
            first.process.wait()
            with served(
                place / "data", environment={"STEPAHEAD_PORT": port, **environment}
            ) as second:
                clients.wait_for_more()
                wait_until_succeeded(second.url, job_id)
                assert set(clients.answered) <= logged(second.url)
                assert is_ready(second.url)


def test_an_orderly_stop_answers_what_was_begun(place: Path) -> None:
    """Clients only get refused connections; what the service accepted, it answered."""
    with served(place / "data", environment=WITHOUT_WORKER) as service:
        clients = Clients(service.url)
        with clients.asking():
            clients.wait_for_more()
            assert service.end(signal.SIGTERM) == 0
        assert set(clients.failures) <= {"ConnectError"}, clients.failures
    assert committed(place / "data") == set(clients.answered)
