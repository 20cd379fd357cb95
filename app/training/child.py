"""Run the trainer child of a worker: one warm process, run after run, until its pipe closes.

Started as `python -m app.training.child --fd N`; its messages are in `app.jobs.messages`. A run
that cannot succeed ends with `Failed`. Any other error ends the process with a traceback, and the
worker decides whether to try again.
"""

import argparse
import errno
import os
import select
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import tensorflow as tf
from safetensors import SafetensorError

from app.errors import StepaheadError, Unprocessable
from app.jobs.messages import (
    Checkpoint,
    Event,
    Failed,
    Finished,
    Progress,
    Ready,
    Stop,
    Stopped,
    TrainingRequest,
)
from app.process.cpu_priority import GIVES_WAY_MOST, give_way
from app.process.disk import is_full
from app.training import IMPORT_STARTED
from app.training.control import StopRequestedError
from app.training.run import run_training

OS_ERROR_FULL = f"os error {errno.ENOSPC}"  # how safetensors says that a disk is full
PROGRESS_SECONDS = 0.2  # between two reports of the same stage
OUT_OF_MEMORY = (
    "the run does not fit into the worker's memory: fewer units, a smaller window or batch_size, "
    "or fewer rows are needed"
)


class PipeControl:
    """The worker at the other end of a pipe; implements `control.Control`."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._stage: str | None = None
        self._unsent: Progress | None = None  # the newest report of the stage, held back
        self._last_sent = 0.0

    def progress(self, progress: Progress) -> None:
        """Send the first and the last report of a stage, and a limited number in between."""
        now = time.monotonic()
        if progress.stage != self._stage:
            self.flush()
            self._stage = progress.stage
        elif now - self._last_sent < PROGRESS_SECONDS:
            self._unsent = progress
            return
        self._send(progress)

    def flush(self) -> None:
        """Send the report that was held back."""
        if self._unsent is not None:
            self._send(self._unsent)

    def checkpoint(self, path: Path) -> None:
        """Hand over a checkpoint."""
        self._pipe.send(Checkpoint(path=path))

    def check(self) -> None:
        """Check whether the worker wants the run to end.

        Raises:
            StopRequestedError: it does.
            EOFError: the worker is gone.
        """
        while self._pipe.poll():
            message = self._pipe.recv()
            if isinstance(message, Stop):
                raise StopRequestedError(checkpoint=message.checkpoint)

    def _send(self, progress: Progress) -> None:
        self._unsent = None
        self._last_sent = time.monotonic()
        self._pipe.send(progress)


def serve(pipe: Connection) -> None:
    """Answer requests until the pipe closes.

    Raises:
        EOFError, BrokenPipeError: the pipe has closed.
    """
    pipe.send(Ready(import_seconds=round(time.monotonic() - IMPORT_STARTED, 3)))
    while True:
        message = pipe.recv()
        if isinstance(message, TrainingRequest):  # a Stop at this point came too late for its run
            control = PipeControl(pipe)
            outcome = answer(message, control)
            control.flush()
            pipe.send(outcome)


def answer(request: TrainingRequest, control: PipeControl) -> Event:
    """Run one request and report how it ended."""
    try:
        run_training(request, control)
    except StopRequestedError:
        return Stopped()
    except StepaheadError as error:
        return Failed(problem=error.problem())
    except (MemoryError, tf.errors.ResourceExhaustedError):
        return Failed(problem=Unprocessable(OUT_OF_MEMORY).problem())
    except OSError as error:
        if not is_full(error):
            raise
        return Stopped(disk_full=True)
    except SafetensorError as error:
        if OS_ERROR_FULL not in str(error):
            raise
        return Stopped(disk_full=True)
    return Finished()


def main() -> None:
    """Serve the pipe whose file descriptor is given on the command line."""
    parser = argparse.ArgumentParser(description="Trainer child of a Stepahead worker.")
    parser.add_argument("--fd", type=int, required=True, help="file descriptor of the pipe")
    arguments = parser.parse_args()
    # Ctrl-C is the worker's business; it closes the pipe to end the child.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_worker, args=(arguments.fd,), daemon=True).start()
    give_way(GIVES_WAY_MOST)
    try:
        serve(Connection(arguments.fd))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        # TensorFlow's threads take seconds to end in order, which nothing here needs.
        sys.stderr.flush()
        os._exit(0)


def _end_with_worker(fd: int) -> None:
    """End the process when the other end of its pipe is closed, whatever it is doing."""
    hung_up = select.poll()
    hung_up.register(fd, 0)  # only the end of the connection
    hung_up.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
