"""Upload, train with the real trainer, and serve, over HTTP with real processes."""

import csv
import hashlib
import json
import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.serving import Served, wait_until

PATIENCE_SECONDS = 240.0  # TensorFlow is slow on a busy machine


def train(service: Served, model: str, files: dict[str, bytes], recipe: dict[str, object]) -> str:
    answer = httpx.post(
        f"{service.url}/models/{model}/train",
        files={name: (f"{name}.csv", data) for name, data in files.items()},
        data={"recipe": json.dumps(recipe)},
        timeout=60,
    )
    assert answer.status_code == 202, answer.json()
    return str(answer.json()["id"])


def got(service: Served, path: str) -> dict[str, Any]:
    answer = httpx.get(f"{service.url}{path}", timeout=60)
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def succeeded(service: Served, job_id: str) -> dict[str, Any]:
    """Return the job once it has succeeded."""

    def has_ended() -> bool:
        job = got(service, f"/jobs/{job_id}")
        assert job["status"] not in {"failed", "cancelled"}, job["error"]
        return bool(job["status"] == "succeeded")

    wait_until(has_ended, PATIENCE_SECONDS)
    return got(service, f"/jobs/{job_id}")


def weights(service: Served, model: str) -> str:
    path = f"/models/{model}/versions/1/files/weights.safetensors"
    answer = httpx.get(f"{service.url}{path}", timeout=60)
    assert answer.status_code == 200
    return hashlib.sha256(answer.content).hexdigest()


def waves() -> bytes:
    steps = np.arange(400)
    values = 100 + 10 * np.sin(steps / 7) + np.random.default_rng(1).normal(size=400)
    return b"Value\n" + b"".join(f"{value:.3f}\n".encode() for value in values)


@pytest.mark.slow
def test_a_run_that_lost_its_trainer_ends_with_the_same_weights(whole_service: Served) -> None:
    recipe = {"preset": "chapter", "epochs": 400, "refit": False}
    whole = train(whole_service, "whole", {"file": waves()}, recipe)
    succeeded(whole_service, whole)
    cut = train(whole_service, "cut", {"file": waves()}, recipe)
    wait_until(
        lambda: got(whole_service, f"/jobs/{cut}")["progress"]["epoch"],
        PATIENCE_SECONDS,
    )
    os.kill(whole_service.children()["trainer"], signal.SIGKILL)

    job = succeeded(whole_service, cut)

    assert job["attempt"] == 2
    told = [line["text"] for line in got(whole_service, f"/jobs/{cut}/log?limit=500")["items"]]
    assert len([line for line in told if "SIGKILL" in line]) == 1, told
    assert weights(whole_service, "cut") == weights(whole_service, "whole")


@pytest.mark.slow
def test_the_chapters_file_is_trained_and_predicts_january(
    whole_service: Served, shared_data: Path
) -> None:
    files = {
        "file": (shared_data / "google_stock_train.csv").read_bytes(),
        "test": (shared_data / "google_stock_test.csv").read_bytes(),
    }

    job = succeeded(
        whole_service, train(whole_service, "google", files, recipe={"preset": "chapter"})
    )

    assert job["curve"][-1]["epoch"] == 200
    with (shared_data / "google_stock_test.csv").open() as file:
        opens = [float(row["Open"]) for row in csv.DictReader(file)]
    errors = []
    for today, tomorrow in pairwise(opens):
        body = {"model": "google", "history": [today]}
        answer = httpx.post(f"{whole_service.url}/predict", json=body)
        assert answer.status_code == 200, answer.json()
        assert answer.json()["version"] == 1
        errors.append(answer.json()["predictions"][0]["value"] - tomorrow)
    rmse = float(np.sqrt(np.mean(np.square(errors))))
    scorecard = got(whole_service, "/models/google/versions/1")["scorecard"]
    assert rmse == pytest.approx(scorecard["series"]["model"]["rmse"], rel=1e-4)
    persistence = scorecard["series"]["baselines"]["persistence"]["rmse"]
    assert persistence == pytest.approx(8.59, abs=0.01)


@pytest.mark.slow
def test_nothing_is_left_in_the_users_home(whole_service: Served) -> None:
    """ONNX Runtime stored telemetry there that it sends to its vendor, and Keras its settings."""
    succeeded(
        whole_service,
        train(whole_service, "homeless", {"file": waves()}, {"preset": "chapter", "epochs": 1}),
    )
    body = {"model": "homeless", "history": [100.0]}
    assert httpx.post(f"{whole_service.url}/predict", json=body).status_code == 200

    home = whole_service.data_dir.parent / "home"
    left = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]

    assert left == [".keras/keras.json"]
