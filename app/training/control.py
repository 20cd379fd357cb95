"""What a run tells and asks while it runs: progress out, a wish to stop in."""

from pathlib import Path
from typing import Protocol

from app.jobs.messages import Progress


class StopRequestedError(Exception):
    """The run was told to end.

    Args:
        checkpoint: whether it is to leave a checkpoint first.
    """

    def __init__(self, *, checkpoint: bool) -> None:
        super().__init__("told to stop")
        self.checkpoint = checkpoint


class Control(Protocol):
    """The far end of a run: a worker behind a pipe, a script, a test."""

    def progress(self, progress: Progress) -> None:
        """Takes note of how far the run is."""

    def checkpoint(self, path: Path) -> None:
        """Takes over a finished checkpoint file."""

    def check(self) -> None:
        """Returns if the run is to go on.

        Raises:
            StopRequestedError: it is to end.
        """
