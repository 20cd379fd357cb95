"""Test the real child process over its pipe, as a worker uses it."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.artifact.files import read_artifact
from app.jobs.messages import Checkpoint, Failed, Finished, Progress, Ready, Stop, Stopped
from tests.small_disk import filled, small_disk
from tests.training.runs import SMALL, request_of, series_of, wave

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 120.0
ENDLESS = {**SMALL, "epochs": 100_000, "early_stopping": None}


class Child:
    """A trainer child and our end of its pipe."""

    def __init__(self) -> None:
        self.checkpoints: list[Path] = []
        self.pipe, theirs = Pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.training.child", "--fd", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def heard(self) -> Any:  # noqa: ANN401
        """Return how the training ended; keep checkpoints on the way (slow machines send some)."""
        self.checkpoints = []
        while isinstance(message := receive(self.pipe), Progress | Checkpoint):
            if isinstance(message, Checkpoint):
                self.checkpoints.append(message.path)
        return message

    def train_on(self) -> None:
        """Wait until several epochs have passed."""
        while True:
            message = receive(self.pipe)
            if isinstance(message, Progress) and message.stage == "training" and message.epoch:
                return


def receive(pipe: Connection) -> Any:  # noqa: ANN401
    assert pipe.poll(PATIENCE_SECONDS), "the child says nothing"
    return pipe.recv()


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    started = Child()
    assert isinstance(started.heard(), Ready)
    yield started
    started.pipe.close()
    started.process.wait(PATIENCE_SECONDS)


def test_it_serves_run_after_run_and_survives_what_cannot_succeed(
    child: Child, tmp_path: Path
) -> None:
    constant = request_of(tmp_path / "constant", series_of(np.full(50, 3.0)), SMALL)
    child.pipe.send(constant)
    failed = child.heard()
    assert isinstance(failed, Failed)
    assert failed.problem["status"] == 422
    assert "nothing to learn" in failed.problem["detail"]

    good = request_of(tmp_path / "good", series_of(wave(160)), SMALL)
    child.pipe.send(good)
    assert child.heard() == Finished()
    manifest, _ = read_artifact(good.output_dir)
    assert manifest.dataset_id == "dataset-1"


def test_stop_leaves_a_checkpoint_or_none_and_a_late_one_is_dropped(
    child: Child, tmp_path: Path
) -> None:
    request = request_of(tmp_path, series_of(wave(160)), ENDLESS)
    child.pipe.send(request)
    child.train_on()
    child.pipe.send(Stop(checkpoint=True))
    assert child.heard() == Stopped()
    assert child.checkpoints[-1].is_file()

    child.pipe.send(request)
    child.train_on()
    child.pipe.send(Stop(checkpoint=False))
    assert child.heard() == Stopped()
    child.pipe.send(Stop(checkpoint=True))  # arrived too late for its training

    child.pipe.send(request_of(tmp_path / "next", series_of(wave(160)), SMALL))
    assert child.heard() == Finished()


def test_a_full_disk_ends_the_run_and_says_why(child: Child, tmp_path: Path) -> None:
    with small_disk(1 << 20) as disk:
        request = request_of(tmp_path, series_of(wave(160)), ENDLESS)
        with filled(disk):
            child.pipe.send(replace(request, checkpoint_dir=disk))
            child.train_on()
            child.pipe.send(Stop(checkpoint=True))
            assert child.heard() == Stopped(disk_full=True)
        with filled(disk):
            finished = request_of(tmp_path / "next", series_of(wave(160)), SMALL)
            child.pipe.send(replace(finished, output_dir=disk))
            assert child.heard() == Stopped(disk_full=True)


def test_the_pipe_closing_ends_it_in_the_middle_of_a_run(child: Child, tmp_path: Path) -> None:
    child.pipe.send(request_of(tmp_path, series_of(wave(160)), ENDLESS))
    child.train_on()
    child.pipe.close()
    assert child.process.wait(PATIENCE_SECONDS) == 0
