"""Write the prediction log: a 200 is only sent after its row is committed.

Requests that arrive together share one INSERT and its commit; a few connections commit at the same
time.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import psycopg

from app.errors import Unavailable
from app.predictions.database_room import DatabaseRoom
from app.predictions.logged.rows import (
    KEEP_MANY,
    KEEP_ONE,
    KEEP_REFUSED,
    Refusal,
    Rows,
    columns_of_refusals,
    joined,
    parameters_of_many,
    parameters_of_one,
)
from app.process.observability import Metrics, get_logger
from app.storage.committing import CommittingConnection, Parameters
from app.storage.engine import conninfo, is_database_full

logger = get_logger(__name__)

# Errors that say nothing about a row, by the first characters of their SQLSTATE (PostgreSQL,
# Appendix A): connections, transactions, rights, databases, deadlocks, tables, resources, locks,
# operators, disks, configuration, and a day without a partition (predictions have no other check).
SERVER_FAULTS = ("08", "25", "28", "3D", "40", "42", "53", "55", "57", "58", "F0", "23514")
# Two of these may nevertheless be about a row: its parameters cannot be read, or it takes too much
# memory.
ROW_FAULTS = ("08P01", "53200")

NOT_LOGGED = "the prediction could not be logged, so it is not given; try again"
CONNECTIONS = 3
MAX_ROWS_PER_COMMIT = 1000
# Limit on waiting rows; above it, 503. Most of it is histories.
MAX_WAITING_BYTES = 64 << 20
COMMIT_SECONDS = 10.0
MAX_REFUSED_WAITING = 1000
MAX_REFUSED_BODY = 4096
REFUSED_EVERY_SECONDS = 0.5


# Errors by row number, for rows that were not committed. All others were.
Refused = Mapping[int, Exception]
NONE_REFUSED: Refused = {}


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are committed together."""

    rows: Rows
    done: Callable[[Refused], None]  # called once
    size: int = field(init=False)  # size of requests and responses in bytes

    def __post_init__(self) -> None:
        """Compute the sizes once."""
        size = sum(map(len, self.rows.requests)) + sum(map(len, self.rows.responses))
        object.__setattr__(self, "size", size)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows.ids)


class Halves:
    """Two groups in place of one, to find the row in it that PostgreSQL refuses."""

    def __init__(self, whole: Group) -> None:
        middle = len(whole) // 2
        self._done = whole.done
        self._refused: dict[int, Exception] = {}
        self._unfinished = 2
        self.first = Group(_cut(whole.rows, slice(middle)), partial(self._half_done, 0))
        self.second = Group(_cut(whole.rows, slice(middle, None)), partial(self._half_done, middle))

    def _half_done(self, start: int, refused: Refused) -> None:
        self._refused |= {start + row: error for row, error in refused.items()}
        self._unfinished -= 1
        if not self._unfinished:
            self._done(self._refused)


class PredictionLog:
    """The rows that wait to be committed, and the connections that commit them."""

    def __init__(self, database_url: str, metrics: Metrics, *, api_processes: int = 1) -> None:
        self.room = DatabaseRoom(database_url)
        # Not if PostgreSQL, or another api process, may need the core.
        self._may_stay_awake = (os.cpu_count() or 1) > api_processes
        self._conninfo = conninfo(database_url, application_name="stepahead log")
        self._metrics = metrics
        self._waiting: deque[Group] = deque()
        # Groups that were refused together; halved until the row at fault is alone.
        self._suspects: deque[list[Group]] = deque()
        self._waiting_bytes = 0  # of all groups, and of those being committed
        self._connections = [self._connection() for _ in range(CONNECTIONS)]
        self._idle = list(self._connections)
        self.on_free: Callable[[], None] = lambda: None  # called when a commit can begin
        self._refused: deque[Refusal] = deque(maxlen=MAX_REFUSED_WAITING)
        self.commits = 0  # number of statements that wrote predictions, for tests

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write until the end; by then nobody may be waiting for a prediction."""
        refused = self._connection()
        refusals = asyncio.create_task(self._write_refusals_for_ever(refused))
        try:
            async with self.room.watched():
                yield
        finally:
            refusals.cancel()
            await asyncio.gather(refusals, return_exceptions=True)
            await self._write_refusals(refused)
            for connection in (*self._connections, refused):
                connection.close()

    @property
    def is_free(self) -> bool:
        """Whether a commit can begin immediately."""
        return bool(self._idle)

    def write(self, groups: Sequence[Group]) -> None:
        """Commit groups, and call `done` of each with the rows that were refused.

        A refused row must not be answered with a 200. Groups given at once share a commit.
        """
        for group in groups:
            if self._waiting_bytes + group.size > MAX_WAITING_BYTES and self._waiting:
                full = "more predictions are waiting to be logged than can be; try again"
                group.done(dict.fromkeys(range(len(group)), Unavailable(full)))
            else:
                self._waiting.append(group)
                self._waiting_bytes += group.size
        self._commit_waiting()

    def refuse(self, refusal: Refusal) -> None:
        """Log a refused call on a best-effort basis: the oldest waiting one is dropped."""
        # Cut here, because a thousand complete bodies in the queue were gigabytes.
        self._refused.append(replace(refusal, body=refusal.body[:MAX_REFUSED_BODY]))

    def _connection(self) -> CommittingConnection:
        return CommittingConnection(self._conninfo)

    def _commit_waiting(self) -> None:
        while self._idle and (self._suspects or self._waiting):
            self._commit(self._suspects.popleft() if self._suspects else self._take())

    def _take(self) -> list[Group]:
        taken = [self._waiting.popleft()]
        rows = len(taken[0])
        while self._waiting and rows < MAX_ROWS_PER_COMMIT:
            group = self._waiting.popleft()
            taken.append(group)
            rows += len(group)
        return taken

    def _commit(self, groups: list[Group]) -> None:
        connection = self._idle.pop()
        rows = joined([group.rows for group in groups])
        count = len(rows.ids)
        done = partial(self._committed, connection, groups, count)
        is_lone = count == 1 and len(self._idle) == CONNECTIONS - 1
        parameters: Parameters
        try:
            if count == 1:
                statement, parameters = KEEP_ONE, parameters_of_one(rows)
            else:
                statement, parameters = KEEP_MANY, parameters_of_many(rows)
            connection.commit_soon(
                statement,
                parameters,
                done,
                timeout_seconds=COMMIT_SECONDS,
                awake=self._may_stay_awake and is_lone,
            )
        except Exception as error:  # noqa: BLE001 - a value that no column accepts; passed on
            asyncio.get_running_loop().call_soon(done, error)

    def _committed(
        self,
        connection: CommittingConnection,
        groups: list[Group],
        rows: int,
        error: Exception | None,
    ) -> None:
        """Report the result, or commit each half separately to find the row at fault."""
        self._idle.append(connection)
        if error is not None:
            logger.warning("predictions not logged", rows=rows, error=str(error))
            if isinstance(error, TimeoutError):  # the other connections may have fallen silent, too
                for idle in self._idle:
                    idle.close()
            if is_database_full(error):
                error = self.room.ran_out(error)
            elif not is_about_a_row(error):
                error = Unavailable(NOT_LOGGED)
            elif rows > 1:
                self._suspects.extendleft(reversed(halves(groups)))
                self._commit_waiting()
                return
        self._waiting_bytes -= sum(group.size for group in groups)
        self._commit_waiting()  # PostgreSQL works while these are answered
        for group in groups:
            group.done(NONE_REFUSED if error is None else dict.fromkeys(range(len(group)), error))
        self.commits += error is None
        self._metrics.written(rows, committed=error is None)
        if self._idle:
            self.on_free()

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
                KEEP_REFUSED, columns_of_refusals(rows), timeout_seconds=COMMIT_SECONDS
            )
        except (psycopg.Error, TimeoutError) as error:
            logger.warning("refused calls not logged", rows=len(rows), error=str(error))
        except asyncio.CancelledError:  # at shutdown: they are written again, under their ids
            self._refused.extendleft(reversed(rows))
            connection.close()
            raise


def is_about_a_row(error: Exception) -> bool:
    """Return whether a commit may have failed because of one of its rows."""
    if not isinstance(error, psycopg.Error):
        return not isinstance(error, TimeoutError | OSError)
    state = error.sqlstate
    return state is not None and (state in ROW_FAULTS or not state.startswith(SERVER_FAULTS))


def halves(groups: list[Group]) -> tuple[list[Group], list[Group]]:
    """Divide rows that were refused together: between two groups, or within the only one."""
    if len(groups) > 1:
        middle = len(groups) // 2
        return groups[:middle], groups[middle:]
    both = Halves(groups[0])
    return [both.first], [both.second]


def _cut(rows: Rows, part: slice) -> Rows:
    return Rows._make([column[part] for column in rows])
