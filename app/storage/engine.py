"""Connect this process to PostgreSQL."""

from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic_core import from_json
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.storage.connecting import (
    IDLE_SECONDS,
    PARAMETERS,
    PROBE_SECONDS,
    STATEMENT_SECONDS,
    Connection,
)

DRIVER = "postgresql+psycopg"
SPELLINGS = frozenset({"postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"})


def database_url(text: str) -> URL:
    """Return the URL for SQLAlchemy from any usual spelling.

    Raises:
        ValueError: it is not the URL of a PostgreSQL database.
    """
    url = make_url(text)
    if url.drivername not in SPELLINGS:
        raise ValueError(
            f"STEPAHEAD_DATABASE_URL must be a PostgreSQL URL, as in "
            f"postgresql://user:password@host:5432/name; got one of {url.drivername!r}"
        )
    return url.set(drivername=DRIVER)


def conninfo(text: str, *, application_name: str = "stepahead") -> str:
    """Return the connection string for libpq; our parameters apply where the URL sets none."""
    url = _completed(database_url(text), application_name)
    options = {
        key: value if isinstance(value, str) else ",".join(value)
        for key, value in url.query.items()
    }
    named = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    return make_conninfo(
        "", **options, **{key: value for key, value in named.items() if value is not None}
    )


def connect(text: str, *, statement_seconds: float | None = STATEMENT_SECONDS) -> Connection:
    """Open a connection in autocommit mode; the caller closes it.

    Raises:
        psycopg.OperationalError: the database is away.
    """
    return Connection.open(conninfo(text), autocommit=True, statement_seconds=statement_seconds)


def make_engine(
    text: str,
    *,
    pool_size: int = 5,
    statement_seconds: float | None = STATEMENT_SECONDS,
    idle_seconds: float = IDLE_SECONDS,
) -> Engine:
    """Create a pooled engine that checks connections before use, so that it survives a restart.

    Args:
        text: the database's URL.
        pool_size: number of connections that are kept; up to twice as many are open when all are
            busy.
        statement_seconds: how long a statement may take; None: no limit, also for transactions.
        idle_seconds: how long a transaction may pause between statements.
    """
    engine = create_engine(
        _completed(database_url(text), "stepahead"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_timeout=10,
        json_deserializer=from_json,  # six times as fast as the standard library
    )
    _limit_statements(engine, statement_seconds, idle_seconds)
    return engine


def expect_answer_soon(session: Session) -> None:
    """Limit the statements of this transaction to a few seconds; they are quick unless lost."""
    session.connection().connection.driver_connection.statement_seconds = PROBE_SECONDS  # type: ignore[union-attr]


def is_database_full(error: BaseException) -> bool:
    """Return whether a statement failed because the database's disk is full."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.errors.DiskFull)


def _limit_statements(engine: Engine, statement_seconds: float | None, idle_seconds: float) -> None:
    """Open connections of our class; limit statements, and limit the check before use even more."""

    @event.listens_for(engine, "do_connect")
    def open_connection(
        _dialect: object, _record: object, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Connection:
        return Connection.open(
            *arguments, **options, statement_seconds=statement_seconds, idle_seconds=idle_seconds
        )

    @event.listens_for(engine, "checkout")
    def give_time(connection: Connection, _record: object, _proxy: object) -> None:
        connection.statement_seconds = statement_seconds

    @event.listens_for(engine, "checkin")
    def take_time(connection: Connection | None, _record: object) -> None:
        if connection is not None:
            connection.statement_seconds = PROBE_SECONDS


def _completed(url: URL, application_name: str) -> URL:
    """Add our connection parameters; those of the URL take precedence."""
    ours = {**PARAMETERS, "application_name": application_name}
    return url.update_query_dict(
        {name: value for name, value in ours.items() if name not in url.query}
    )
