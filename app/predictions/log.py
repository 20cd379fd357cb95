"""The prediction log, written: a 200 leaves only after its row is committed.

Requests that arrive together share one INSERT and its commit; a few writers, each with a connection
of its own, keep several commits under way.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import psycopg

from app.db.binary_arrays import JSON, UUID_TYPE, array, integers, moments, texts
from app.db.committing import CommittingConnection, Statement
from app.db.engine import conninfo
from app.db.ids import WireId, new_wire_id
from app.errors import Unavailable
from app.observability import Metrics, logger

log = logger(__name__)

# One statement for any number of rows. A retry after a connection broke during the commit finds the
# rows there or not; either way they are there once afterwards.
INSERT_PREDICTIONS = Statement(
    name=b"insert_predictions",
    text=b"""
INSERT INTO predictions
  (id, created_at, request_id, model, version, alias, kind, series, request, response)
SELECT id, created_at, request_id, model, version, alias, kind, series, request, response
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::int[], $6::text[],
            $7::text[], $8::text[], $9::json[], $10::json[])
  AS row (id, created_at, request_id, model, version, alias, kind, series, request, response)
ON CONFLICT (id) DO NOTHING
""",
    parameters=10,
)
INSERT_REFUSED = Statement(
    name=b"insert_refused",
    text=b"""
INSERT INTO refused_calls (id, created_at, request_id, path, status, problem, body)
SELECT id, created_at, request_id, path, status, problem, body
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::int[], $6::json[],
            $7::text[])
  AS row (id, created_at, request_id, path, status, problem, body)
ON CONFLICT (id) DO NOTHING
""",
    parameters=7,
)

NOT_LOGGED = "the prediction could not be logged, so it is not given; try again"
WRITERS = 3
MAX_ROWS_PER_COMMIT = 1000
# Waiting to be written; past it, 503. Histories make up nearly all of it.
MAX_WAITING_BYTES = 64 << 20
COMMIT_SECONDS = 10.0
MAX_REFUSED_WAITING = 1000
MAX_REFUSED_BODY = 4096
REFUSED_EVERY_SECONDS = 0.5


class Entry(NamedTuple):
    """One answered request."""

    id: WireId
    request_id: str
    model: str
    version: int
    alias: str | None
    kind: str
    series: str | None
    request: bytes  # JSON as it came
    response: bytes  # JSON as it leaves


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One call that was not answered with a prediction."""

    request_id: str
    path: str
    status: int
    problem: bytes  # JSON
    body: bytes
    id: WireId = field(default_factory=new_wire_id)


class PredictionLog:
    """What waits to be committed, and the writers that do it."""

    def __init__(self, database_url: str, metrics: Metrics) -> None:
        self._conninfo = conninfo(database_url)
        self._metrics = metrics
        self._rows = {name: metrics.log_writes.labels(name) for name in ("committed", "failed")}
        self._waiting: deque[tuple[Sequence[Entry], asyncio.Future[None]]] = deque()
        self._waiting_bytes = 0
        self._idle: deque[asyncio.Future[None]] = deque()
        self._refused: deque[Refusal] = deque(maxlen=MAX_REFUSED_WAITING)
        self._writers: set[asyncio.Task[None]] = set()
        self.commits = 0  # statements that wrote predictions, for tests of what is shared

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write until the end; by then nobody may wait for a prediction to be written."""
        refused = self._connection()
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
            await self._write_refusals(refused)
            await refused.aclose()

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

    def _connection(self) -> CommittingConnection:
        return CommittingConnection(self._conninfo, "stepahead log")

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
        async with aclosing(self._connection()) as connection:
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
        connection: CommittingConnection,
        groups: list[tuple[Sequence[Entry], asyncio.Future[None]]],
    ) -> None:
        entries = [entry for group, _ in groups for entry in group]
        outcome: Exception | None = Unavailable(NOT_LOGGED)
        apart = False
        try:
            await connection.commit(
                INSERT_PREDICTIONS, columns_of(entries), timeout_seconds=COMMIT_SECONDS
            )
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
        self._rows["committed" if committed else "failed"].inc(rows)
        if committed:
            self.commits += 1
            self._metrics.commit_rows.observe(rows)

    async def _write_refusals_for_ever(self, connection: CommittingConnection) -> None:
        while True:
            await asyncio.sleep(REFUSED_EVERY_SECONDS)
            await self._write_refusals(connection)

    async def _write_refusals(self, connection: CommittingConnection) -> None:
        if not self._refused:
            return
        rows = list(self._refused)
        self._refused.clear()
        try:
            await connection.commit(
                INSERT_REFUSED, columns_of_refusals(rows), timeout_seconds=COMMIT_SECONDS
            )
        except (psycopg.Error, TimeoutError) as error:
            log.warning("refused calls not logged", rows=len(rows), error=str(error))
        except asyncio.CancelledError:  # at the end: they are written once more, under their ids
            self._refused.extendleft(reversed(rows))
            await connection.aclose()
            raise


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


def columns_of(entries: Sequence[Entry]) -> list[bytes]:
    """The parameters of INSERT_PREDICTIONS."""
    ids, request_ids, models, versions, aliases, kinds, series, requests, responses = zip(
        *entries, strict=True
    )
    return [
        array(UUID_TYPE, [identifier.bytes for identifier in ids]),
        moments([identifier.timestamp for identifier in ids]),
        texts(request_ids),
        texts(models),
        integers(versions),
        texts(aliases),
        texts(kinds),
        texts(series),
        array(JSON, requests),
        array(JSON, responses),
    ]


def columns_of_refusals(refusals: Sequence[Refusal]) -> list[bytes]:
    """The parameters of INSERT_REFUSED."""
    return [
        array(UUID_TYPE, [one.id.bytes for one in refusals]),
        moments([one.id.timestamp for one in refusals]),
        texts([one.request_id for one in refusals]),
        texts([one.path for one in refusals]),
        integers([one.status for one in refusals]),
        # Neither NUL nor broken UTF-8 can stand in a text column.
        array(JSON, [one.problem.replace(b"\\u0000", b"\\\\u0000") for one in refusals]),
        texts([one.body.decode(errors="replace").replace("\x00", "\\u0000") for one in refusals]),
    ]
