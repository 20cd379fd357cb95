"""Measure the api under overload, and while the machine does other work.

Overload: nothing can be logged because the table is locked, and 400 connections keep sending
histories of 40,000 numbers (280 KB each); the api's memory may not grow. Neighbours: predictions of
a shipped model over 4 connections, with the api on one core. PostgreSQL, worker, trainer, reader of
uploads and this client share the other, while a model is trained and CSVs of 100 MB are uploaded
one after the other at 1 Gbit/s. The database already has its WAL files. The round with the median
ratio is reported.

    python -m benchmarks.pressure [--quick]
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
from sqlalchemy.orm import sessionmaker

from app.config import Settings
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo, make_engine
from app.storage.object_store import ObjectStore
from benchmarks.figures import Figure, Reference, at_most, run_alone
from benchmarks.parts.filling import make_database
from benchmarks.parts.flood import Flood, flood
from benchmarks.parts.load import Load, load, request_bytes
from benchmarks.parts.lstm_graph import lstm_artifact
from benchmarks.parts.service import Api, family, running_api
from benchmarks.parts.wal import make_wal_files
from tests.service import register_artifact
from tests.serving import Served, served

API_CORE, OTHER_CORE = frozenset({0}), frozenset({1})
LONG_HISTORY = [round(500 + number % 97 / 100, 2) for number in range(40_000)]
CONNECTIONS, FLOOD_SECONDS, ROUNDS = 400, 4.0, 4
BESIDE_CONNECTIONS, BESIDE_SECONDS, BESIDE_ROUNDS = 4, 8.0, 3
UPLOADS_OF_A_ROUND = 100  # more than there ever are
UPLOAD_ROWS = 2_000_000  # about 100 MB
PREDICTION = {"model": "google-stock", "history": [778.81, 788.36, 786.08]}
LONG_TRAINING = {"preset": "chapter", "layers": [64], "window": 60, "epochs": 100_000}
SHORT_TRAINING = {"preset": "chapter", "epochs": 1}
PATIENCE_SECONDS = 90.0


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure overload, then neighbours."""
    yield from overload(seconds=1.0 if quick else FLOOD_SECONDS)
    yield from beside(quick=quick)


def overload(*, seconds: float) -> Iterator[Figure]:
    """Measure memory while nothing can be logged."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        postgres = parts.enter_context(EmbeddedPostgres(folder / "data"))
        url = make_database(postgres.url, "log")
        engine = make_engine(url)
        store = ObjectStore.open(Settings(data_dir=folder / "api").resolved_store_url)
        register_artifact(sessionmaker(engine), store, "bench", lstm_artifact(units=4, window=60))
        engine.dispose()
        api = parts.enter_context(running_api(url, folder / "api"))
        request = request_bytes("/predict", {"model": "bench", "history": LONG_HISTORY})
        flood(api.port, request, connections=8, seconds=1)  # loads and connects
        calm = api.memory_bytes()
        memory, floods = [], []
        with locked_log(url):
            for _ in range(ROUNDS):
                with watched(api) as seen:
                    floods.append(
                        flood(api.port, request, connections=CONNECTIONS, seconds=seconds)
                    )
                memory.append(max(seen))
    yield Figure(
        name=f"memory of the api in the last of {ROUNDS} floods",
        value=memory[-1] / 2**20,
        unit="MiB",
        reference=Reference(name="in the second", value=memory[1] / 2**20),
        wanted=at_most(1.2),
        note=f"calm: {calm / 2**20:.0f} MiB; answered: {answered(floods)}",
    )
    yield Figure(
        name="refusals without Retry-After",
        value=sum(one.without_retry_after for one in floods),
        unit="",
        wanted=at_most(0),
    )


def answered(floods: list[Flood]) -> str:
    """Count the statuses of the answers."""
    together = sum((one.statuses for one in floods), start=Flood().statuses)
    return ", ".join(f"{count} times {status}" for status, count in sorted(together.items()))


@contextmanager
def locked_log(url: str) -> Iterator[None]:
    """Let nothing be inserted within the block."""
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def watched(api: Api) -> Iterator[list[int]]:
    """Record the memory of the api ten times a second within the block."""
    seen = [api.memory_bytes()]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            seen.append(api.memory_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def beside(*, quick: bool) -> Iterator[Figure]:
    """Measure the 99th percentile of predictions, alone and beside an upload and a training."""
    seconds = 1.0 if quick else BESIDE_SECONDS
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        large = folder / "large.csv"
        write(large, UPLOAD_ROWS // 20 if quick else UPLOAD_ROWS)
        with EmbeddedPostgres(folder / "data") as postgres:
            make_wal_files(postgres)
        service = parts.enter_context(
            served(folder / "data", environment={"STEPAHEAD_WARM_READER": "1"})
        )
        everywhere = os.sched_getaffinity(0)
        parts.callback(os.sched_setaffinity, 0, everywhere)
        os.sched_setaffinity(0, OTHER_CORE)
        pin(service)  # set here so that TensorFlow sees one core
        rounds = [
            beside_once(service, large, number, seconds)
            for number in range(1 if quick else BESIDE_ROUNDS)
        ]
        size = large.stat().st_size
    rounds.sort(key=lambda one: one.busy.p99_ms / one.alone.p99_ms)
    middle = rounds[len(rounds) // 2]
    yield Figure(
        name="p99 of POST /predict while a CSV uploads and a model trains",
        value=middle.busy.p99_ms,
        unit="ms",
        reference=Reference(name="without them", value=middle.alone.p99_ms),
        wanted=at_most(2),
        note=f"{middle.busy.requests_per_second:,.0f} requests/s against "
        f"{middle.alone.requests_per_second:,.0f}; {middle.uploaded} CSVs of {size / 1e6:.0f} MB "
        f"were uploaded and read meanwhile, the training {middle.training}",
    )


@dataclass(frozen=True, kw_only=True)
class Round:
    """Predictions alone, then with neighbours."""

    alone: Load
    busy: Load
    uploaded: int  # files that were read before the end
    training: str  # its status at the end


def beside_once(service: Served, large: Path, number: int, seconds: float) -> Round:
    """Measure one after the other, on a service whose trainer is warm in both."""
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
        # Until a trainer is warm, it uses the core that should be free.
        wait_for(client, start_training(service, SHORT_TRAINING), has_ended)
        pin(service)
        alone = predictions(service, seconds)
        training = start_training(service, LONG_TRAINING)
        wait_for(client, training, trains)
        pin(service)
        with uploads(service, large, skipping=number * UPLOADS_OF_A_ROUND) as uploaded:
            busy = predictions(service, seconds)
        status = client.get(f"/jobs/{training}").json()["status"]
        client.post(f"/jobs/{training}/cancel").raise_for_status()
    return Round(alone=alone, busy=busy, uploaded=len(uploaded), training=status)


@contextmanager
def uploads(service: Served, path: Path, *, skipping: int) -> Iterator[list[str]]:
    """Upload a CSV repeatedly within the block; afterwards there is a line for each upload.

    Raises:
        RuntimeError: an upload was refused.
    """
    uploading = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.parts.uploader", service.url, path, str(skipping)],
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    uploaded: list[str] = []
    try:
        yield uploaded
        if uploading.poll() is not None:
            raise RuntimeError("the upload was refused")
    finally:
        uploading.kill()
        uploaded += uploading.communicate()[0].splitlines()


def predictions(service: Served, seconds: float) -> Load:
    """Send predictions steadily."""
    port = httpx.URL(service.url).port
    if port is None:
        raise ValueError(f"{service.url} has no port")
    return load(
        port,
        request_bytes("/predict", PREDICTION),
        connections=BESIDE_CONNECTIONS,
        seconds=seconds,
    )


def pin(service: Served) -> None:
    """Pin the api's process to one core, everything else to the other."""
    api = service.children().get("api")
    for pid in family(service.process.pid):
        for task in Path(f"/proc/{pid}/task").glob("*"):
            try:
                os.sched_setaffinity(int(task.name), API_CORE if pid == api else OTHER_CORE)
            except ProcessLookupError:
                continue


def start_training(service: Served, recipe: dict[str, object]) -> str:
    """Start a training of 1,260 rows, and return its job."""
    rows = "".join(f"{500 + number % 89}\n" for number in range(1260))
    answer = httpx.post(
        f"{service.url}/models/busy/train",
        files={"file": ("prices.csv", f"price\n{rows}".encode())},
        data={"recipe": json.dumps(recipe)},
        timeout=60,
        trust_env=False,
    )
    answer.raise_for_status()
    job: str = answer.json()["id"]
    return job


def trains(job: dict[str, Any]) -> bool:
    """Return whether a job has reached its epochs."""
    return bool((job["progress"] or {}).get("epoch"))


def has_ended(job: dict[str, Any]) -> bool:
    """Return whether a job has created its version."""
    return bool(job["status"] == "succeeded")


def wait_for(client: httpx.Client, job: str, look: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until a job is in a certain state.

    Raises:
        RuntimeError: it does not reach that state.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = client.get(f"/jobs/{job}").json()
        if look(found):
            return
        time.sleep(0.2)
    raise RuntimeError(f"the job has not come so far: {found}")


def write(path: Path, rows: int) -> None:
    """Write a CSV with a time and three numbers per row, synced to the disk."""
    generator = np.random.default_rng(0)
    start = np.datetime64("2015-01-01T00:00:00")
    with path.open("w") as file:
        file.write("moment,open,high,volume\n")
        for begin in range(0, rows, 100_000):
            count = min(100_000, rows - begin)
            moments = start + (begin + np.arange(count)) * np.timedelta64(60, "s")
            values = generator.normal(500, 10, (count, 3)).round(4)
            file.writelines(
                f"{moment},{first},{second},{third}\n"
                for moment, (first, second, third) in zip(moments, values.tolist(), strict=True)
            )
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    sys.exit(run_alone(measure))
