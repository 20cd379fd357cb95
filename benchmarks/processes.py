"""Compare two processes with one: api processes on one core, workers on one queue.

Two api processes share the core that a single one has to itself, under the same load (LSTM(64), 60
prices, logged). This shows what sharing a socket, a log and a registry costs per core. They take
turns, and the round with the median ratio is reported. More than two cores would show more, but
here the load generator and PostgreSQL need the other one. With 64 connections, each of the two has
half of them, and so forms smaller groups per run and commit; with 128, each has as many as a
process on its own core. In either case they share one core's cache, which would not be so on two
cores: with a core each, a prediction took 5 to 15 % less processor time. Two workers with trainers
that learn nothing complete 200 jobs of 20 models. This shows what the queue, the store and the
registry cost per job.

    python -m benchmarks.processes [--quick]
"""

import os
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import sessionmaker

from app.config import Settings
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import make_engine
from app.storage.job_status import JobStatus
from app.storage.object_store import ObjectStore
from app.storage.tables import Job, Version
from benchmarks.figures import Figure, Reference, at_least, at_most, middle, run_alone
from benchmarks.parts.filling import make_database
from benchmarks.parts.load import load, request_bytes
from benchmarks.parts.lstm_graph import lstm_artifact
from benchmarks.parts.service import Api, family_cpu_seconds, running_api
from benchmarks.parts.wal import make_wal_files
from tests.jobs.harness import Harness
from tests.service import register_artifact

API_CORE, OTHER_CORE = frozenset({0}), frozenset({1})
LOADS, SECONDS, ROUNDS = (64, 128), 1.2, 11  # connections
BODY = {"model": "bench", "history": [500.0 + number % 7 for number in range(60)]}
JOBS, JOB_MODELS, WORKERS = 200, 20, 2
JOBS_SECONDS = 150
LOOK_EVERY_SECONDS = 0.1


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure the api, then the workers."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, OTHER_CORE)
        postgres = parts.enter_context(EmbeddedPostgres(folder / "data"))
        os.sched_setaffinity(0, everywhere)
        make_wal_files(postgres)
        pid = postgres.pid or os.getpid()
        yield from shared_core(make_database(postgres.url, "api"), folder / "api", pid, quick=quick)
        url = make_database(postgres.url, "jobs")
        yield from shared_queue(url, folder, jobs=JOBS // 10 if quick else JOBS)


def shared_core(url: str, folder: Path, database_pid: int, *, quick: bool) -> Iterator[Figure]:
    """Measure requests per second on one core, with two processes and with one, at each load."""
    engine = make_engine(url)
    store = ObjectStore.open(Settings(data_dir=folder).resolved_store_url)
    register_artifact(sessionmaker(engine), store, "bench", lstm_artifact(units=64, window=60))
    engine.dispose()
    everywhere = os.sched_getaffinity(0)
    with ExitStack() as parts:
        apis = {
            count: parts.enter_context(
                running_api(
                    url,
                    folder,
                    cores=API_CORE,
                    environment={
                        "STEPAHEAD_API_PROCESSES": count,
                        "STEPAHEAD_STORE_URL": (folder / "store").as_uri(),
                        "STEPAHEAD_DATA_DIR": str(folder / count),
                    },
                )
            )
            for count in ("1", "2")
        }
        os.sched_setaffinity(0, OTHER_CORE)
        parts.callback(os.sched_setaffinity, 0, everywhere)
        for connections in LOADS:
            yield from at_load(apis, connections, database_pid, rounds=1 if quick else ROUNDS)


def at_load(
    apis: dict[str, Api], connections: int, database_pid: int, *, rounds: int
) -> Iterator[Figure]:
    """Return what each achieves with this many connections, in turn, and the cost of a request."""
    request = request_bytes("/predict", BODY)
    rates: dict[str, list[float]] = {count: [] for count in apis}
    costs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(rounds):
        for count, api in apis.items():
            before = api.cpu_seconds(), family_cpu_seconds(database_pid)
            one = load(api.port, request, connections=connections, seconds=SECONDS)
            if one.failures:
                raise RuntimeError(f"{one.failures} requests were not answered")
            rates[count].append(one.requests_per_second)
            after = api.cpu_seconds(), family_cpu_seconds(database_pid)
            for name, start, end in zip(("the api", "PostgreSQL"), before, after, strict=True):
                costs[name, count].append(1e6 * (end - start) / one.answers)
    for name in ("the api", "PostgreSQL"):
        yield Figure(
            name=f"processor time of {name} per prediction, {connections} connections",
            value=statistics.median(costs[name, "1"]),
            unit="us",
            note=f"of two api processes: {statistics.median(costs[name, '2']):.1f} us",
        )
    value, reference = middle(list(zip(rates["2"], rates["1"], strict=True)))
    yield Figure(
        name=f"POST /predict, two api processes on one core, {connections} connections",
        value=value,
        unit="requests/s",
        reference=Reference(name="one process on it", value=reference),
        wanted=at_least(0.85),
    )


def shared_queue(url: str, folder: Path, *, jobs: int) -> Iterator[Figure]:
    """Run small jobs, each once."""
    engine = make_engine(url)
    (folder / "work").mkdir()
    harness = Harness(url, engine, folder / "work")
    try:
        for _ in range(WORKERS):
            harness.start_worker(epoch_seconds=0)
        harness.wait_for(harness.enqueue("first", epochs=1), JobStatus.SUCCEEDED)
        ids = [harness.enqueue(f"model-{n % JOB_MODELS}", epochs=1) for n in range(jobs)]
        started = time.monotonic()
        left = len(ids)
        while left and time.monotonic() - started < JOBS_SECONDS:
            time.sleep(LOOK_EVERY_SECONDS)
            with harness.sessions.begin() as session:
                ended = select(func.count()).where(
                    Job.id.in_(ids), Job.status == JobStatus.SUCCEEDED
                )
                left = len(ids) - (session.scalar(ended) or 0)
        seconds = time.monotonic() - started
        with harness.sessions.begin() as session:
            found = session.scalars(select(Job).where(Job.id.in_(ids))).all()
            workers = Counter(job.worker for job in found)
            registered = session.scalar(select(func.count()).where(Version.job_id.in_(ids))) or 0
        trained = sum(len(harness.epochs(f"model-{n}")) for n in range(JOB_MODELS))
    finally:
        harness.close()
        engine.dispose()
    yield Figure(
        name=f"jobs of {jobs} that did not end",
        value=left,
        unit="",
        wanted=at_most(0),
        note=f"shared by {len(workers)} workers: {sorted(workers.values())}",
    )
    yield Figure(
        name=f"jobs of {jobs} trained or registered other than once",
        value=abs(trained - jobs) + abs(registered - jobs) + sum(job.attempt != 1 for job in found),
        unit="",
        wanted=at_most(0),
    )
    yield Figure(
        name="a job without its training, two workers",
        value=1000 * seconds / jobs,
        unit="ms",
        note="queue, dataset, checkpoint, artifact, registration, champion",
    )


if __name__ == "__main__":
    sys.exit(run_alone(measure))
