"""Let children notice when the process above them has died, even by `kill -9`.

The supervisor holds the writing end of a pipe and never writes. Each child inherits the reading end
and waits on it in a thread. When the last writer is gone, for whatever reason, the read returns and
the child ends itself in order. (PR_SET_PDEATHSIG would work only on Linux, and it follows the
thread that started the child, not the process.)
"""

import os
import signal
import threading
import time
from types import TracebackType
from typing import Self


class Lifeline:
    """The supervisor's end of the pipe; children keep running while it is open."""

    def __init__(self) -> None:
        self.reading_end, self._writing_end = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self.reading_end)
        os.close(self._writing_end)


def end_with(reading_end: int, *, grace_seconds: float) -> None:
    """End this process in order once the other end of the pipe has closed.

    Args:
        reading_end: the inherited file descriptor.
        grace_seconds: how long the orderly end may take before it is cut short.
    """
    threading.Thread(
        target=_wait_and_end, args=(reading_end, grace_seconds), name="lifeline", daemon=True
    ).start()


def _wait_and_end(reading_end: int, grace_seconds: float) -> None:
    os.read(reading_end, 1)
    # The supervisor also read our output. Writing to the broken pipe would disturb the requests
    # that are still being finished.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_seconds)
    os.kill(os.getpid(), signal.SIGKILL)
