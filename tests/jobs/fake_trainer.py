"""Speak the trainer's protocol without learning; the model's name decides the behaviour."""

import argparse
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

from app.artifact.files import MANIFEST, MODEL, SCORECARD, WEIGHTS
from app.errors import Unprocessable
from app.jobs.messages import (
    Checkpoint,
    Failed,
    Finished,
    Progress,
    Ready,
    Stop,
    Stopped,
    TrainingRequest,
)
from tests.registry.records import series_manifest, series_scorecard


class Told(Exception):
    pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--epoch-seconds", type=float, default=0.05)
    arguments = parser.parse_args()
    pipe = Connection(arguments.fd)
    try:
        pipe.send(Ready(import_seconds=0.0))
        while True:
            request = pipe.recv()
            if isinstance(request, TrainingRequest):
                answer(pipe, request, log=arguments.log, seconds=arguments.epoch_seconds)
    except (EOFError, OSError):
        return


def answer(pipe: Connection, request: TrainingRequest, *, log: Path, seconds: float) -> None:
    if request.model == "refusing":
        pipe.send(Failed(problem=Unprocessable("the loss ran away").problem()))
        return
    try:
        train(pipe, request, log=log, seconds=seconds)
    except Told:
        pipe.send(Stopped())
        return
    write_artifact(request)
    pipe.send(Finished())


def train(pipe: Connection, request: TrainingRequest, *, log: Path, seconds: float) -> None:
    assert request.dataset.read_bytes()
    epochs = request.recipe.epochs
    for epoch in range(last_epoch(request.checkpoint_dir) + 1, epochs + 1):
        listen(pipe, request, epoch=epoch, seconds=seconds)
        if request.model == "deadly" and epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        with log.open("a") as file:
            file.write(f"{os.getpid()} {request.model} {epoch}\n")
        pipe.send(
            Progress(
                stage="training",
                epoch=epoch,
                epochs=epochs,
                loss=1 / epoch,
                eta_seconds=(epochs - epoch) * seconds,
            )
        )
        pipe.send(checkpoint(request, epoch))


def listen(pipe: Connection, request: TrainingRequest, *, epoch: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    # At least once: on a very busy machine the time may be over already, and nothing would be read.
    while pipe.poll(max(0.0, until - time.monotonic())):
        said = pipe.recv()
        if isinstance(said, Stop) and request.model != "deaf":
            if said.checkpoint:
                pipe.send(checkpoint(request, epoch - 1))
            raise Told


def checkpoint(request: TrainingRequest, epoch: int) -> Checkpoint:
    path = request.checkpoint_dir / f"{epoch:06d}-{time.monotonic_ns()}.fake"
    path.write_text(str(epoch))
    return Checkpoint(path=path)


def last_epoch(folder: Path) -> int:
    return max((int(path.read_text()) for path in folder.glob("*.fake")), default=0)


def write_artifact(request: TrainingRequest) -> None:
    folder = request.output_dir
    manifest = series_manifest(recipe=request.recipe, dataset_id=request.dataset_id)
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    (folder / SCORECARD).write_text(series_scorecard().model_dump_json())
    (folder / MODEL).write_bytes(b"onnx")
    (folder / WEIGHTS).write_bytes(b"weights")


if __name__ == "__main__":
    main()
