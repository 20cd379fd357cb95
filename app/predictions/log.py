"""The prediction log, written: a 200 leaves only after its row is committed.

Requests that arrive together share one INSERT and its commit; a few connections keep several
commits under way.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import NamedTuple

import psycopg

from app.errors import Unavailable
from app.process.observability import Metrics, get_logger
from app.storage.binary_arrays import (
    JSON,
    UUID_TYPE,
    array,
    integer,
    integers,
    moment,
    moments,
    texts,
)
from app.storage.committing import CommittingConnection, Parameters, Statement
from app.storage.engine import conninfo
from app.storage.ids import WireId, new_wire_id

logger = get_logger(__name__)

# A retry after a connection broke during the commit finds the rows there or not; either way they
# are there once afterwards. At first they cannot be there, and not looking for them saves an eighth
# of PostgreSQL's time.
UNLESS_THERE = b"ON CONFLICT (id) DO NOTHING"
INSERT_PREDICTIONS = b"""
INSERT INTO predictions
  (id, created_at, request_id, model, version, alias, kind, series, request, response)
"""
MANY = b"""
SELECT id, created_at, request_id, model, version, alias, kind, series, request, response
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::int[], $6::text[],
            $7::text[], $8::text[], $9::json[], $10::json[])
  AS row (id, created_at, request_id, model, version, alias, kind, series, request, response)
"""
ONE = b"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
INSERT_REFUSED = b"""
INSERT INTO refused_calls (id, created_at, request_id, path, status, problem, body)
SELECT id, created_at, request_id, path, status, problem, body
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::int[], $6::json[],
            $7::text[])
  AS row (id, created_at, request_id, path, status, problem, body)
"""


def _once(name: bytes, text: bytes) -> Statement:
    return Statement(name=name, text=text, again=text + UNLESS_THERE)


KEEP_MANY = _once(b"keep_many", INSERT_PREDICTIONS + MANY)
# A row by itself is committed in 0.21 ms so, and in 0.27 through arrays of one.
KEEP_ONE = _once(b"keep_one", INSERT_PREDICTIONS + ONE)
KEEP_REFUSED = _once(b"keep_refused", INSERT_REFUSED)

# Refusals that say nothing about a row, by the beginning of their SQLSTATE (PostgreSQL, Appendix
# A): connections, transactions, rights, databases, deadlocks, tables, resources, locks, operators,
# disks, configuration, and a day without a partition (predictions have no other check).
SERVER_FAULTS = ("08", "25", "28", "3D", "40", "42", "53", "55", "57", "58", "F0", "23514")
# Two of these may be about a row all the same: its parameters cannot be read, or it takes too much
# memory.
ROW_FAULTS = ("08P01", "53200")

NOT_LOGGED = "the prediction could not be logged, so it is not given; try again"
CONNECTIONS = 3
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


class Rows(NamedTuple):
    """Answered requests, column by column; see `Entry`."""

    ids: Sequence[WireId]
    request_ids: Sequence[str]
    models: Sequence[str]
    versions: Sequence[int]
    aliases: Sequence[str | None]
    kinds: Sequence[str]
    series: Sequence[str | None]
    requests: Sequence[bytes]
    responses: Sequence[bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One call that was not answered with a prediction."""

    request_id: str
    path: str
    status: int
    problem: bytes  # JSON
    body: bytes
    id: WireId = field(default_factory=new_wire_id)


# By the number of a row: why it was not committed. All rows that are not in it were.
Refused = Mapping[int, Exception]
NONE_REFUSED: Refused = {}


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are committed together."""

    rows: Rows
    done: Callable[[Refused], None]  # called once
    size: int = field(init=False)  # of requests and responses, in bytes

    def __post_init__(self) -> None:
        """Add up the sizes once."""
        size = sum(map(len, self.rows.requests)) + sum(map(len, self.rows.responses))
        object.__setattr__(self, "size", size)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows.ids)


class Halves:
    """Two groups that stand for one, to find the row in it that PostgreSQL refuses."""

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
    """What waits to be committed, and the connections that do it."""

    def __init__(self, database_url: str, metrics: Metrics, *, api_processes: int = 1) -> None:
        # Not where PostgreSQL, or a process like this one, may need the core.
        self._may_stay_awake = (os.cpu_count() or 1) > api_processes
        self._conninfo = conninfo(database_url, application_name="stepahead log")
        self._metrics = metrics
        self._waiting: deque[Group] = deque()
        # Groups that were refused together, halved until the row that is at fault stands alone.
        self._suspects: deque[list[Group]] = deque()
        self._waiting_bytes = 0  # of all of them, and of those being committed
        self._connections = [self._connection() for _ in range(CONNECTIONS)]
        self._idle = list(self._connections)
        self.on_free: Callable[[], None] = lambda: None  # called when a commit could begin
        self._refused: deque[Refusal] = deque(maxlen=MAX_REFUSED_WAITING)
        self.commits = 0  # statements that wrote predictions, for tests of what is shared

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write until the end; by then nobody may wait for a prediction to be written."""
        refused = self._connection()
        refusals = asyncio.create_task(self._write_refusals_for_ever(refused))
        try:
            yield
        finally:
            refusals.cancel()
            await asyncio.gather(refusals, return_exceptions=True)
            await self._write_refusals(refused)
            for connection in (*self._connections, refused):
                connection.close()

    @property
    def is_free(self) -> bool:
        """Whether a commit could begin at once."""
        return bool(self._idle)

    def write(self, groups: Sequence[Group]) -> None:
        """Commit groups and call `done` of each, with the rows that were refused.

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
        """Log a refused call, best effort: the oldest waiting one gives way."""
        # Cut now: a thousand whole bodies in wait were gigabytes.
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
        except Exception as error:  # noqa: BLE001 - a value that no column can hold; passed on
            asyncio.get_running_loop().call_soon(done, error)

    def _committed(
        self,
        connection: CommittingConnection,
        groups: list[Group],
        rows: int,
        error: Exception | None,
    ) -> None:
        """Report the outcome, or commit each half by itself to find the row that is at fault."""
        self._idle.append(connection)
        if error is not None:
            logger.warning("predictions not logged", rows=rows, error=str(error))
            if isinstance(error, TimeoutError):  # the others may have fallen silent as well
                for idle in self._idle:
                    idle.close()
            if not is_about_a_row(error):
                error = Unavailable(NOT_LOGGED)
            elif rows > 1:
                self._suspects.extendleft(reversed(halves(groups)))
                self._commit_waiting()
                return
        self._waiting_bytes -= sum(group.size for group in groups)
        self._commit_waiting()  # PostgreSQL is at work while these are answered
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
        except asyncio.CancelledError:  # at the end: they are written once more, under their ids
            self._refused.extendleft(reversed(rows))
            connection.close()
            raise


def is_about_a_row(error: Exception) -> bool:
    """Tell whether a commit may have failed because of one of its rows."""
    if not isinstance(error, psycopg.Error):
        return not isinstance(error, TimeoutError | OSError)
    state = error.sqlstate
    return state is not None and (state in ROW_FAULTS or not state.startswith(SERVER_FAULTS))


def halves(groups: list[Group]) -> tuple[list[Group], list[Group]]:
    """Part rows that were refused together: between two groups, or within the only one."""
    if len(groups) > 1:
        middle = len(groups) // 2
        return groups[:middle], groups[middle:]
    both = Halves(groups[0])
    return [both.first], [both.second]


def _cut(rows: Rows, part: slice) -> Rows:
    return Rows._make([column[part] for column in rows])


def rows_of(entries: Iterable[Entry]) -> Rows:
    """The same, column by column; at least one."""
    # By way of a list: of a bare zip Python keeps a tuple each time, until it has 2,000 of them.
    return Rows._make(list(zip(*entries, strict=True)))


def joined(parts: Sequence[Rows]) -> Rows:
    """One behind the other."""
    if len(parts) == 1:
        return parts[0]
    return Rows._make([list(chain.from_iterable(columns)) for columns in zip(*parts, strict=True)])


def parameters_of_one(rows: Rows) -> Parameters:
    """The parameters of KEEP_ONE."""
    entry = Entry._make([column[0] for column in rows])
    return [
        entry.id.bytes,
        moment(entry.id.timestamp),
        entry.request_id.encode(),
        entry.model.encode(),
        integer(entry.version),
        None if entry.alias is None else entry.alias.encode(),
        entry.kind.encode(),
        None if entry.series is None else entry.series.encode(),
        entry.request,
        entry.response,
    ]


def parameters_of_many(rows: Rows) -> Parameters:
    """The parameters of KEEP_MANY."""
    return [
        array(UUID_TYPE, [identifier.bytes for identifier in rows.ids]),
        moments([identifier.timestamp for identifier in rows.ids]),
        texts(rows.request_ids),
        texts(rows.models),
        integers(rows.versions),
        texts(rows.aliases),
        texts(rows.kinds),
        texts(rows.series),
        array(JSON, rows.requests),
        array(JSON, rows.responses),
    ]


def columns_of_refusals(refusals: Sequence[Refusal]) -> Parameters:
    """The parameters of KEEP_REFUSED."""
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
