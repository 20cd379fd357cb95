"""Uploaded, trained by the real trainer, served: over HTTP, with real processes."""

import csv
import json
import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from app.db.engine import make_engine
from app.db.tables import Version
from app.jobs.states import JobStatus
from app.jobs.trainer import COMMAND
from tests.jobs.harness import Harness, WorkerProcess, eventually
from tests.service import Service, running_service

PATIENCE_SECONDS = 240.0  # TensorFlow takes its time on a busy machine


@pytest.fixture
def api(fresh_database: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(fresh_database, tmp_path) as running:
        yield running


@pytest.fixture
def worker(fresh_database: str, tmp_path: Path) -> Iterator[tuple[Harness, WorkerProcess]]:
    engine = make_engine(fresh_database)
    harness = Harness(fresh_database, engine, tmp_path)
    yield harness, harness.start_worker(trainer=COMMAND)
    harness.close()
    engine.dispose()


def train(api: Service, model: str, files: dict[str, bytes], **fields: object) -> UUID:
    parts = {name: (f"{name}.csv", data) for name, data in files.items()}
    data = {name: json.dumps(value) for name, value in fields.items()}
    answer = api.client.post(f"/models/{model}/train", files=parts, data=data)
    assert answer.status_code == 202, answer.json()
    return UUID(answer.json()["id"])


def weights(harness: Harness, model: str) -> str:
    with harness.sessions.begin() as session:
        sha256: str = session.get_one(Version, (model, 1)).files["weights.safetensors"]["sha256"]
        return sha256


def trainer_of(worker: WorkerProcess) -> int:
    """The pid of the worker's child."""
    children = Path(f"/proc/{worker.pid}/task").glob("*/children")
    (pid,) = [int(pid) for file in children for pid in file.read_text().split()]
    return pid


def waves() -> bytes:
    steps = np.arange(400)
    values = 100 + 10 * np.sin(steps / 7) + np.random.default_rng(1).normal(size=400)
    return b"Value\n" + b"".join(f"{value:.3f}\n".encode() for value in values)


@pytest.mark.slow
def test_a_run_that_lost_its_trainer_ends_with_the_same_weights(
    api: Service, worker: tuple[Harness, WorkerProcess]
) -> None:
    harness, process = worker
    recipe = {"preset": "chapter", "epochs": 3000, "refit": False}
    whole = train(api, "whole", {"file": waves()}, recipe=recipe)
    harness.wait_for(whole, JobStatus.SUCCEEDED, within=PATIENCE_SECONDS)
    cut = train(api, "cut", {"file": waves()}, recipe=recipe)
    eventually(lambda: harness.job(cut).progress.get("epoch"), within=PATIENCE_SECONDS)
    os.kill(trainer_of(process), signal.SIGKILL)

    job = harness.wait_for(cut, JobStatus.SUCCEEDED, within=PATIENCE_SECONDS)

    assert (job.attempt, job.deaths) == (2, 1)
    assert weights(harness, "cut") == weights(harness, "whole")


@pytest.mark.slow
def test_the_chapters_file_is_trained_and_predicts_january(
    api: Service, worker: tuple[Harness, WorkerProcess], shared_data: Path
) -> None:
    harness, _ = worker
    files = {
        "file": (shared_data / "google_stock_train.csv").read_bytes(),
        "test": (shared_data / "google_stock_test.csv").read_bytes(),
    }

    job_id = train(api, "google", files, recipe={"preset": "chapter"})

    job = harness.wait_for(job_id, JobStatus.SUCCEEDED, within=PATIENCE_SECONDS)
    assert job.progress["curve"][-1]["epoch"] == 200
    with (shared_data / "google_stock_test.csv").open() as file:
        opens = [float(row["Open"]) for row in csv.DictReader(file)]
    errors = []
    for today, tomorrow in pairwise(opens):
        answer = api.predict(model="google", history=[today])
        assert answer.status_code == 200, answer.json()
        assert answer.json()["version"] == 1
        errors.append(answer.json()["predictions"][0]["value"] - tomorrow)
    rmse = float(np.sqrt(np.mean(np.square(errors))))
    scorecard = api.client.get("/models/google/versions/1").json()["scorecard"]
    assert rmse == pytest.approx(scorecard["series"]["model"]["rmse"], rel=1e-4)
    persistence = scorecard["series"]["baselines"]["persistence"]["rmse"]
    assert persistence == pytest.approx(8.59, abs=0.01)
