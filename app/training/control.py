"""Define what a run exchanges with its caller: progress, checkpoints, requests to stop."""

from pathlib import Path
from typing import Protocol

from app.jobs.messages import Progress


class StopRequestedError(Exception):
    """The run was asked to end.

    Args:
        checkpoint: whether to save a checkpoint first.
    """

    def __init__(self, *, checkpoint: bool) -> None:
        super().__init__("asked to stop")
        self.checkpoint = checkpoint


class Control(Protocol):
    """The caller of a run: a worker behind a pipe, a script, or a test."""

    def progress(self, progress: Progress) -> None:
        """Receive the progress of the run."""

    def checkpoint(self, path: Path) -> None:
        """Receive a complete checkpoint file."""

    def check(self) -> None:
        """Return if the run is to continue.

        Raises:
            StopRequestedError: it is to end.
        """
