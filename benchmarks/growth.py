"""Compare a log of ten million rows with one of ten thousand: inserts, pages, export, retention.

Both are databases of one embedded PostgreSQL in a temporary directory and take turns. A tenth of
the large log is from today, the rest from the 18 days before, in daily partitions like the
service's. Inserts are batches of 64 rows through the service's own log, each committed with fsync,
in many short turns, so that background writing of the rows that were just generated affects both
alike. Pages and the export are requested over HTTP from an api with one core.

Inserted rows are as long as the existing ones. When they were shorter by a third, each filled the
gap at the end of another old page after a vacuum: 8.4 kB of WAL per row instead of 0.5, until every
page of the day had got one. That compared the lengths of rows, not the sizes of logs, and does not
happen in a log with a mix of long and short requests: there, 43 pages were written completely for
3,200 rows after a vacuum, and 37 without one.

    python -m benchmarks.growth [--quick]
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg

from app.config import Settings
from app.predictions.log import PredictionLog
from app.predictions.logged.partitions import maintain_partitions
from app.predictions.logged.rows import Entry
from app.process.observability import Metrics
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo, make_engine
from app.storage.ids import new_wire_id
from benchmarks.figures import Figure, Reference, at_least, at_most, run_alone
from benchmarks.parts.filling import (
    MODELS,
    REQUEST,
    REQUEST_ID,
    RESPONSE,
    fill_day,
    fill_today,
    make_database,
)
from benchmarks.parts.service import Api, running_api
from tests.predictions.written import written

ROWS, FEW_ROWS = 10_000_000, 10_000
DAYS = 18  # before today
BYTES_PER_ROW = 1000  # disk space that a row may need while it is generated
API_CORE = frozenset({0})
BATCH_ROWS, BATCHES, INSERT_TURNS = 64, 25, 64
WARM_BATCHES = 10  # PostgreSQL plans a statement anew the first five times
PAGES = 40
KEPT_DAYS = 9
LOOK_EVERY_BYTES = 1 << 19


@dataclass(frozen=True, kw_only=True)
class Logs:
    """The two databases."""

    few: str
    many: str
    rows: int


def measure(*, quick: bool) -> Iterator[Figure]:
    """Fill both logs, then measure each in turn."""
    rows = ROWS // 100 if quick else ROWS
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="stepahead-growth-")))
        folder.chmod(0o711)  # PostgreSQL may run as another user
        if shutil.disk_usage(folder).free < rows * BYTES_PER_ROW:
            raise OSError(f"{folder} has no room for {rows:,} rows")
        postgres = parts.enter_context(EmbeddedPostgres(folder / "data"))
        logs = Logs(
            few=make_database(postgres.url, "few"),
            many=make_database(postgres.url, "many"),
            rows=rows,
        )
        yield from filled(logs)
        # Its checkpoint would have finished long ago, because rows of 18 days do not arrive at
        # once.
        postgres.stop()
        postgres.start()
        yield asyncio.run(inserts(logs, turns=8 if quick else INSERT_TURNS))
        few, many = (
            parts.enter_context(running_api(url, folder / name, cores=API_CORE))
            for name, url in (("api-few", logs.few), ("api-many", logs.many))
        )
        yield from pages(few, many, count=5 if quick else PAGES)
        yield from exports(many, logs)
        yield retention(logs)


def filled(logs: Logs) -> Iterator[Figure]:
    """Return both logs, and the disk space per row."""
    today = datetime.now(UTC).date()
    with psycopg.connect(conninfo(logs.few), autocommit=True) as connection:
        fill_today(connection, FEW_ROWS)
        connection.execute("ANALYZE predictions")
    started = time.perf_counter()
    with psycopg.connect(conninfo(logs.many), autocommit=True) as connection:
        fill_today(connection, logs.rows // 10)
        for ago in range(2, DAYS + 2):  # yesterday already has its partition
            fill_day(connection, today - timedelta(days=ago), logs.rows * 9 // 10 // DAYS)
        connection.execute("ANALYZE predictions")
        (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (
            0,
        )
    print(f"filled in {time.perf_counter() - started:.0f} s")
    yield Figure(
        name="a row of the log with its indexes, 3 prices in and 1 out",
        value=size / logs.rows,
        unit="bytes",
        note=f"{logs.rows:,} rows",
    )


async def inserts(logs: Logs, *, turns: int) -> Figure:
    """Measure rows per second in each log, and the WAL per row."""
    few, many = (Inserted(log=PredictionLog(url, Metrics())) for url in (logs.few, logs.many))
    with psycopg.connect(conninfo(logs.few), autocommit=True) as server:
        async with few.log.running(), many.log.running():
            for each in (few, many):
                for _ in range(WARM_BATCHES):
                    await written(each.log, batch())
            for number in range(turns):
                # alternates which one is first
                for each in (few, many)[:: -1 if number % 2 else 1]:
                    await each.take_turn(server)
    return Figure(
        name=f"inserts into a log of {logs.rows:,} rows",
        value=statistics.median(many.rates),
        unit="rows/s",
        reference=Reference(name=f"a log of {FEW_ROWS:,} rows", value=statistics.median(few.rates)),
        wanted=at_least(0.9),
        note=f"{statistics.median(many.wal_bytes):.0f} bytes of WAL for a row, "
        f"{statistics.median(few.wal_bytes):.0f} in the small one",
    )


@dataclass(frozen=True, kw_only=True)
class Inserted:
    """The inserts into one log."""

    log: PredictionLog
    rates: list[float] = field(default_factory=list)  # rows per second in each turn
    wal_bytes: list[float] = field(default_factory=list)  # bytes per row in each turn

    async def take_turn(self, server: psycopg.Connection) -> None:
        """Insert batches, each committed before the next."""
        batches = [batch() for _ in range(BATCHES)]
        before = wal_position(server)
        started = time.perf_counter()
        for entries in batches:
            await written(self.log, entries)
        rows = BATCHES * BATCH_ROWS
        self.rates.append(rows / (time.perf_counter() - started))
        self.wal_bytes.append((wal_position(server) - before) / rows)


def wal_position(server: psycopg.Connection) -> int:
    """Return how many bytes the server has ever written to its WAL."""
    query = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
    (position,) = server.execute(query).fetchone() or (0,)
    return int(position)


def batch() -> list[Entry]:
    """Return answers to 64 requests for as many models."""
    return [
        Entry(
            id=new_wire_id(),
            request_id=REQUEST_ID.format(number),
            model=f"model-{number % MODELS}",
            version=1,
            alias="champion",
            kind="series",
            series=None,
            request=REQUEST,
            response=RESPONSE,
            key=None,
        )
        for number in range(BATCH_ROWS)
    ]


def pages(few: Api, many: Api, *, count: int) -> Iterator[Figure]:
    """Measure pages of 50 rows, by model and time."""
    now = datetime.now(UTC)
    since = (now - timedelta(days=4)).isoformat()
    asked: dict[str, dict[str, str]] = {
        "by model and time": {"model": "model-7", "from": since, "to": now.isoformat()},
        "by model": {"model": "model-7"},
        "the newest": {},
    }
    with few.client() as asks_few, many.client() as asks_many:
        for name, query in asked.items():
            times: dict[httpx.Client, list[float]] = {asks_few: [], asks_many: []}
            for _ in range(count):
                for client, found in times.items():
                    found.append(page_ms(client, query))
            yield Figure(
                name=f"a page of GET /predictions, {name}",
                value=statistics.median(times[asks_many]),
                unit="ms",
                reference=Reference(
                    name=f"{FEW_ROWS:,} rows", value=statistics.median(times[asks_few])
                ),
                wanted=at_most(3),
            )
        cursor = asks_many.get("/predictions", params={"model": "model-7", "limit": 500}).json()
        yield Figure(
            name="a page behind the 500th",
            value=statistics.median(
                page_ms(asks_many, {"model": "model-7", "cursor": cursor["next"]})
                for _ in range(count)
            ),
            unit="ms",
        )


def page_ms(client: httpx.Client, query: dict[str, str]) -> float:
    """Return the milliseconds for one full page."""
    started = time.perf_counter()
    answer = client.get("/predictions", params=query)
    taken = time.perf_counter() - started
    if len(answer.json()["items"]) != 50:
        raise ValueError(f"not a full page: {answer.text[:200]}")
    return 1000 * taken


def exports(api: Api, logs: Logs) -> Iterator[Figure]:
    """Measure the export of a day (a tenth of the log) in each format, and of one model's part."""
    since = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    for form in ("csv", "parquet"):
        part = export(api, {"format": form, "from": since, "model": "model-7"})
        whole = export(api, {"format": form, "from": since})
        yield Figure(
            name=f"export as {form}: memory of the api and the exporting process",
            value=whole.memory_bytes / 2**20,
            unit="MiB",
            reference=Reference(name=f"a {MODELS}th of the rows", value=part.memory_bytes / 2**20),
            wanted=at_most(1.5),
            note=f"{whole.size / 2**20:.0f} MiB in {whole.seconds:.1f} s, of {logs.rows:,} rows",
        )


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The result of an export."""

    size: int
    seconds: float
    memory_bytes: int  # the maximum seen


def export(api: Api, query: dict[str, str]) -> Exported:
    """Run an export to its end."""
    most, size, looked_at = 0, 0, 0
    started = time.perf_counter()
    with api.client() as client, client.stream("GET", "/predictions/export", params=query) as it:
        for block in it.iter_raw():
            if not size or size - looked_at > LOOK_EVERY_BYTES:
                looked_at = size
                most = max(most, api.memory_bytes())
            size += len(block)
    return Exported(size=size, seconds=time.perf_counter() - started, memory_bytes=most)


def retention(logs: Logs) -> Figure:
    """Measure dropping what is older than nine days."""
    engine = make_engine(logs.many)
    started = time.perf_counter()
    maintain_partitions(engine, Settings(log_retention_days=KEPT_DAYS))
    seconds = time.perf_counter() - started
    engine.dispose()
    oldest = datetime.now(UTC) - timedelta(days=KEPT_DAYS + 1)
    with psycopg.connect(conninfo(logs.many)) as connection:
        left, kept = connection.execute(
            "SELECT count(*) FILTER (WHERE created_at < %s), count(*) FROM predictions", [oldest]
        ).fetchone() or (0, 0)
    return Figure(
        name="rows left behind retention",
        value=left,
        unit="",
        wanted=at_most(0),
        note=f"{logs.rows - kept:,} rows dropped with their partitions in {seconds:.2f} s, "
        f"{kept:,} kept",
    )


if __name__ == "__main__":
    sys.exit(run_alone(measure))
