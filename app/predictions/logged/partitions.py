"""Maintain the log's daily partitions: create them before their day, drop them after retention.

A partition is attached, never created in place: CREATE TABLE … PARTITION OF would lock the whole
log against writing while it waits for a long reader.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import sql
from sqlalchemy import Engine

from app.config import Settings
from app.storage.engine import connect
from app.storage.ids import first_id

DAYS_AHEAD = 14
PARTITION = re.compile(r"predictions_(\d{8})")
# Lets one process wait for another; a different number from the migrations'.
MAINTENANCE_LOCK = 0x57E9_106
MAINTENANCE_SECONDS = 600.0  # a partition is only detached after the last reader of the log

LIST_TABLES = """
SELECT class.relname, class.relispartition, coalesce(link.inhdetachpending, false)
FROM pg_class class
LEFT JOIN pg_inherits link ON link.inhrelid = class.oid
WHERE class.relname ~ '^predictions_[0-9]{8}$' AND class.relkind = 'r'
  AND class.relnamespace = current_schema()::regnamespace
"""


def maintain_partitions(engine: Engine, settings: Settings, *, today: date | None = None) -> None:
    """Create partitions for today and the next days, and drop those older than the retention.

    Safe if several processes do it at once, and after one was killed in the middle.

    Args:
        engine: of the log's database.
        settings: `log_retention_days`; 0 keeps all.
        today: the day in UTC; replaced in tests.

    Raises:
        psycopg.OperationalError: the database is away.
    """
    today = today or datetime.now(UTC).date()
    with _alone_on(engine) as connection:
        tables = {
            name: (attached, leaving)
            for name, attached, leaving in connection.execute(LIST_TABLES).fetchall()
        }
        # also yesterday, because an id may be created at midnight
        for ahead in range(-1, DAYS_AHEAD + 1):
            day = today + timedelta(days=ahead)
            name = partition_name(day)
            attached, _ = tables.get(name, (False, False))
            if not attached:
                _attach(connection, day, is_there=name in tables)
        if settings.log_retention_days:
            keep_from = today - timedelta(days=settings.log_retention_days)
            for name, (attached, leaving) in sorted(tables.items()):
                if name < partition_name(keep_from):
                    _drop(connection, name, attached=attached, leaving=leaving)


def make_partitions(engine: Engine, days: Iterable[date]) -> None:
    """Create the partitions of these days, for rows that a restore inserts.

    Raises:
        psycopg.OperationalError: the database is away.
    """
    with _alone_on(engine) as connection:
        there = {name for name, attached, _ in connection.execute(LIST_TABLES) if attached}
        for day in sorted(days):
            if partition_name(day) not in there:
                _attach(connection, day, is_there=False)


@contextmanager
def _alone_on(engine: Engine) -> Iterator[psycopg.Connection]:
    """Yield a connection, to one process at a time.

    The lock belongs to a transaction of a second connection, because a pooler may run each
    statement of the first one in a different session, and a partition is detached outside of any
    transaction.
    """
    url = engine.url.render_as_string(hide_password=False)
    with (
        connect(url, statement_seconds=MAINTENANCE_SECONDS) as guard,
        connect(url, statement_seconds=MAINTENANCE_SECONDS) as connection,
        guard.transaction(),
    ):
        guard.execute("SELECT pg_advisory_xact_lock(%s)", [MAINTENANCE_LOCK])
        yield connection


def partition_name(day: date) -> str:
    """Return the name of the table of one day in UTC."""
    return f"predictions_{day:%Y%m%d}"


def bounds(day: date) -> tuple[str, str]:
    """Return the smallest id of the day and of the next one."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return str(first_id(start)), str(first_id(start + timedelta(days=1)))


def _attach(connection: psycopg.Connection, day: date, *, is_there: bool) -> None:
    name = sql.Identifier(partition_name(day))
    low, high = bounds(day)
    with connection.transaction():
        if not is_there:
            create = "CREATE TABLE {} (LIKE predictions INCLUDING ALL)"
            connection.execute(sql.SQL(create).format(name))
        attach = "ALTER TABLE predictions ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})"
        connection.execute(sql.SQL(attach).format(name, sql.Literal(low), sql.Literal(high)))


def _drop(connection: psycopg.Connection, name: str, *, attached: bool, leaving: bool) -> None:
    """Drop a partition without locking the others; continue where a killed process stopped."""
    table = sql.Identifier(name)
    if leaving:
        finish = "ALTER TABLE predictions DETACH PARTITION {} FINALIZE"
        connection.execute(sql.SQL(finish).format(table))
    elif attached:
        leave = "ALTER TABLE predictions DETACH PARTITION {} CONCURRENTLY"
        connection.execute(sql.SQL(leave).format(table))
    connection.execute(sql.SQL("DROP TABLE {}").format(table))
