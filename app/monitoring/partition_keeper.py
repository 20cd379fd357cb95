"""Maintain the log's partitions in a serving process; days are counted before they are dropped."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta

import psycopg
from fastapi import FastAPI

from app.errors import Unavailable
from app.http.problem_responses import DATABASE_AWAY, DATABASE_ERRORS
from app.monitoring.upkeep import finish_days_before
from app.predictions.logged.partitions import maintain_partitions
from app.process.observability import get_logger
from app.storage.resources import Resources

logger = get_logger(__name__)

EVERY_SECONDS = 3600.0
LOOK_SECONDS = 1.0


class PartitionKeeper:
    """Maintains the partitions at the start, every hour and whenever the date has changed.

    A clock that is set forward, or a machine that slept for weeks, may pass all of them at once.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._maintained_for: date | None = None
        self._maintained_at = 0.0  # of the monotonic clock

    def not_ready(self) -> str | None:
        """Return why nothing can be logged yet, or None."""
        if self._maintained_for is None:
            return "the log's partitions could not be made yet"
        return None

    def is_due(self) -> bool:
        """Return whether the partitions should be maintained now."""
        is_old = time.monotonic() >= self._maintained_at + EVERY_SECONDS
        return is_old or self._maintained_for != _today()

    async def maintain(self) -> None:
        """Maintain the partitions now.

        Raises:
            Unavailable: the database is away or not migrated.
        """
        today = _today()
        try:
            await asyncio.to_thread(self._maintain, today)
        except (psycopg.Error, *DATABASE_ERRORS) as error:
            logger.warning("partitions not maintained", error=str(error))
            raise Unavailable(DATABASE_AWAY) from error
        self._maintained_for, self._maintained_at = today, time.monotonic()

    def _maintain(self, today: date) -> None:
        settings = self._resources.settings
        if settings.log_retention_days:
            finish_days_before(self._resources, today - timedelta(days=settings.log_retention_days))
        maintain_partitions(self._resources.engine, settings, today=today)

    async def keep(self) -> None:
        """Maintain the partitions as long as this process serves."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.is_due():
                with suppress(Unavailable):  # logged; existing partitions last for days
                    await self.maintain()


def _today() -> date:
    return datetime.now(UTC).date()


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Make the partitions, then maintain them as long as the app serves."""
    keeper = PartitionKeeper(resources)
    app.state.health.checks.append(keeper.not_ready)
    with suppress(Unavailable):  # `keep` keeps trying, and /readyz says so
        await keeper.maintain()
    keeping = asyncio.create_task(keeper.keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
