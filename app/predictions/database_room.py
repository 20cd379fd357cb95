"""Watch the room on the database's disk: without it, no prediction can be logged or answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import psycopg

from app.errors import Unavailable
from app.process.observability import get_logger
from app.storage.engine import connect

logger = get_logger(__name__)

PROBE_SECONDS = 1.0
RETRY_SECONDS = 5
FULL = "the database's disk is full"
NOT_LOGGED = f"{FULL}: the prediction could not be logged, so it is not given; free some space"
# Spills 2 MB into a temporary file of PostgreSQL's, which leaves nothing behind. Inserting a row
# would prove nothing, since it may fit into an existing page.
PROBE = """
SELECT count(*) FROM (
  SELECT repeat('x', 1000) AS filling, number FROM generate_series(1, 2000) AS number
   ORDER BY filling, number DESC
) AS sorted
"""


class DatabaseRoom:
    """Whether the database's disk is full; kept up to date while it is."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._is_full = False

    def ran_out(self, error: Exception) -> Unavailable:
        """Note that the disk is full; return the error for those whose rows did not fit."""
        if not self._is_full:
            logger.error("predictions are refused: the disk is full", error=str(error))
        self._is_full = True
        return Unavailable(NOT_LOGGED, retry_after_seconds=RETRY_SECONDS)

    def not_ready(self) -> str | None:
        """Return the reason while the disk is full."""
        return FULL if self._is_full else None

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Check for room every second while there is none."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            if self._is_full and await asyncio.to_thread(self._has_room):
                self._is_full = False
                logger.info("the database's disk has room again")

    def _has_room(self) -> bool:
        try:
            with closing(connect(self._database_url)) as connection:
                connection.execute("SET work_mem = '64kB'")
                connection.execute(PROBE)
        except psycopg.Error:  # still full, or away, which other checks notice
            return False
        return True
