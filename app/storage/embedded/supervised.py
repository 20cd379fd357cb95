import time
from pathlib import Path

from app.process.observability import get_logger
from app.process.restarts import DEATHS, WITHIN_SECONDS, GivenUp, Restarts
from app.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError

logger = get_logger("supervisor")


class KeptPostgres:
    """The embedded PostgreSQL, started again when it dies.

    Args:
        data_dir: the data directory; locked while it runs.
        address: where this service answers, "host:port", told to a second one that is refused.
    """

    def __init__(self, data_dir: Path, *, address: str) -> None:
        self._server = EmbeddedPostgres(data_dir, address=address)
        self._restarts = Restarts()
        self._start_at: float | None = None  # while waiting to be started again

    @property
    def home(self) -> Path | None:
        """Where it keeps the database; None while it is not started."""
        return self._server.home

    @property
    def pid(self) -> int | None:
        """The server's process id; None while it is down."""
        return self._server.pid

    def start(self) -> str:
        """Start it and return its URL, which stays the same.

        Raises:
            EmbeddedPostgresError: it cannot start; the message says why and what to do.
        """
        return self._server.start()

    def stop(self) -> None:
        """Stop it and let go of the data directory."""
        self._server.stop()

    def tend(self) -> None:
        """Start it again when it has died; call it often.

        Raises:
            GivenUp: it keeps dying, or does not start any more.
        """
        now = time.monotonic()
        if self._start_at is None:
            if not self._server.alive():
                self._plan_start(now, "its process is gone")
        elif now >= self._start_at:
            self._start_at = None
            try:
                self._server.start()
            except EmbeddedPostgresError as error:
                self._plan_start(now, str(error))

    def _plan_start(self, now: float, how: str) -> None:
        delay = self._restarts.delay_after(now)
        if delay is None:
            raise GivenUp(
                f"PostgreSQL ended {DEATHS} times within {WITHIN_SECONDS:.0f} seconds, at last: "
                f"{how}"
            )
        logger.warning("ended, starts again", child="PostgreSQL", how=how, delay_seconds=delay)
        self._start_at = now + delay
