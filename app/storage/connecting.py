"""Connect to PostgreSQL so that silence from the other side is noticed within seconds.

Every process connects through these classes. To libpq, lost packets, a vanished host and a hanging
server all look the same: silence. It would wait for a quarter of an hour, or forever.
"""

import contextlib
from typing import Any, Final, Self

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

# Defaults for libpq; the URL may override them. With these, a silent connection fails after 5 to 11
# seconds. They have no effect on a Unix socket.
PARAMETERS: Final = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",  # milliseconds
}
# The same on the server's side, so that it soon releases the locks of a vanished client. Without
# these settings, the server waits for two hours.
SESSION: Final = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
# How long a transaction may pause between statements before the server ends it and its locks. This
# also frees what a client held that was suspended, or whose packets a proxy only seems to forward.
IDLE_SECONDS: Final = 600.0
BRIEF_IDLE_SECONDS: Final = 10.0  # for those that only write a few rows
# A pooler such as PgBouncer shares sessions between clients and shows them its own process ids. In
# that case this query sets nothing and returns no row.
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


class TransactionEnded(psycopg.OperationalError):
    """The server ended a transaction that paused for too long; nothing of it was written."""


class Connection(psycopg.Connection[TupleRow]):
    """A blocking connection that waits at most `statement_seconds` for an answer.

    The limit is enforced on this side, because a hanging server, or a pooler that lost its server,
    would not enforce it.
    """

    statement_seconds: float | None = STATEMENT_SECONDS  # None: no limit, as in a migration

    @classmethod
    def open(
        cls,
        conninfo: str = "",
        *,
        autocommit: bool = False,
        statement_seconds: float | None = STATEMENT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        **options: Any,  # noqa: ANN401
    ) -> Self:
        """Connect and set up the session.

        Args:
            conninfo: where to connect.
            autocommit: whether each statement is its own transaction.
            statement_seconds: the limit; None also removes the limit on transactions.
            idle_seconds: how long a transaction may pause between statements.
            options: further options of psycopg.

        Raises:
            psycopg.OperationalError: connecting failed.
        """
        connection = cls.connect(conninfo, autocommit=True, **options)
        try:
            limits = {} if statement_seconds is None else _idle_limit(idle_seconds)
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
        """Wait as psycopg does, but with a time limit.

        Raises:
            NoAnswer: `statement_seconds` passed without an answer.
            TransactionEnded: the transaction had paused for too long.
        """
        seconds = self.statement_seconds
        if timeout is not None or seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, seconds)
        except psycopg.errors.IdleInTransactionSessionTimeout as error:
            raise TransactionEnded(str(error)) from error
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            with contextlib.suppress(psycopg.Error):  # the server may be unreachable for this, too
                self.cancel_safe(timeout=CANCEL_SECONDS)
            self.pgconn.finish()
            raise NoAnswer(seconds) from error


class AsyncConnection(psycopg.AsyncConnection[TupleRow]):
    """The same for an event loop; a statement may take `PROBE_SECONDS`."""

    @classmethod
    async def connect(cls, conninfo: str = "", *, autocommit: bool = False, **options: Any) -> Self:  # noqa: ANN401
        """Connect and set up the session.

        Raises:
            psycopg.OperationalError: connecting failed.
        """
        connection = await super().connect(conninfo, autocommit=True, **options)
        try:
            settings = {**SESSION, **_idle_limit(BRIEF_IDLE_SECONDS)}
            cursor = await connection.execute(SET_UP, _parameters(settings, connection))
            if not cursor.rowcount:
                connection.prepare_threshold = None
            await connection.set_autocommit(autocommit)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109
        """Wait as psycopg does, but with a time limit.

        Raises:
            NoAnswer: `PROBE_SECONDS` passed without an answer.
            TransactionEnded: the transaction had paused for too long.
        """
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, PROBE_SECONDS)
        except psycopg.errors.IdleInTransactionSessionTimeout as error:
            raise TransactionEnded(str(error)) from error
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.pgconn.finish()
            raise NoAnswer(PROBE_SECONDS) from error


def _idle_limit(seconds: float) -> dict[str, str]:
    return {"idle_in_transaction_session_timeout": f"{round(seconds * 1000)}"}  # milliseconds


def _parameters(
    settings: dict[str, str], connection: psycopg.Connection | psycopg.AsyncConnection
) -> list[object]:
    return [list(settings), list(settings.values()), connection.info.backend_pid]
