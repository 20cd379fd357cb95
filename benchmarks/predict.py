"""`POST /predict`, logged and committed, against an endpoint that does nothing.

The api process has one core; the load generator and PostgreSQL share the other. Both servers run at
the same time and are loaded in turn, several rounds, so that a change of the machine hits both.

    python benchmarks/predict.py [--seconds 2] [--rounds 3]
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import numpy as np
import psycopg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import sessionmaker

from app.config import Settings
from app.db.embedded import EmbeddedPostgres
from app.db.engine import conninfo, make_engine
from app.db.migrate import upgrade
from app.main import create_app
from app.store import ObjectStore
from benchmarks.parts.load import Load, load, request_bytes
from benchmarks.parts.lstm_graph import lstm_artifact
from tests.service import register_artifact

UNITS, WINDOW = 64, 60
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
    app = empty_app() if what == "empty" else create_app(settings, database_url=database_url)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", log_config=None, access_log=False, ws="none"
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


@contextmanager
def served(what: str, data_dir: Path, database_url: str) -> Iterator[int]:
    """A child that serves; gives its port."""
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
        yield port
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


def measure(
    ports: dict[str, int], connections: int, rounds: int, seconds: float
) -> dict[str, Load]:
    """The median round of each server, rounds taken in turn."""
    request = request_bytes("/predict", BODY)
    found: dict[str, list[Load]] = {name: [] for name in ports}
    for _ in range(rounds):
        for name, port in ports.items():
            found[name].append(load(port, request, connections=connections, seconds=seconds))
    return {
        name: sorted(loads, key=lambda one: one.requests_per_second)[len(loads) // 2]
        for name, loads in found.items()
    }


def main(rounds: int, seconds: float) -> None:
    """Print the ratios."""
    os.sched_setaffinity(0, OTHER_CORE)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(EmbeddedPostgres(folder / "data"))
        prepare(postgres.url, folder / "data")
        ports = {
            name: stack.enter_context(served(name, folder / "data", postgres.url))
            for name in ("predict", "empty")
        }
        for connections, target in ((64, 1.4), (16, 1.0)):
            loads = measure(ports, connections, rounds, seconds)
            ours, empty = loads["predict"], loads["empty"]
            print(
                f"{connections} connections: {ours.requests_per_second:.0f}/s against "
                f"{empty.requests_per_second:.0f}/s of the empty endpoint: ratio "
                f"{ours.requests_per_second / empty.requests_per_second:.2f} (to reach: {target}); "
                f"failures {ours.failures}"
            )
        loads = measure(ports, 1, rounds, seconds)
        reference = loads["empty"].median_ms + bare_commit_ms(postgres.url)
        print(
            f"1 connection: median {loads['predict'].median_ms:.2f} ms against {reference:.2f} ms "
            f"of the empty endpoint and a bare commit: ratio "
            f"{loads['predict'].median_ms / reference:.2f} (to reach: at most 1.5)"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--seconds", type=float, default=2.0)
        options = parser.parse_args()
        main(options.rounds, options.seconds)
