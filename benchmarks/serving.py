"""Measure the other targets of serving: tail latency, batches, texts, memory, and the start.

The api has one core; this client and PostgreSQL share the other. The tail is measured at half of
the rate that 64 connections reach, with latencies from when each request was due: once on a fresh
database, which still has to create its WAL files, and once as it is after some time of use. A batch
is 256 series of 60 prices for LSTM(64), requested by two callers; ONNX Runtime alone runs the same
graph on the api's core. Batches, ONNX Runtime and single predictions take turns, and the round with
the median ratio is reported. The text model is a stream LSTM(256) with a vocabulary of 60.

    python -m benchmarks.serving [--quick]
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
from sqlalchemy.orm import sessionmaker

from app.artifact.files import HISTORY
from app.artifact.manifest import State
from app.config import Settings
from app.registry.shipped import import_shipped
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore
from app.training.architecture import Architecture  # noqa: TID251 (no TensorFlow in it)
from app.training.export.graph import text_graph  # noqa: TID251 (the same)
from benchmarks.figures import Figure, Reference, at_least, at_most, middle, run_alone
from benchmarks.parts.filling import make_database
from benchmarks.parts.load import load, request_bytes
from benchmarks.parts.lstm_graph import lstm_artifact
from benchmarks.parts.paced import paced
from benchmarks.parts.service import Api, running_api, wait_until_ready
from benchmarks.parts.wal import make_wal_files
from tests.artifacts import Artifact, stream_text_artifact
from tests.service import register_artifact

API_CORE, OTHER_CORE = frozenset({0}), frozenset({1})
HISTORY_VALUES = [500.0 + number % 7 for number in range(60)]
SERIES = {"model": "bench", "history": HISTORY_VALUES}
BATCH, TEXT_UNITS, TOKENS = 256, 256, 200
VOCABULARY = (*(chr(ord("A") + number) for number in range(59)), "<unk>")
STARTS, BATCH_ROUNDS, BATCH_SECONDS = 5, 7, 1.5


def measure(*, quick: bool) -> Iterator[Figure]:
    """Run one api with the models for all measurements."""
    seconds = 1.0 if quick else 4.0
    everywhere = os.sched_getaffinity(0)
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        parts.callback(os.sched_setaffinity, 0, everywhere)
        os.sched_setaffinity(0, OTHER_CORE)  # also applies to processes started from here on
        postgres = parts.enter_context(EmbeddedPostgres(folder / "data"))
        url = make_database(postgres.url, "serving")
        prepare(url, folder)
        os.sched_setaffinity(0, everywhere)
        yield started(url, folder, rounds=1 if quick else STARTS)
        os.sched_setaffinity(0, OTHER_CORE)
        yield memory(url, folder)
        api = parts.enter_context(running_api(url, folder, cores=API_CORE))
        yield tail(api, seconds, where="a fresh database")
        make_wal_files(postgres)
        yield tail(api, seconds)
        yield from batches(api, rounds=1 if quick else BATCH_ROUNDS)
        yield from texts(api, count=3 if quick else 15)


def prepare(url: str, folder: Path) -> None:
    """Register the shipped models, LSTM(64) on prices and LSTM(256) on characters."""
    engine = make_engine(url)
    sessions = sessionmaker(engine)
    store = ObjectStore.open(Settings(data_dir=folder).resolved_store_url)
    with sessions.begin() as session:
        import_shipped(session, store)
    register_artifact(sessions, store, "bench", lstm_artifact(units=64, window=60))
    register_artifact(sessions, store, "text", text_artifact())
    engine.dispose()


def text_artifact() -> Artifact:
    """Build LSTM(256) with random weights, in the form of the preset `default`."""
    form = Architecture(
        cell="lstm",
        activation="tanh",
        layers=(TEXT_UNITS,),
        inputs=len(VOCABULARY),
        outputs=len(VOCABULARY),
        tokens=True,
        embedding=64,
    )
    random = np.random.default_rng(0)
    weights = {
        name: random.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in form.weight_shapes().items()
    }
    made = stream_text_artifact(vocabulary=VOCABULARY)
    if made.manifest.text is None:
        raise TypeError("a text artifact describes a text")
    states = tuple(State(name=name, units=units) for name, units in form.states())
    text = made.manifest.text.model_copy(update={"states": states})
    return replace(
        made,
        manifest=made.manifest.model_copy(update={"text": text}),
        graph=text_graph(form, weights, window=None),
    )


def started(url: str, folder: Path, *, rounds: int) -> Figure:
    """Measure from the start of the process to its first answer."""
    ours, empty = [], []
    for _ in range(rounds):
        with running_api(url, folder) as api:
            ours.append(api.start_seconds)
        empty.append(empty_start_seconds())
    return Figure(
        name="start of stepahead api on a ready database, to its first answer",
        value=statistics.median(ours),
        unit="s",
        reference=Reference(name="an empty FastAPI app", value=statistics.median(empty)),
        wanted=at_most(4),
    )


def empty_start_seconds() -> float:
    """Measure the same of an app that does nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = Path(__file__).parent / "parts" / "empty_app.py"
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, str(script), str(port)])
    try:
        wait_until_ready(port, process)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def memory(url: str, folder: Path) -> Figure:
    """Measure the memory of an api process that has answered with each shipped model."""
    questions = (
        {"model": "google-stock", "history": [778.81, 788.36, 786.08]},
        {"model": "belling-the-cat", "text": "long ago , the"},
        {"model": "hello", "text": "hell"},
    )
    with running_api(url, folder, cores=API_CORE) as api, api.client() as client:
        for question in questions * 20:
            client.post("/predict", json=question).raise_for_status()
        return Figure(
            name="memory of an api process with the three shipped models",
            value=api.memory_bytes() / 2**20,
            unit="MiB",
            wanted=at_most(180),
            note="its reader of uploads not included",
        )


def tail(api: Api, seconds: float, *, where: str = "") -> Figure:
    """Measure the 99th percentile at half of the peak; the target is for a database in use."""
    request = request_bytes("/predict", SERIES)
    peak = load(api.port, request, connections=64, seconds=seconds).requests_per_second
    found = paced(api.port, request, rate=peak / 2, seconds=2 * seconds, connections=64)
    return Figure(
        name="p99 of POST /predict at half of peak load" + (f", {where}" if where else ""),
        value=found.p99_ms,
        unit="ms",
        reference=Reference(name="its median", value=found.median_ms),
        wanted=None if where else at_most(5),
        note=f"{peak / 2:.0f} requests/s, half of what 64 connections reach",
    )


def batches(api: Api, *, rounds: int) -> Iterator[Figure]:
    """Measure series per second in batches, beside ONNX Runtime and single predictions."""
    item = {"model": "bench", "history": HISTORY_VALUES}
    request = request_bytes("/predict/batch", {"items": [item] * BATCH})
    beside_onnx, beside_single = [], []
    for _ in range(rounds):  # in turn
        found = load(api.port, request, connections=2, seconds=BATCH_SECONDS)
        single = load(
            api.port, request_bytes("/predict", SERIES), connections=64, seconds=BATCH_SECONDS
        )
        series = found.requests_per_second * BATCH
        beside_single.append((series, single.requests_per_second))
        beside_onnx.append((series, onnx_alone(BATCH_SECONDS)))
    for name, pairs, bound in (
        ("ONNX Runtime alone at that batch", beside_onnx, 0.5),
        ("POST /predict, 64 connections", beside_single, 2.0),
    ):
        value, reference = middle(pairs)
        yield Figure(
            name=f"POST /predict/batch, {BATCH} items",
            value=value,
            unit="series/s",
            reference=Reference(name=name, value=reference),
            wanted=at_least(bound),
        )


def onnx_alone(seconds: float) -> float:
    """Measure series per second of the graph alone, on the api's core."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    graph = lstm_artifact(units=64, window=60).graph
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    inputs = {HISTORY: np.tile(np.array(HISTORY_VALUES)[None, :, None], (BATCH, 1, 1))}
    os.sched_setaffinity(0, API_CORE)
    try:
        session.run(None, inputs)
        runs, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            session.run(None, inputs)
            runs += 1
        return runs * BATCH / (time.perf_counter() - began)
    finally:
        os.sched_setaffinity(0, OTHER_CORE)


def texts(api: Api, *, count: int) -> Iterator[Figure]:
    """Measure milliseconds per token of a long continuation."""
    with api.client() as client:

        def generate(steps: int) -> None:
            body = {"model": "text", "text": "ABC", "steps": steps, "top_k": 1}
            client.post("/predict", json=body).raise_for_status()

        whole = median_seconds(lambda: generate(TOKENS), count)
        half = median_seconds(lambda: generate(TOKENS // 2), count)
        yield Figure(
            name=f"text, {TOKENS} tokens of LSTM({TEXT_UNITS}), per token",
            value=1000 * whole / TOKENS,
            unit="ms",
            wanted=at_most(2),
            note="the state is carried: one step per token",
        )
        yield Figure(
            name=f"text, {TOKENS} tokens beside {TOKENS // 2}",
            value=1000 * whole,
            unit="ms",
            reference=Reference(name=f"{TOKENS // 2} tokens", value=1000 * half),
            wanted=at_most(2.3),
            note="linear in tokens would be 2",
        )


def median_seconds(action: Callable[[], None], count: int) -> float:
    """Return the median in seconds."""
    action()
    times = []
    for _ in range(count):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(run_alone(measure))
