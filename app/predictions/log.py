"""The prediction log, written: a 200 leaves only after its row is committed.

Requests that arrive together share one INSERT and its commit; a few writers, each with a connection
of its own, keep several commits under way.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

import psycopg

from app.db.engine import conninfo
from app.db.ids import new_id, time_of
from app.errors import Unavailable
from app.observability import Metrics, logger

log = logger(__name__)

# One statement for any number of rows. A retry after a connection broke during the commit finds the
# rows there or not; either way they are there once afterwards. The parameters go in binary form
# (%b): as text, psycopg escapes every quote of the JSON, half of a commit's processor time here.
INSERT_PREDICTIONS = """
INSERT INTO predictions
  (id, created_at, request_id, model, version, alias, kind, series, request, response)
SELECT id, created_at, request_id, model, version, alias, kind, series, request, response
FROM unnest(%b::uuid[], %b::timestamptz[], %b::text[], %b::text[], %b::int[], %b::text[],
            %b::text[], %b::text[], %b::text[]::json[], %b::text[]::json[])
  AS row (id, created_at, request_id, model, version, alias, kind, series, request, response)
ON CONFLICT (id) DO NOTHING
"""
INSERT_REFUSED = """
INSERT INTO refused_calls (id, created_at, request_id, path, status, problem, body)
SELECT id, created_at, request_id, path, status, problem, body
FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::int[], %s::jsonb[],
            %s::text[])
  AS row (id, created_at, request_id, path, status, problem, body)
"""

NOT_LOGGED = "the prediction could not be logged, so it is not given; try again"
WRITERS = 3
MAX_ROWS_PER_COMMIT = 1000
# Waiting to be written; past it, 503. Histories make up nearly all of it.
MAX_WAITING_BYTES = 64 << 20
CONNECT_SECONDS = 3
COMMIT_SECONDS = 10.0
ATTEMPTS = 2
MAX_REFUSED_WAITING = 1000
MAX_REFUSED_BODY = 4096
REFUSED_EVERY_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One answered request."""

    id: UUID
    request_id: str
    model: str
    version: int
    alias: str | None
    kind: str
    series: str | None
    request: bytes  # JSON as it came
    response: bytes  # JSON as it leaves

    def row(self) -> tuple[object, ...]:
        """Its values in the order of the columns."""
        return (
            self.id,
            time_of(self.id),
            self.request_id,
            self.model,
            self.version,
            self.alias,
            self.kind,
            self.series,
            self.request.decode(),
            self.response.decode(),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One call that was not answered with a prediction."""

    request_id: str
    path: str
    status: int
    problem: bytes  # JSON
    body: bytes

    def row(self) -> tuple[object, ...]:
        """Its values in the order of the columns."""
        # Neither NUL nor broken UTF-8 can stand in a text column.
        body = self.body[:MAX_REFUSED_BODY].decode(errors="replace").replace("\x00", "\\u0000")
        problem = self.problem.decode().replace("\\u0000", "\\\\u0000")
        return (
            *(new_id(), datetime.now(UTC), self.request_id),
            *(self.path, self.status, problem, body),
        )


class PredictionLog:
    """What waits to be committed, and the writers that do it."""

    def __init__(self, database_url: str, metrics: Metrics) -> None:
        self._conninfo = conninfo(database_url)
        self._metrics = metrics
        self._waiting: deque[tuple[Sequence[Entry], asyncio.Future[None]]] = deque()
        self._waiting_bytes = 0
        self._idle: deque[asyncio.Future[None]] = deque()
        self._refused: deque[Refusal] = deque(maxlen=MAX_REFUSED_WAITING)
        self._writers: set[asyncio.Task[None]] = set()
        self.commits = 0  # statements that wrote predictions, for tests of what is shared

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write until the end; by then nobody may wait for a prediction to be written."""
        refused = Connection(self._conninfo)
        for _ in range(WRITERS):
            self._start_writer()
        refusals = asyncio.create_task(self._write_refusals_for_ever(refused))
        try:
            yield
        finally:
            tasks = [*self._writers, refusals]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            async with refused:
                await self._write_refusals(refused)

    async def write(self, entries: Sequence[Entry]) -> None:
        """Return once all of these are committed, together.

        Raises:
            Unavailable: they may not be; they must not be answered with a 200.
        """
        size = sum(len(entry.request) + len(entry.response) for entry in entries)
        if self._waiting_bytes + size > MAX_WAITING_BYTES and self._waiting:
            raise Unavailable("more predictions are waiting to be logged than can be; try again")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, done))
        self._waiting_bytes += size
        try:
            # A writer woken already, in this turn of the loop, takes these along.
            if self._idle and len(self._waiting) == 1:
                self._idle.popleft().set_result(None)
            await done
        finally:
            self._waiting_bytes -= size

    def refuse(self, refusal: Refusal) -> None:
        """Log a refused call, best effort: the oldest waiting one gives way."""
        # Cut now: a thousand whole bodies in wait were gigabytes.
        self._refused.append(replace(refusal, body=refusal.body[:MAX_REFUSED_BODY]))

    def _start_writer(self) -> None:
        task = asyncio.create_task(self._write_for_ever())
        self._writers.add(task)
        task.add_done_callback(self._replace_writer)

    def _replace_writer(self, task: asyncio.Task[None]) -> None:
        """A fault of ours ends one writer and fails its rows; the next rows find a new one."""
        self._writers.discard(task)
        if not task.cancelled():
            log.error("a writer of the log has died", exc_info=task.exception())
            self._start_writer()

    async def _write_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        async with Connection(self._conninfo) as connection:
            while True:
                if not self._waiting:
                    idle = loop.create_future()
                    self._idle.append(idle)
                    await idle
                taken = self._take()
                if taken:
                    await self._commit(connection, taken)

    def _take(self) -> list[tuple[Sequence[Entry], asyncio.Future[None]]]:
        taken = []
        rows = 0
        while self._waiting and rows < MAX_ROWS_PER_COMMIT:
            group = self._waiting.popleft()
            taken.append(group)
            rows += len(group[0])
        return taken

    async def _commit(
        self,
        connection: "Connection",
        groups: list[tuple[Sequence[Entry], asyncio.Future[None]]],
    ) -> None:
        entries = [entry for group, _ in groups for entry in group]
        outcome: Exception | None = Unavailable(NOT_LOGGED)
        apart = False
        try:
            await connection.execute(INSERT_PREDICTIONS, [entry.row() for entry in entries])
            outcome = None
        except psycopg.DataError as error:
            log.warning("a prediction cannot be stored", rows=len(entries), error=str(error))
            apart = len(groups) > 1
            outcome = error
        except (psycopg.Error, TimeoutError) as error:
            log.warning("predictions not logged", rows=len(entries), error=str(error))
        finally:
            # Whatever happened, nobody waits for ever, and only what is committed is answered.
            if not apart:
                self._count(len(entries), committed=outcome is None)
                _settle(groups, outcome)
        if apart:  # a row that PostgreSQL cannot hold fails its own request and no neighbour's
            for group in groups:
                await self._commit(connection, [group])

    def _count(self, rows: int, *, committed: bool) -> None:
        self._metrics.log_writes.labels("committed" if committed else "failed").inc(rows)
        if committed:
            self.commits += 1
            self._metrics.commit_rows.observe(rows)

    async def _write_refusals_for_ever(self, connection: "Connection") -> None:
        while True:
            await asyncio.sleep(REFUSED_EVERY_SECONDS)
            await self._write_refusals(connection)

    async def _write_refusals(self, connection: "Connection") -> None:
        if not self._refused:
            return
        rows = [refusal.row() for refusal in self._refused]
        self._refused.clear()
        try:
            await connection.execute(INSERT_REFUSED, rows)
        except (psycopg.Error, TimeoutError) as error:
            log.warning("refused calls not logged", rows=len(rows), error=str(error))


def _settle(
    groups: list[tuple[Sequence[Entry], asyncio.Future[None]]], error: Exception | None
) -> None:
    for _, done in groups:
        if done.done():  # its caller is gone
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


class Connection:
    """One connection that comes back by itself after the database was away."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._open: psycopg.AsyncConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def execute(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement over the columns of these rows and commit it.

        A connection that turns out to be dead is replaced once: the statements here may run twice.

        Raises:
            psycopg.Error: it was not committed, or nobody knows.
            TimeoutError: the database took too long.
        """
        columns = [list(column) for column in zip(*rows, strict=True)]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with asyncio.timeout(COMMIT_SECONDS):
                    connection = self._open or await self._connect()
                    await connection.execute(statement, columns)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                await self._close()
                if attempt == ATTEMPTS:
                    raise
            except TimeoutError:
                await self._close()
                raise
            else:
                return

    async def _connect(self) -> psycopg.AsyncConnection:
        self._open = await psycopg.AsyncConnection.connect(
            self._where,
            autocommit=True,  # a statement of its own is a transaction of its own
            connect_timeout=CONNECT_SECONDS,
            application_name="stepahead log",
        )
        return self._open

    async def _close(self) -> None:
        connection, self._open = self._open, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()
