"""Compare `POST /predict`, logged and committed, with an endpoint that does nothing.

The api process has one core; the client and PostgreSQL share the other. The client is wrk, or our
own load generator if wrk is not installed. Both servers run at the same time and are loaded in
turn, in many short rounds; the round with the median ratio is reported. The database already has
its WAL files, like one in use: a fresh database creates one every two seconds under this load,
while all commits wait.

    python -m benchmarks.predict [--quick]
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psycopg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import sessionmaker

from app.api_process import collect_garbage_seldom, server_config
from app.config import Settings
from app.main import create_app
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo, make_engine
from app.storage.migrate import upgrade
from app.storage.object_store import ObjectStore
from benchmarks.figures import Figure, Reference, at_least, at_most, middle, run_alone
from benchmarks.parts.load import Load
from benchmarks.parts.lstm_graph import lstm_artifact
from benchmarks.parts.wal import make_wal_files
from benchmarks.parts.wrk import has_wrk, load_by_wrk
from tests.service import register_artifact

UNITS, WINDOW = 64, 60
ROUNDS, SECONDS = 11, 2
API_CORE, OTHER_CORE = {0}, {1}
CLIENT = "wrk" if has_wrk() else "our own, since wrk is not installed"
BODY = {
    "model": "bench",
    "history": [
        round(500 + 10 * float(x), 2) for x in np.random.default_rng(0).normal(size=WINDOW)
    ],
}


class Question(BaseModel):
    """The same JSON as a prediction's request."""

    model: str
    history: list[float]


class Answer(BaseModel):
    """An answer of about the same form."""

    model: str
    value: float


def empty_app() -> FastAPI:
    """Return the reference app: it parses the same JSON, returns a model, and does nothing else."""
    app = FastAPI()

    @app.post("/predict")
    async def predict(question: Question) -> Answer:
        return Answer(model=question.model, value=question.history[-1])

    return app


def serve(what: str, descriptor: int, data_dir: str, database_url: str) -> None:
    """Serve in the child: one uvicorn process on its own core."""
    os.sched_setaffinity(0, API_CORE)
    settings = Settings(data_dir=Path(data_dir), log_level="warning")
    if what == "empty":
        config = uvicorn.Config(
            empty_app(), loop="uvloop", http="httptools", log_config=None, access_log=False
        )
    else:
        collect_garbage_seldom()
        config = server_config(create_app(settings, database_url=database_url), settings)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


@dataclass(frozen=True, kw_only=True)
class Server:
    """A child process that serves."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return its processor time: its cost, however busy the machine is."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(what: str, data_dir: Path, database_url: str) -> Iterator[Server]:
    """Yield a child that already answers."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    os.set_inheritable(listener.fileno(), True)
    child = subprocess.Popen(
        [
            *(sys.executable, __file__),
            *("--serve", what, str(listener.fileno()), str(data_dir), database_url),
        ],
        pass_fds=[listener.fileno()],
    )
    port = listener.getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            answer = client.post("/predict", json=BODY)
            answer.raise_for_status()
        yield Server(port=port, pid=child.pid)
    finally:
        listener.close()
        child.terminate()
        child.wait()


def bare_commit_ms(database_url: str, count: int = 300) -> float:
    """Return the median time to commit one row while nothing else is going on."""
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bare (a text)")
        times = []
        for _ in range(count):
            started = time.perf_counter()
            connection.execute("INSERT INTO bare VALUES ('x')")
            times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def prepare(database_url: str, data_dir: Path) -> None:
    """Create the schema and the version under test."""
    engine = make_engine(database_url)
    upgrade(engine)
    store = ObjectStore.open(Settings(data_dir=data_dir).resolved_store_url)
    register_artifact(
        sessionmaker(engine), store, "bench", lstm_artifact(units=UNITS, window=WINDOW)
    )
    engine.dispose()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A round of one server."""

    load: Load
    cpu_us: float  # per request


def in_turn(
    servers: Sequence[Server], connections: int, rounds: int, seconds: int
) -> list[list[Measured]]:
    """Return what each server achieved in each round, taken in turn."""
    found: list[list[Measured]] = []
    for _ in range(rounds):
        found.append([])
        for server in servers:
            before = server.cpu_seconds()
            one = load_by_wrk(
                server.port, "/predict", BODY, connections=connections, seconds=seconds
            )
            used = server.cpu_seconds() - before
            found[-1].append(Measured(load=one, cpu_us=1e6 * used / max(1, one.answers)))
    return found


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure requests per second at 64 and 16 connections, and the latency of one."""
    rounds, seconds = (1, 1) if quick else (ROUNDS, SECONDS)
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, OTHER_CORE)
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, everywhere)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)  # PostgreSQL may run as another user
        postgres = stack.enter_context(EmbeddedPostgres(folder / "data"))
        prepare(postgres.url, folder / "data")
        make_wal_files(postgres)
        servers = [
            stack.enter_context(served(name, folder / "data", postgres.url))
            for name in ("predict", "empty")
        ]
        for connections, bound in ((64, 1.4), (16, 1.0)):
            yield rate(in_turn(servers, connections, rounds, seconds), connections, bound)
        lone, commits = [], []
        for _ in range(rounds):
            [(ours, empty)] = in_turn(servers, 1, 1, seconds)
            commits.append(bare_commit_ms(postgres.url))
            lone.append((ours.load.median_ms, empty.load.median_ms + commits[-1]))
        value, reference = middle(lone)
        yield Figure(
            name="POST /predict, 1 connection, median",
            value=value,
            unit="ms",
            reference=Reference(name="empty endpoint and a bare commit", value=reference),
            wanted=at_most(1.5),
            note=f"the commit alone {statistics.median(commits):.2f} ms",
        )


def rate(rounds: list[list[Measured]], connections: int, bound: float) -> Figure:
    """Measure requests per second beside the empty endpoint."""
    value, reference = middle(
        [(ours.load.requests_per_second, empty.load.requests_per_second) for ours, empty in rounds]
    )
    ours, empty = (
        statistics.median(one.cpu_us for one in each) for each in zip(*rounds, strict=True)
    )
    failures = sum(one.load.failures for each in rounds for one in each)
    return Figure(
        name=f"POST /predict, {connections} connections",
        value=value,
        unit="requests/s",
        reference=Reference(
            name=f"empty endpoint, {connections} connections",
            value=reference,
        ),
        wanted=at_least(bound),
        note=f"client: {CLIENT}; processor time per request {ours:.0f} us against {empty:.0f} us; "
        f"failures: {failures}",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
    else:
        sys.exit(run_alone(measure))
