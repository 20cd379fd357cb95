"""The registry as this process knows it, polled several times a second on its own connection."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from fastapi import Depends, FastAPI, Request
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.access.keyring import Keyring
from app.errors import Unavailable
from app.http.problem_responses import DATABASE_AWAY
from app.process.observability import get_logger
from app.registry.catalogue import Catalogue, read_catalogue
from app.registry.store import revision
from app.storage.connecting import PROBE_SECONDS
from app.storage.engine import make_engine
from app.storage.resources import Resources
from app.storage.schema_version import NewerDatabase, refuse_newer

logger = get_logger(__name__)

POLL_SECONDS = 0.3
STALE_SECONDS = 10.0
NOT_PREPARED = "the database has not been prepared: run `stepahead migrate`"
UNREACHABLE = "the database cannot be reached"


class RegistryWatch:
    """A poller of the registry; `catalogue` is what it read last.

    Its own connection and thread keep it working when all others wait for the database. Its state
    is touched only on the event loop.
    """

    def __init__(
        self, database_url: str, also_read: Callable[[Session], None] = lambda _: None
    ) -> None:
        """Begin without having read.

        Args:
            database_url: a migrated database.
            also_read: reads something else with each look, in the same transaction and thread.
        """
        self._also_read = also_read
        self.catalogue: Catalogue | None = None
        # Called after each read.
        self.on_read: Callable[[], None] = lambda: None
        # Called after the catalogue has changed.
        self.on_change: Callable[[Catalogue], None] = lambda _: None
        self._engine = make_engine(database_url, pool_size=1, statement_seconds=PROBE_SECONDS)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="registry")
        self._looking: asyncio.Task[None] | None = None
        self._read_at = time.monotonic()
        self._trouble: str | None = None  # why the last read failed

    @property
    def age_seconds(self) -> float:
        """How long ago the registry was last read."""
        return time.monotonic() - self._read_at

    @property
    def is_looking(self) -> bool:
        """Whether a read is in progress."""
        return self._looking is not None and not self._looking.done()

    async def refresh(self) -> None:
        """Read what is new; simultaneous callers share one read.

        Raises:
            Unavailable: the database cannot be read.
        """
        if self._looking is None or not self.is_looking:
            self._looking = asyncio.create_task(self._look())
        await asyncio.shield(self._looking)

    async def catch_up(self) -> None:
        """Read everything that was committed before this call.

        A read in progress may miss it; the next one cannot.

        Raises:
            Unavailable: the database cannot be read.
        """
        if self.is_looking:
            with suppress(Unavailable):
                await self.refresh()
        await self.refresh()

    async def follow(self) -> None:
        """Keep reading what is new as long as this process serves."""
        while True:
            with suppress(Unavailable):  # logged, and shown by /readyz; the old one is served
                await self.refresh()
            await asyncio.sleep(POLL_SECONDS)

    def not_read(self) -> str | None:
        """Return why the catalogue is out of date, or None if it is not."""
        if self.catalogue is None:
            return "the registry has not been read yet"
        silence = self.age_seconds
        if silence <= STALE_SECONDS:
            return None
        return f"the registry was last read {silence:.0f} s ago"

    def not_reachable(self) -> str | None:
        """Return why the last read failed, or None if it did not."""
        return self._trouble

    async def close(self) -> None:
        """Wait for a read in progress, whose connection would be lost with the engine."""
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)
        self._thread.shutdown()
        self._engine.dispose()

    async def _look(self) -> None:
        known = None if self.catalogue is None else self.catalogue.revision
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, self._read_newer, known)
        except NewerDatabase as error:
            self._note(str(error), error)
            raise Unavailable(str(error)) from error
        except SQLAlchemyError as error:
            self._note(NOT_PREPARED if isinstance(error, ProgrammingError) else UNREACHABLE, error)
            raise Unavailable(DATABASE_AWAY) from error
        self._note(None, None)
        self._read_at = time.monotonic()
        self.on_read()
        if found is not None:
            self.catalogue = found
            self.on_change(found)

    def _note(self, trouble: str | None, error: Exception | None) -> None:
        """Log when reading begins to fail, and when it works again."""
        if trouble is not None and self._trouble is None:
            logger.warning("registry cannot be read", error=str(error).partition("\n")[0])
        elif trouble is None and self._trouble is not None:
            logger.info("registry can be read again")
        self._trouble = trouble

    def _read_newer(self, known: int | None) -> Catalogue | None:
        with Session(self._engine) as session, session.begin():
            if known is None:
                refuse_newer(session.connection())
            self._also_read(session)
            if known is not None and revision(session) == known:
                return None
            return read_catalogue(session)


async def _follow_change(request: Request) -> AsyncIterator[None]:
    yield
    watch: RegistryWatch = request.app.state.registry_watch
    with suppress(Unavailable):  # the change is committed; the next read finds it
        await watch.catch_up()


# For routes that change the registry: this process follows the change before it answers. As one of
# the route's own `dependencies` it ends after the session, that is after the commit.
FOLLOWS_CHANGE = Depends(_follow_change, scope="function")


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Follow the registry as long as the app serves."""
    keyring: Keyring = app.state.keyring
    watch = RegistryWatch(resources.database_url, also_read=keyring.read)
    app.state.registry_watch = watch
    watch.on_read = app.state.metrics.registry_read.set_to_current_time
    app.state.health.checks.extend([watch.not_read, watch.not_reachable])
    with suppress(Unavailable):  # `follow` keeps trying
        await watch.refresh()
    following = asyncio.create_task(watch.follow())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await watch.close()
