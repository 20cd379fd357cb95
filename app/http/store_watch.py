"""Whether the object store answers, asked every few seconds.

Uploads are refused at once while it does not, and `/readyz` and the metrics say so.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI

from app.http.health import Health
from app.process.observability import get_logger
from app.storage.object_store import ObjectStore
from app.storage.resources import Resources
from app.storage.store_errors import StoreUnavailable
from app.storage.store_metrics import StoreMetrics

LOOK_SECONDS = 5.0
HANGING_SECONDS = 10.0  # a folder in the network can hold a thread for as long as it likes

logger = get_logger(__name__)


class StoreWatch:
    """What the last probe of the store found; kept in `app.state.store_watch`."""

    def __init__(self, store: ObjectStore, metrics: StoreMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._trouble: StoreUnavailable | None = None
        self._threads = CapacityLimiter(1)

    async def watch(self) -> None:
        """Probe the store for as long as this process serves."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Probe the store once."""
        trouble: StoreUnavailable | None = StoreUnavailable("it does not answer")
        with anyio.move_on_after(HANGING_SECONDS):
            trouble = await to_thread.run_sync(
                self._probe, limiter=self._threads, abandon_on_cancel=True
            )
        if trouble is None and self._trouble is not None:
            logger.info("the object store can be used again")
        if trouble is not None and self._trouble is None:
            logger.error("the object store cannot be used", reason=trouble.reason)
        self._trouble = trouble
        self._metrics.show_up(up=trouble is None)

    def require(self) -> None:
        """Check that the store answered when it was last asked.

        Raises:
            StoreUnavailable: it did not.
        """
        if self._trouble is not None:
            raise self._trouble.again()

    def not_ready(self) -> str | None:
        """Return why the store cannot be used, if it cannot."""
        return None if self._trouble is None else f"the object store: {self._trouble.reason}"

    def _probe(self) -> StoreUnavailable | None:
        try:
            self._store.probe()
        except StoreUnavailable as trouble:
            return trouble
        return None


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Watch the store while the block runs."""
    watch = StoreWatch(resources.store, app.state.store_metrics)
    app.state.store_watch = watch
    health: Health = app.state.health
    health.store = watch.not_ready
    watching = asyncio.create_task(watch.watch())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
