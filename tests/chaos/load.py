"""Clients that constantly send requests and record every answer."""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import httpx

from tests.serving import wait_until

PATIENCE_SECONDS = 120.0
MORE_ANSWERS = 20  # how many have to come before a service works again
UPLOAD_EVERY = 50  # answers of a client
FAILURE_PAUSE_SECONDS = 0.05
JOB_SECONDS = 240.0
EPOCHS = 60  # three seconds of work
NUMBERS = count(1)


class Load:
    """Clients of one service.

    Args:
        url: of the service.
        clients: how many ask at the same time.
        pause_seconds: of a client between an answer and its next request.
        model: that is asked.
        uploads: whether they upload files too.
    """

    def __init__(
        self,
        url: str,
        *,
        clients: int = 4,
        pause_seconds: float = 0.05,
        model: str = "google-stock",
        uploads: bool = False,
    ) -> None:
        self._url = url
        self._pause_seconds = pause_seconds
        self._model = model
        self._uploads = uploads
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        self._begun: list[float] = []  # when the answered requests were sent
        self.answered: list[str] = []
        self.uploaded: list[str] = []
        self.failures: list[int | str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    @property
    def acknowledged(self) -> list[str]:
        """Return the ids of all predictions and datasets that were acknowledged."""
        return self.answered + self.uploaded

    def wait_for_more(self) -> float:
        """Wait until requests sent after this call are answered; return the seconds it took."""
        since = time.monotonic()
        wait_until(
            lambda: (
                sum(begun >= since for begun in self._begun[-10 * MORE_ANSWERS :]) >= MORE_ANSWERS
            ),
            PATIENCE_SECONDS,
        )
        return time.monotonic() - since

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            for turn in count(1):
                if self._stop.is_set():
                    return
                begun = time.monotonic()
                if self._uploads and turn % UPLOAD_EVERY == 0:
                    upload = client.build_request("POST", "/datasets", files={"file": walk()})
                    self._send(client, upload, self.uploaded)
                    continue
                history = [700.0 + turn % 100, 701.5, 703.0]
                body = {"model": self._model, "history": history, "series": "load"}
                request = client.build_request("POST", "/predict", json=body)
                if self._send(client, request, self.answered):
                    self._begun.append(begun)
                    time.sleep(self._pause_seconds)

    def _send(self, client: httpx.Client, request: httpx.Request, acknowledged: list[str]) -> bool:
        try:
            answer = client.send(request)
        except httpx.TransportError as error:
            self.failures.append(type(error).__name__)
        else:
            if answer.is_success:
                acknowledged.append(answer.json()["id"])
                return True
            self.failures.append(answer.status_code)
        time.sleep(FAILURE_PAUSE_SECONDS)
        return False


def walk(rows: int = 30) -> tuple[str, str]:
    """Return name and content of a file that was never uploaded before."""
    steps = random.Random(next(NUMBERS))
    value, lines = 100.0, ["value"]
    for _ in range(rows):
        value += steps.gauss(0, 1)
        lines.append(f"{value:.4f}")
    return "walk.csv", "\n".join(lines)


def start_job(url: str, *, epochs: int = EPOCHS) -> str:
    """Start the training of a new model, and return the job's id."""
    answer = httpx.post(
        f"{url}/models/walk-{next(NUMBERS)}/train",
        files={"file": walk(1000)},
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
