"""Connections to PostgreSQL that notice within seconds when nobody answers any more.

Every process connects through these classes. Lost packets, a host that vanished and a server that
hangs all look alike to libpq: silence, which it would wait out for a quarter of an hour or forever.
"""

import contextlib
from typing import Any, Final, Self

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

# What libpq is told where the URL says nothing else. A silent connection then fails after 5 to 11
# seconds. Over a Unix socket they have no effect.
PARAMETERS: Final = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",  # milliseconds
}
# The same on the server's side, so that the locks of a vanished client are released soon: without
# it, the server waits two hours.
SESSION: Final = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
IDLE_TRANSACTION: Final = {"idle_in_transaction_session_timeout": "600000"}  # milliseconds
# A pooler such as PgBouncer shares the session between clients and shows them process ids of its
# own: there nothing is set, and no row is returned.
SET_UP: Final = """
SELECT set_config(name, value, false)
  FROM unnest(%s::text[], %s::text[]) AS setting (name, value)
 WHERE pg_backend_pid() = %s
"""
STATEMENT_SECONDS: Final = 60.0
PROBE_SECONDS: Final = 5.0  # for statements that take milliseconds unless the connection is lost
CANCEL_SECONDS: Final = 2.0


class NoAnswer(psycopg.OperationalError):
    """The server did not answer in time; the connection was closed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer from the database within {seconds:g} s; connection closed")


class Connection(psycopg.Connection[TupleRow]):
    """A blocking connection that waits for an answer for `statement_seconds` at most.

    The limit is kept on this side: neither a server that hangs nor a pooler that has lost its
    server would keep one.
    """

    statement_seconds: float | None = STATEMENT_SECONDS  # None: no limit, as in a migration

    @classmethod
    def open(
        cls,
        conninfo: str = "",
        *,
        autocommit: bool = False,
        statement_seconds: float | None = STATEMENT_SECONDS,
        **options: Any,  # noqa: ANN401
    ) -> Self:
        """Connect and set the session up.

        Args:
            conninfo: where to.
            autocommit: whether each statement is a transaction of its own.
            statement_seconds: the limit; None leaves transactions all their time as well.
            options: further options of psycopg.

        Raises:
            psycopg.OperationalError: as psycopg does.
        """
        connection = cls.connect(conninfo, autocommit=True, **options)
        try:
            limits = {} if statement_seconds is None else IDLE_TRANSACTION
            cursor = connection.execute(SET_UP, _parameters({**SESSION, **limits}, connection))
            if not cursor.rowcount:
                connection.prepare_threshold = None  # a pooler may not know prepared statements
            connection.statement_seconds = statement_seconds
            connection.autocommit = autocommit
        except BaseException:
            connection.close()
            raise
        return connection

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ANN401
        """Wait as psycopg does, but not for ever.

        Raises:
            NoAnswer: `statement_seconds` passed without an answer.
        """
        seconds = self.statement_seconds
        if timeout is not None or seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, seconds)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            with contextlib.suppress(psycopg.Error):  # the server may be out of reach for this too
                self.cancel_safe(timeout=CANCEL_SECONDS)
            self.pgconn.finish()
            raise NoAnswer(seconds) from error


class AsyncConnection(psycopg.AsyncConnection[TupleRow]):
    """The same for an event loop; a statement may take `PROBE_SECONDS`."""

    @classmethod
    async def connect(cls, conninfo: str = "", *, autocommit: bool = False, **options: Any) -> Self:  # noqa: ANN401
        """Connect and set the session up.

        Raises:
            psycopg.OperationalError: as psycopg does.
        """
        connection = await super().connect(conninfo, autocommit=True, **options)
        try:
            settings = {**SESSION, **IDLE_TRANSACTION}
            cursor = await connection.execute(SET_UP, _parameters(settings, connection))
            if not cursor.rowcount:
                connection.prepare_threshold = None
            await connection.set_autocommit(autocommit)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109
        """Wait as psycopg does, but not for ever.

        Raises:
            NoAnswer: `PROBE_SECONDS` passed without an answer.
        """
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, PROBE_SECONDS)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.pgconn.finish()
            raise NoAnswer(PROBE_SECONDS) from error


def _parameters(
    settings: dict[str, str], connection: psycopg.Connection | psycopg.AsyncConnection
) -> list[object]:
    return [list(settings), list(settings.values()), connection.info.backend_pid]
