import time
from collections.abc import Sequence
from pathlib import Path

from app.process.observability import get_logger
from app.process.restarts import Restarts
from app.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError

logger = get_logger("supervisor")


class KeptPostgres:
    """The embedded PostgreSQL, restarted when it dies.

    Args:
        data_dir: the data directory; locked while it runs.
        address: where this service answers, "host:port", for the message to a second service.
    """

    def __init__(self, data_dir: Path, *, address: str) -> None:
        self._server = EmbeddedPostgres(data_dir, address=address)
        self._restarts = Restarts()
        self._start_at: float | None = None  # while it waits to be restarted
        self._how = ""  # how it ended the last time
        self._cannot_start = False
        self.is_vital = True
        self.last_words: Sequence[str] = ()  # empty: its last output is part of how it ended

    @property
    def home(self) -> Path | None:
        """The folder with the database, or None before the start."""
        return self._server.home

    @property
    def pid(self) -> int | None:
        """The server's process id, or None while it is down."""
        return self._server.pid

    def start(self) -> str:
        """Start it and return its URL, which stays the same.

        Raises:
            EmbeddedPostgresError: it cannot start; the message says why and what to do.
        """
        url = self._server.start()
        self._restarts.started(time.monotonic())
        return url

    def stop(self) -> None:
        """Stop it and release the data directory."""
        self._server.stop()

    @property
    def trouble(self) -> str | None:
        """A message about a server that keeps dying or cannot be restarted, or None."""
        if self.keeps_dying:
            deaths = self._restarts.deaths
            return f"PostgreSQL ended {deaths} times in a row, most recently: {self._how}"
        return f"PostgreSQL does not start: {self._how}" if self._cannot_start else None

    @property
    def keeps_dying(self) -> bool:
        """Whether it died several times in a row."""
        return self._restarts.keeps_dying

    def tend(self) -> None:
        """Restart the server when it has died; call this often."""
        now = time.monotonic()
        if self._start_at is None:
            if self._server.alive():
                self._restarts.alive(now)
            else:
                self._plan_start(now, "its process is gone")
        elif now >= self._start_at:
            self._start_at = None
            try:
                self.start()
                self._cannot_start = False
            except EmbeddedPostgresError as error:
                self._cannot_start = True
                self._plan_start(time.monotonic(), " ".join(str(error).split()))

    def _plan_start(self, now: float, how: str) -> None:
        self._how = how
        delay = self._restarts.delay_after_death(now)
        level = logger.error if self._restarts.keeps_dying else logger.warning
        level(
            "ended, restarting",
            child="PostgreSQL",
            how=how,
            deaths=self._restarts.deaths,
            delay_seconds=delay,
        )
        self._start_at = now + delay
