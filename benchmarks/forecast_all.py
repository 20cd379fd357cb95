"""Forecast all series of an uploaded CSV with `universal`, with intervals, into Parquet.

Each series has 60 daily rows of level, trend, a week's season and noise; 14 days are forecast with
intervals of 80 and 95 %. The time is from the first byte of the upload to the last of the answer.
The reference for 5,000 series is what a client did before: batches of 1,000 of `POST
/predict/batch` over the same dataset, after the same upload. While 100,000 series are forecast,
predictions of a shipped model arrive 100 times a second; the median over pieces of 5 s of their
99th percentile is compared with that of the quiet api before. Nothing is pinned to a core.

    python -m benchmarks.forecast_all [--quick]
"""

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from sqlalchemy.orm import sessionmaker

from app.config import Settings
from app.registry.shipped import import_shipped
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore
from benchmarks.figures import Figure, Reference, at_most, run_alone
from benchmarks.parts.filling import make_database
from benchmarks.parts.load import request_bytes
from benchmarks.parts.paced import paced
from benchmarks.parts.service import Api, running_api

ROWS, HORIZON, LEVELS = 60, 14, (80, 95)
FEW, MANY = 5_000, 100_000
ITEMS = 1_000  # of a batch
RATE, PIECE_SECONDS, CONNECTIONS = 100.0, 5.0, 4
CALM_PIECES = 3
LOOK_EVERY_SECONDS = 0.2
PREDICTION = {"model": "google-stock", "history": [778.81, 788.36, 786.08]}
PARQUET = {"Accept": "application/vnd.apache.parquet"}


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure few series beside single forecasts, then many beside predictions."""
    few, many = (200, 400) if quick else (FEW, MANY)
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        postgres = parts.enter_context(EmbeddedPostgres(folder / "data"))
        url = make_database(postgres.url, "log")
        engine = make_engine(url)
        store = ObjectStore.open(Settings(data_dir=folder / "api").resolved_store_url)
        with sessionmaker(engine)() as session:
            import_shipped(session, store)
            session.commit()
        engine.dispose()
        api = parts.enter_context(running_api(url, folder / "api"))
        yield _few(api, write_series(folder / "few.csv", few, seed=1), few)
        yield from _many(api, write_series(folder / "many.csv", many, seed=2), many, folder)


def _few(api: Api, file: Path, count: int) -> Figure:
    forecast_file(api, write_series(file.with_name("warm.csv"), 10, seed=3), file.parent)
    seconds = forecast_file(api, file, file.parent)
    # Read as another file is, so that nothing is known of it yet.
    reference = _in_batches(api, write_series(file.with_name("again.csv"), count, seed=4), count)
    return Figure(
        name=f"{count:,} series, from upload to Parquet",
        value=seconds,
        unit="s",
        reference=Reference(name="batches of POST /predict/batch", value=reference),
        note=f"wanted: 10 s for {FEW:,}; {1000 * seconds / count:.1f} ms per series",
    )


def _in_batches(api: Api, file: Path, count: int) -> float:
    """Return the seconds that the upload and batches of its series take."""
    about: dict[str, Any] = {"model": "universal", "horizon": HORIZON, "levels": LEVELS}
    started = time.perf_counter()
    with api.client() as client, file.open("rb") as opened:
        dataset = client.post("/datasets", files={"file": (file.name, opened)}).json()["id"]
        for first in range(0, count, ITEMS):
            items = [
                about | {"dataset": dataset, "series": label(place)}
                for place in range(first, min(first + ITEMS, count))
            ]
            answer = client.post("/predict/batch", json={"items": items}).raise_for_status()
            failed = [item for item in answer.json()["items"] if "error" in item]
            if failed:
                raise RuntimeError(f"{len(failed)} series failed: {failed[0]}")
    return time.perf_counter() - started


def _many(api: Api, file: Path, count: int, folder: Path) -> Iterator[Figure]:
    request = request_bytes("/predict", PREDICTION)
    calm = statistics.median(_p99(api, request) for _ in range(CALM_PIECES))
    took: list[float] = []
    memory: list[int] = []
    work = threading.Thread(target=lambda: took.append(forecast_file(api, file, folder)))
    watch = threading.Thread(target=lambda: _watch(api, work, memory))
    work.start()
    watch.start()
    beside = []
    while work.is_alive():
        beside.append(_p99(api, request))
    work.join()
    watch.join()
    if not took:
        raise RuntimeError("the forecasts failed")
    yield Figure(
        name=f"{count:,} series, from upload to Parquet, beside predictions",
        value=took[0],
        unit="s",
        wanted=at_most(300),
        note=f"{1000 * took[0] / count:.1f} ms per series",
    )
    yield Figure(
        name="99th percentile of predictions meanwhile",
        value=statistics.median(beside),
        unit="ms",
        reference=Reference(name="before, on the quiet api", value=calm),
        wanted=at_most(2.0),
        note=f"worst piece of {PIECE_SECONDS:.0f} s: {max(beside):.1f} ms",
    )
    yield Figure(
        name="most memory of the api meanwhile, without its reader",
        value=max(memory) / 2**20,
        unit="MiB",
        wanted=at_most(400),
    )


def _p99(api: Api, request: bytes) -> float:
    piece = paced(api.port, request, rate=RATE, seconds=PIECE_SECONDS, connections=CONNECTIONS)
    return piece.p99_ms


def _watch(api: Api, work: threading.Thread, memory: list[int]) -> None:
    while work.is_alive():
        memory.append(api.memory_bytes())
        time.sleep(LOOK_EVERY_SECONDS)


def forecast_file(api: Api, file: Path, folder: Path) -> float:
    """Return the seconds that all forecasts of a file take.

    Raises:
        RuntimeError: the answer lacks rows.
    """
    answer = folder / f"{file.stem}.parquet"
    order = {"order": json.dumps({"horizon": HORIZON, "levels": LEVELS})}
    started = time.perf_counter()
    with (
        api.client() as client,
        file.open("rb") as opened,
        answer.open("wb") as to,
        client.stream(
            "POST",
            "/models/universal/forecast",
            files={"file": (file.name, opened)},
            data=order,
            headers=PARQUET,
        ) as response,
    ):
        if response.is_error:
            raise RuntimeError(response.read().decode(errors="replace"))
        for piece in response.iter_bytes():
            to.write(piece)
    seconds = time.perf_counter() - started
    table = pq.read_table(answer, columns=["universal", "error"])
    expected = HORIZON * (sum(1 for _ in file.open("rb")) - 1) // ROWS
    if len(table) != expected or table["error"].null_count != expected:
        raise RuntimeError(f"{len(table)} rows instead of {expected}, or errors among them")
    return seconds


def write_series(to: Path, count: int, *, seed: int) -> Path:
    """Write made-up series to a CSV, and return it."""
    random = np.random.default_rng(seed)
    days = [str(np.datetime64("2026-01-01") + day) for day in range(ROWS)]
    leads = np.arange(ROWS)
    with to.open("w") as file:
        file.write("unique_id,ds,y\n")
        for place in range(count):
            level, trend, height, noise = random.uniform((50, -0.3, 0, 1), (500, 0.5, 30, 10))
            week = random.permutation(7)[leads % 7] / 6
            values = level + trend * leads + height * week + noise * random.standard_normal(ROWS)
            name = label(place)
            file.writelines(
                f"{name},{day},{value:.2f}\n"
                for day, value in zip(days, values.tolist(), strict=True)
            )
    return to


def label(place: int) -> str:
    """Return the name of a series."""
    return f"item-{place:06d}"


if __name__ == "__main__":
    sys.exit(run_alone(measure))
