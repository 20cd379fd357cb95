"""Statements that are a transaction of their own, many a second, over one connection.

This talks to libpq below psycopg's cursors: with them, a commit of one row took twice the processor
time (binding every value, and having the kernel watch the socket anew for each statement).
"""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGconn

CONNECT_SECONDS = 3
ATTEMPTS = 2


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement, prepared once per connection."""

    name: bytes
    text: bytes
    parameters: int  # how many; all in binary form


class CommittingConnection:
    """One connection that comes back by itself after the database was away."""

    def __init__(self, where: str, application_name: str) -> None:
        self._where = where
        self._application_name = application_name
        self._open: psycopg.AsyncConnection | None = None
        # A second number of its socket: libpq closes the first whenever it finds the server gone,
        # and an event loop that watches a closed number is deaf to whatever gets it next.
        self._watched = -1
        self._prepared: set[bytes] = set()
        self._heard: asyncio.Future[None] | None = None  # waits for the server to say something

    async def commit(
        self, statement: Statement, parameters: list[bytes], *, timeout_seconds: float
    ) -> None:
        """Run a statement and return when it is committed.

        A connection that turns out to be dead is replaced once: the statement may run twice.

        Raises:
            psycopg.Error: it was not committed, or nobody knows.
            TimeoutError: the database took too long.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._run(statement, parameters)
            except psycopg.Error:
                if self._open is not None and self._open.pgconn.status == ConnStatus.OK:
                    raise
                await self.aclose()
                if attempt == ATTEMPTS:
                    raise
            except TimeoutError:
                await self.aclose()
                raise
            else:
                return

    async def aclose(self) -> None:
        """Hang up, whatever is under way."""
        connection, self._open = self._open, None
        if connection is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            os.close(self._watched)
            with suppress(psycopg.Error):
                await connection.close()

    async def _run(self, statement: Statement, parameters: list[bytes]) -> None:
        pgconn = (self._open or await self._connect()).pgconn
        if statement.name not in self._prepared:
            pgconn.send_prepare(statement.name, statement.text)
            await self._outcome(pgconn)
            self._prepared.add(statement.name)
        formats = [Format.BINARY] * statement.parameters
        pgconn.send_query_prepared(statement.name, parameters, param_formats=formats)
        await self._outcome(pgconn)

    async def _connect(self) -> psycopg.AsyncConnection:
        connection = await psycopg.AsyncConnection.connect(
            self._where,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name=self._application_name,
        )
        self._watched = os.dup(connection.pgconn.socket)
        asyncio.get_running_loop().add_reader(self._watched, self._on_readable)
        self._open = connection
        self._prepared.clear()
        return connection

    async def _outcome(self, pgconn: PGconn) -> None:
        """Wait for the end of what was sent.

        Raises:
            psycopg.Error: it failed.
        """
        while pgconn.flush():  # more than the socket takes at once
            await _room(self._watched)
        failure: psycopg.Error | None = None
        while True:
            while pgconn.is_busy():
                self._heard = asyncio.get_running_loop().create_future()
                await self._heard
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                break
            if result.status != ExecStatus.COMMAND_OK:
                failure = error_from_result(result)
        if failure is not None:
            raise failure

    def _on_readable(self) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)
        elif self._open is not None:  # nothing was asked: news, or the server is going away
            try:
                self._open.pgconn.consume_input()
            except psycopg.OperationalError:  # the next commit finds it so and connects anew
                asyncio.get_running_loop().remove_reader(self._watched)


async def _room(socket: int) -> None:
    """Return when the socket takes more."""
    loop = asyncio.get_running_loop()
    room = asyncio.Event()
    loop.add_writer(socket, room.set)
    try:
        await room.wait()
    finally:
        loop.remove_writer(socket)
