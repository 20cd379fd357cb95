"""Run many statements per second over one connection, each in its own transaction.

This uses libpq directly, below psycopg's cursors. With cursors, committing one row took twice the
processor time, because they bind every value and register the socket with the kernel anew for each
statement. A normal commit also needs no coroutine and no timer: with both and a task around them,
predictions at 16 connections took a sixth more of the api's processor time. A coroutine only
handles the unusual: connecting, preparing a statement, a server that went away.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGconn

from app.storage.connecting import AsyncConnection

ATTEMPTS = 2
AGAIN = b"_again"
# How long the event loop keeps polling for the result of a commit when nothing else is going on.
# Going to sleep and waking up twice per request, with cold caches, took an eighth of a single
# prediction's 0.7 ms.
AWAKE_SECONDS = 0.0005

Parameters = Sequence[bytes | None]  # in binary form
Done = Callable[[Exception | None], None]  # called once; None: committed


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement, which is prepared once per connection."""

    name: bytes
    text: bytes
    again: bytes  # the statement to run instead if it is unknown whether it was committed


class Asked(NamedTuple):
    """A statement that has been sent or is waiting to be sent."""

    statement: Statement
    parameters: Parameters
    done: Done
    timeout_seconds: float
    deadline: float  # by the event loop's clock


class CommittingConnection:
    """A connection that reconnects by itself after the database was away.

    It runs one statement at a time.
    """

    def __init__(self, where: str) -> None:
        """Store a connection string for libpq; connect when there is something to commit."""
        self._where = where
        self._open: AsyncConnection | None = None
        # A duplicate of its socket's descriptor. libpq closes its own whenever it finds the server
        # gone, and an event loop that watches a closed descriptor would not notice when the number
        # is reused.
        self._watched = -1
        self._prepared: set[bytes] = set()
        self._asked: Asked | None = None  # the loop waits for its result without a coroutine
        self._failure: psycopg.Error | None = None  # error of the statement that is running
        self._heard: asyncio.Future[None] | None = None  # a coroutine waits for the server
        self._alarm: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None  # handles an unusual case

    def commit_soon(
        self,
        statement: Statement,
        parameters: Parameters,
        done: Done,
        *,
        timeout_seconds: float,
        awake: bool = False,
    ) -> None:
        """Start a commit; call `done` with its error, or with None once it is committed.

        Args:
            statement: to run.
            parameters: of the statement.
            done: called once.
            timeout_seconds: how long it may take.
            awake: make the event loop poll for a while instead of sleeping until it is woken.
        """
        loop = asyncio.get_running_loop()
        asked = Asked(statement, parameters, done, timeout_seconds, loop.time() + timeout_seconds)
        if self._open is None or statement.name not in self._prepared:
            self._task = loop.create_task(self._commit_at_length(asked))
            return
        pgconn = self._open.pgconn
        try:
            _send(pgconn, statement.name, parameters)
            if pgconn.flush():  # the socket's buffer is full
                self._sending = loop.create_task(self._send_rest(pgconn))
        except psycopg.OperationalError:
            self._task = loop.create_task(self._commit_at_length(asked, again=True))
            return
        self._asked = asked
        if self._alarm is None:
            self._alarm = loop.call_at(asked.deadline, self._look_at_the_time)
        if awake:
            self._stay_awake(asked, time.perf_counter() + AWAKE_SECONDS)

    def _stay_awake(self, asked: Asked, until: float) -> None:
        """Keep the event loop busy, so that it polls its sockets instead of sleeping."""
        if self._asked is asked and time.perf_counter() < until:
            asyncio.get_running_loop().call_soon(self._stay_awake, asked, until)

    async def commit(
        self,
        statement: Statement,
        parameters: Parameters,
        *,
        timeout_seconds: float,
        again: bool = False,
    ) -> None:
        """Run a statement and return when it is committed.

        A dead connection is replaced once, so the statement may run twice.

        Args:
            statement: to run.
            parameters: of the statement.
            timeout_seconds: how long it may take on each connection.
            again: it is unknown whether the statement has already been committed.

        Raises:
            psycopg.Error: it was not committed, or this is unknown.
            TimeoutError: the database took too long.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._run(statement, parameters, again=again or attempt > 1)
            except psycopg.Error:
                if self._open is not None and self._open.pgconn.status == ConnStatus.OK:
                    raise
                self.close()
                if attempt == ATTEMPTS:
                    raise
            except TimeoutError:
                self.close()
                raise
            else:
                return

    def close(self) -> None:
        """Disconnect, whatever is running; the next statement connects again."""
        connection, self._open = self._open, None
        for waiting in (self._alarm, self._sending):
            if waiting is not None:
                waiting.cancel()
        self._alarm = self._sending = None
        if connection is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            os.close(self._watched)
            connection.pgconn.finish()

    async def _send_rest(self, pgconn: PGconn) -> None:
        with suppress(psycopg.OperationalError):  # `_on_readable` notices it, too
            await _sent(pgconn, self._watched)

    async def _commit_at_length(self, asked: Asked, *, again: bool = False) -> None:
        """Handle the unusual cases of `commit_soon`."""
        try:
            await self.commit(
                asked.statement,
                asked.parameters,
                timeout_seconds=asked.timeout_seconds,
                again=again,
            )
        except Exception as error:  # noqa: BLE001 - passed to `done`
            asked.done(error)
        else:
            asked.done(None)

    async def _run(self, statement: Statement, parameters: Parameters, *, again: bool) -> None:
        connection = self._open or await self._connect()
        pgconn = connection.pgconn
        name = statement.name + AGAIN if again else statement.name
        text = statement.again if again else statement.text
        if connection.prepare_threshold is None:  # behind a pooler
            pgconn.send_query_params(text, parameters, param_formats=_formats(parameters))
        else:
            if name not in self._prepared:
                pgconn.send_prepare(name, text)
                await self._outcome(pgconn)
                self._prepared.add(name)
            _send(pgconn, name, parameters)
        await self._outcome(pgconn)

    async def _connect(self) -> AsyncConnection:
        connection = await AsyncConnection.connect(self._where, autocommit=True)
        self._watched = os.dup(connection.pgconn.socket)
        asyncio.get_running_loop().add_reader(self._watched, self._on_readable)
        self._open = connection
        self._prepared.clear()
        self._failure = None
        return connection

    async def _outcome(self, pgconn: PGconn) -> None:
        """Wait for the end of the statement that was sent.

        Raises:
            psycopg.Error: the statement failed.
        """
        await _sent(pgconn, self._watched)
        while not self._has_ended(pgconn):
            self._heard = asyncio.get_running_loop().create_future()
            await self._heard
            pgconn.consume_input()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _has_ended(self, pgconn: PGconn) -> bool:
        """Read the available results, and return whether they are complete."""
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                return True
            if result.status != ExecStatus.COMMAND_OK:
                self._failure = error_from_result(result)
        return False

    def _on_readable(self) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)
            return
        if self._open is None:
            return
        pgconn = self._open.pgconn
        try:
            pgconn.consume_input()
        except psycopg.OperationalError:  # the next commit notices this and reconnects
            asyncio.get_running_loop().remove_reader(self._watched)
            self._end(pgconn)
        else:
            if self._asked is not None and self._has_ended(pgconn):
                self._end(pgconn)

    def _end(self, pgconn: PGconn) -> None:
        """Report the result of a statement, or try again on another connection."""
        asked, self._asked = self._asked, None
        failure, self._failure = self._failure, None
        if asked is None:
            return
        if pgconn.status == ConnStatus.OK:
            asked.done(failure)
        else:
            again = self._commit_at_length(asked, again=True)
            self._task = asyncio.get_running_loop().create_task(again)

    def _look_at_the_time(self) -> None:
        """Check the time limit. One timer serves many statements and is reset when it fires."""
        self._alarm = None
        if self._asked is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._asked.deadline:
            self._alarm = loop.call_at(self._asked.deadline, self._look_at_the_time)
            return
        asked, self._asked = self._asked, None
        self.close()
        asked.done(TimeoutError(f"not committed within {asked.timeout_seconds:g} s"))


def _send(pgconn: PGconn, name: bytes, parameters: Parameters) -> None:
    pgconn.send_query_prepared(name, parameters, param_formats=_formats(parameters))


def _formats(parameters: Parameters) -> list[Format]:
    return [Format.BINARY] * len(parameters)


async def _sent(pgconn: PGconn, socket: int) -> None:
    """Return when the socket has accepted everything that is to be sent."""
    loop = asyncio.get_running_loop()
    while pgconn.flush():
        room = asyncio.Event()
        loop.add_writer(socket, room.set)
        try:
            await room.wait()
        finally:
            loop.remove_writer(socket)
