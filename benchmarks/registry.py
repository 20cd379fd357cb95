"""Compare a registry of 10,000 versions of 1,000 models with one of a single version.

There are two databases of one embedded PostgreSQL with an api on each, measured in turn: its start,
`POST /predict` of a version in memory (LSTM(64), 60 prices, logged, one connection), the first
prediction of a version, which includes loading it, the memory limit for loaded versions, and a page
of `GET /models`.

    python -m benchmarks.registry [--quick]
"""

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import psycopg
from sqlalchemy.orm import Session, sessionmaker

from app.config import Settings
from app.predictions.runtime import load_version
from app.registry.catalogue import read_catalogue
from app.registry.store import get_live_version
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo, make_engine
from app.storage.object_store import ObjectStore
from benchmarks.figures import Figure, Reference, at_most, run_alone
from benchmarks.parts.filling import make_database
from benchmarks.parts.lstm_graph import lstm_artifact
from benchmarks.parts.service import Api, running_api
from tests.service import register_artifact

MODELS, VERSIONS = 1000, 10  # of each
STARTS, REQUESTS, COLD, TOUCHED = 3, 400, 40, 300
HISTORY = [500.0 + number % 7 for number in range(60)]
BUDGET = {"STEPAHEAD_MODEL_MEMORY_BYTES": str(64 << 20)}
LOADED_BYTES = re.compile(r"^stepahead_loaded_model_bytes(?:\{.*\})? (\S+)", re.MULTILINE)

# Copies of the one registered version; its files are one object in the store.
FILL = """
INSERT INTO models (name, kind, last_version)
SELECT 'model-' || m, 'series', %(versions)s FROM generate_series(1, %(models)s) AS a (m);
INSERT INTO versions (model, number, manifest, scorecard, files, decision)
SELECT 'model-' || m, n, manifest, scorecard, files, decision
FROM versions, generate_series(1, %(models)s) AS a (m), generate_series(1, %(versions)s) AS b (n)
WHERE model = 'bench';
INSERT INTO aliases (model, alias, version)
SELECT 'model-' || m, 'champion', %(versions)s FROM generate_series(1, %(models)s) AS a (m);
"""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """One of the two registries."""

    url: str
    folder: Path
    sessions: sessionmaker[Session]

    @property
    def store(self) -> ObjectStore:
        """The folder with its files."""
        return ObjectStore.open(Settings(data_dir=self.folder).resolved_store_url)


def measure(*, quick: bool) -> Iterator[Figure]:
    """Fill both, then measure each in turn."""
    models = MODELS // 10 if quick else MODELS
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        postgres = parts.enter_context(EmbeddedPostgres(folder / "data"))
        one, many = (
            parts.enter_context(registry(postgres.url, name, folder / name, copies))
            for name, copies in (("one", 0), ("many", models))
        )
        yield catalogue(one, many, versions=models * VERSIONS)
        yield starts(one, many, rounds=1 if quick else STARTS)
        apis = [
            parts.enter_context(running_api(each.url, each.folder, environment=BUDGET))
            for each in (one, many)
        ]
        yield warm(apis, count=REQUESTS // 10 if quick else REQUESTS)
        yield cold(apis[1], many, count=COLD // 10 if quick else COLD)
        yield from kept(apis[1], count=models - 1 if quick else TOUCHED)
        yield listed(apis)


@contextmanager
def registry(server_url: str, name: str, folder: Path, models: int) -> Iterator[Registry]:
    """Yield a registry with one version and this many further models."""
    url = make_database(server_url, name)
    engine = make_engine(url)
    made = Registry(url=url, folder=folder, sessions=sessionmaker(engine, expire_on_commit=False))
    register_artifact(made.sessions, made.store, "bench", lstm_artifact(units=64, window=60))
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        for statement in FILL.split(";")[:-1]:
            connection.execute(statement, {"models": models, "versions": VERSIONS})
        connection.execute("ANALYZE")
    yield made
    engine.dispose()


def catalogue(one: Registry, many: Registry, *, versions: int) -> Figure:
    """Measure what an api process reads at its start and at each change of the registry."""

    def read(which: Registry) -> None:
        with which.sessions.begin() as session:
            read_catalogue(session)

    times = {each.url: median_ms(partial(read, each), 15) for each in (one, many)}
    return Figure(
        name=f"reading what is served, {versions:,} versions",
        value=times[many.url],
        unit="ms",
        note=f"one version: {times[one.url]:.1f} ms; in a thread, at each change of the registry",
    )


def starts(one: Registry, many: Registry, *, rounds: int) -> Figure:
    """Measure from `stepahead api` to ready."""
    seconds: dict[str, list[float]] = {one.url: [], many.url: []}
    for _ in range(rounds):
        for each in (one, many):
            with running_api(each.url, each.folder) as api:
                seconds[each.url].append(api.start_seconds)
    return Figure(
        name="start of an api process",
        value=min(seconds[many.url]),
        unit="s",
        reference=Reference(name="a registry of one version", value=min(seconds[one.url])),
        wanted=at_most(1.2),
    )


def warm(apis: Sequence[Api], *, count: int) -> Figure:
    """Measure `POST /predict` of a version in memory."""
    times: list[list[float]] = [[], []]
    with apis[0].client() as one, apis[1].client() as many:
        for _ in range(count):
            for client, found in zip((one, many), times, strict=True):
                found.append(predict_ms(client, "bench"))
    return Figure(
        name="POST /predict of a version in memory",
        value=statistics.median(times[1]),
        unit="ms",
        reference=Reference(name="a registry of one version", value=statistics.median(times[0])),
        wanted=at_most(1.2),
    )


def cold(api: Api, many: Registry, *, count: int) -> Figure:
    """Measure the first prediction of versions not in memory, minus that of one in memory."""

    def load(number: int) -> None:
        with many.sessions.begin() as session:
            row = get_live_version(session, f"model-{number}", VERSIONS)
        load_version(row, many.store)

    loads = [median_ms(partial(load, number), 1) for number in range(1, count + 1)]
    with api.client() as client:
        first = [predict_ms(client, f"model-{number}") for number in range(1, count + 1)]
        again = [predict_ms(client, f"model-{count}") for _ in range(count)]
    return Figure(
        name="POST /predict of a version not in memory",
        value=statistics.median(first),
        unit="ms",
        reference=Reference(
            name="one in memory, and loading the version in a process by itself",
            value=statistics.median(again) + statistics.median(loads),
        ),
        wanted=at_most(1.5),
    )


def kept(api: Api, *, count: int) -> Iterator[Figure]:
    """Measure the memory after many versions were used."""
    half = count // 2
    with api.client() as client:
        for number in range(1, half):
            predict_ms(client, f"model-{number}")
        before = api.memory_bytes()
        for number in range(half, count + 1):
            predict_ms(client, f"model-{number}")
        figures = client.get("/metrics").text
    counted = sum(float(found) for found in LOADED_BYTES.findall(figures))
    yield Figure(
        name=f"versions in memory after {count} were used",
        value=counted / 2**20,
        unit="MiB",
        wanted=at_most(64),
        note="as counted against STEPAHEAD_MODEL_MEMORY_BYTES, here 64 MiB",
    )
    yield Figure(
        name=f"memory of the api process after {count}",
        value=api.memory_bytes() / 2**20,
        unit="MiB",
        reference=Reference(name=f"after {half}", value=before / 2**20),
        wanted=at_most(1.2),
    )


def listed(apis: Sequence[Api]) -> Figure:
    """Measure a page of models, each with its champion."""
    with apis[1].client() as client:
        taken = median_ms(lambda: client.get("/models").raise_for_status(), 15)
        names = [item["name"] for item in client.get("/models").json()["items"]]
    return Figure(name=f"a page of GET /models, {len(names)} of them", value=taken, unit="ms")


def predict_ms(client: httpx.Client, model: str) -> float:
    """Return the milliseconds of one prediction."""
    started = time.perf_counter()
    client.post("/predict", json={"model": model, "history": HISTORY}).raise_for_status()
    return 1000 * (time.perf_counter() - started)


def median_ms(action: Callable[[], object], count: int) -> float:
    """Return the median in milliseconds."""
    times = []
    for _ in range(count):
        started = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(run_alone(measure))
