"""Watch the room on a worker's disk; without it, the worker takes no jobs."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from app.process.observability import get_logger

# With less, a job's files hardly fit: a checkpoint has a few megabytes, a dataset often more.
ROOM_BYTES = 64 << 20
PAUSE_SECONDS = 60.0  # until a job that needs more space than is free gets its next chance here
POLL_SECONDS = 0.5

logger = get_logger(__name__)


class Room:
    """What a worker knows about the disk on which its jobs keep their files.

    Args:
        folder: the worker's own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ran_out: tuple[float, int] | None = None  # when, and how many bytes were free

    def is_short(self) -> bool:
        """Return whether hardly any space is free."""
        return self._free_bytes() < ROOM_BYTES

    def ran_out(self) -> None:
        """Note that a job had to be given back because the disk was full."""
        self._ran_out = time.monotonic(), self._free_bytes()

    def against_work(self) -> str | None:
        """Return why no job is taken, or None."""
        if self._ran_out is None:
            return None
        return f"the disk of {self._folder} is full: {self._free_bytes() >> 20} MiB are free"

    def wait(self, abandoned: Callable[[], bool]) -> None:
        """Return when there is room again, or at once if it never ran out.

        Meanwhile other workers may take the job that did not fit here.
        """
        if self._ran_out is None:
            return
        since, free_then = self._ran_out
        logger.warning("disk full: no job is taken", folder=str(self._folder), free=free_then)
        while not abandoned():
            free = self._free_bytes()
            was_freed = free >= free_then + ROOM_BYTES
            if free >= ROOM_BYTES and (was_freed or time.monotonic() > since + PAUSE_SECONDS):
                logger.info("there is room again: jobs are taken", free=free)
                break
            time.sleep(POLL_SECONDS)
        self._ran_out = None

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._folder).free
