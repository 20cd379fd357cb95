"""`POST /predict`, logged and committed, against an endpoint that does nothing.

The api process has one core; the load generator and PostgreSQL share the other. Both servers run at
the same time and are loaded in turn, several rounds, so that a change of the machine hits both.

    python -m benchmarks.predict [--quick]
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
from app.db.embedded import EmbeddedPostgres
from app.db.engine import conninfo, make_engine
from app.db.migrate import upgrade
from app.main import create_app
from app.store import ObjectStore
from benchmarks.figures import Figure, Reference, at_least, at_most, run_alone
from benchmarks.parts.load import Load, load, request_bytes
from benchmarks.parts.lstm_graph import lstm_artifact
from tests.service import register_artifact

UNITS, WINDOW = 64, 60
ROUNDS, SECONDS = 5, 3.0
API_CORE, OTHER_CORE = {0}, {1}
BODY = {
    "model": "bench",
    "history": [
        round(500 + 10 * float(x), 2) for x in np.random.default_rng(0).normal(size=WINDOW)
    ],
}


class Question(BaseModel):
    """The same JSON."""

    model: str
    history: list[float]


class Answer(BaseModel):
    """An answer of about the same shape."""

    model: str
    value: float


def empty_app() -> FastAPI:
    """The reference: parses the same JSON into a model, returns a model, does nothing."""
    app = FastAPI()

    @app.post("/predict")
    async def predict(question: Question) -> Answer:
        return Answer(model=question.model, value=question.history[-1])

    return app


def serve(what: str, descriptor: int, data_dir: str, database_url: str) -> None:
    """The child: one uvicorn process on its own core."""
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
    """A child that serves."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Processor time it has used: what it costs, however busy the machine is."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(what: str, data_dir: Path, database_url: str) -> Iterator[Server]:
    """A child that serves, answering already."""
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
    """Median time of committing one row with nothing else going on."""
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bare (a text)")
        times = []
        for _ in range(count):
            started = time.perf_counter()
            connection.execute("INSERT INTO bare VALUES ('x')")
            times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def prepare(database_url: str, data_dir: Path) -> None:
    """Schema and the version under test."""
    engine = make_engine(database_url)
    upgrade(engine)
    store = ObjectStore.open(Settings(data_dir=data_dir).resolved_store_url)
    register_artifact(
        sessionmaker(engine), store, "bench", lstm_artifact(units=UNITS, window=WINDOW)
    )
    engine.dispose()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The median round of one server."""

    load: Load
    cpu_us: float  # per request


def in_turn(
    servers: dict[str, Server], connections: int, rounds: int, seconds: float
) -> dict[str, Measured]:
    """The median round of each server, rounds taken in turn."""
    request = request_bytes("/predict", BODY)
    found: dict[str, list[Measured]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            before = server.cpu_seconds()
            one = load(server.port, request, connections=connections, seconds=seconds)
            used = server.cpu_seconds() - before
            found[name].append(Measured(load=one, cpu_us=1e6 * used / max(1, one.answers)))
    return {
        name: sorted(rounds_of, key=lambda one: one.load.requests_per_second)[len(rounds_of) // 2]
        for name, rounds_of in found.items()
    }


def measure(*, quick: bool) -> Iterator[Figure]:
    """Requests per second at 64 and 16 connections, the latency of one."""
    rounds, seconds = (1, 1.0) if quick else (ROUNDS, SECONDS)
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, OTHER_CORE)
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, everywhere)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)  # PostgreSQL may run as another user
        postgres = stack.enter_context(EmbeddedPostgres(folder / "data"))
        prepare(postgres.url, folder / "data")
        servers = {
            name: stack.enter_context(served(name, folder / "data", postgres.url))
            for name in ("predict", "empty")
        }
        for connections, bound in ((64, 1.4), (16, 1.0)):
            found = in_turn(servers, connections, rounds, seconds)
            yield rate(found["predict"], found["empty"], connections, bound)
        found = in_turn(servers, 1, rounds, seconds)
        commit = bare_commit_ms(postgres.url)
        yield Figure(
            name="POST /predict, 1 connection, median",
            value=found["predict"].load.median_ms,
            unit="ms",
            reference=Reference(
                name="empty endpoint and a bare commit",
                value=found["empty"].load.median_ms + commit,
            ),
            wanted=at_most(1.5),
            note=f"the commit alone {commit:.2f} ms",
        )


def rate(ours: Measured, empty: Measured, connections: int, bound: float) -> Figure:
    """Requests per second beside the empty endpoint."""
    return Figure(
        name=f"POST /predict, {connections} connections",
        value=ours.load.requests_per_second,
        unit="requests/s",
        reference=Reference(
            name=f"empty endpoint, {connections} connections",
            value=empty.load.requests_per_second,
        ),
        wanted=at_least(bound),
        note=f"processor time per request {ours.cpu_us:.0f} us against {empty.cpu_us:.0f} us; "
        f"failures: {ours.load.failures}",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
    else:
        sys.exit(run_alone(measure))
