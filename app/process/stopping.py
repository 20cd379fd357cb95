"""Being asked to stop, once or again."""

import logging
import os
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import NoReturn, Self

# One request may arrive twice at once: from the terminal and again from `make` or `timeout`.
SAME_REQUEST_SECONDS = 1.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exit_at_once() -> NoReturn:
    """End this process, whose work is done, without having Python free all that it holds.

    That takes a quarter of a second of processor time, at a load of 45 six seconds of the grace
    that a supervisor gives.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class Stopping:
    """Catches Ctrl-C, SIGTERM and a closed terminal while it is entered.

    The handler only sets values, and who waits looks at them: anything that takes a lock in a
    handler may find it held by the very code that was interrupted.
    """

    def __init__(self) -> None:
        self._first: float | None = None
        self._hastened = False
        self._previous: dict[signal.Signals, signal.Handlers] = {}

    @property
    def requested(self) -> bool:
        """Whether to stop."""
        return self._first is not None

    @property
    def hastened(self) -> bool:
        """Whether to stop without further waiting."""
        return self._hastened

    def request(self) -> None:
        """Ask to stop; a second time, a second later or more, to make haste."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
        elif now - self._first >= SAME_REQUEST_SECONDS:
            self._hastened = True

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._handle)  # type: ignore[assignment]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.request()
