"""Statements that are a transaction of their own, many a second, over one connection.

This talks to libpq below psycopg's cursors: with them, a commit of one row took twice the processor
time (binding every value, and having the kernel watch the socket anew for each statement). The
usual commit takes no coroutine and no timer of its own either: with both, and a task around them,
predictions at 16 connections took a sixth more of the api's processor time. Whatever is not usual
(connecting, preparing, a server that went away) is left to a coroutine.
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
# How long the event loop stays awake for the outcome of a commit that is waited for alone. To
# sleep and be woken, twice for each request, and to find the caches cold, took an eighth of a lone
# prediction's 0.7 ms.
AWAKE_SECONDS = 0.0005

Parameters = Sequence[bytes | None]  # in binary form
Done = Callable[[Exception | None], None]  # called once; None says that it is committed


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement, prepared once per connection."""

    name: bytes
    text: bytes
    again: bytes  # what to run in its place when nobody knows whether it was committed


class Asked(NamedTuple):
    """A statement on its way."""

    statement: Statement
    parameters: Parameters
    done: Done
    timeout_seconds: float
    deadline: float  # by the event loop's clock


class CommittingConnection:
    """One connection that comes back by itself after the database was away.

    It takes one statement at a time.
    """

    def __init__(self, where: str) -> None:
        """Take a connection string for libpq; connect when there is something to commit."""
        self._where = where
        self._open: AsyncConnection | None = None
        # A second number of its socket: libpq closes the first whenever it finds the server gone,
        # and an event loop that watches a closed number is deaf to whatever gets it next.
        self._watched = -1
        self._prepared: set[bytes] = set()
        self._asked: Asked | None = None  # waits for its outcome, no coroutine does
        self._failure: psycopg.Error | None = None  # of what is under way
        self._heard: asyncio.Future[None] | None = None  # a coroutine waits for the server
        self._alarm: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None  # what is under way and unusual

    def commit_soon(
        self,
        statement: Statement,
        parameters: Parameters,
        done: Done,
        *,
        timeout_seconds: float,
        awake: bool = False,
    ) -> None:
        """The same as `commit`; `done` is called with its error, or None once it is committed.

        Args:
            statement: which one.
            parameters: its parameters.
            done: told once.
            timeout_seconds: how long it may take.
            awake: have the loop look again and again for a while, and not sleep until it is woken.
        """
        loop = asyncio.get_running_loop()
        asked = Asked(statement, parameters, done, timeout_seconds, loop.time() + timeout_seconds)
        if self._open is None or statement.name not in self._prepared:
            self._task = loop.create_task(self._commit_at_length(asked))
            return
        pgconn = self._open.pgconn
        try:
            _send(pgconn, statement.name, parameters)
            if pgconn.flush():  # more than the socket takes at once
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
        """A loop with something to do looks at its sockets and does not sleep."""
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

        A connection that turns out to be dead is replaced once: the statement may run twice.

        Args:
            statement: which one.
            parameters: its parameters.
            timeout_seconds: how long it may take on either connection.
            again: nobody knows whether it was committed before.

        Raises:
            psycopg.Error: it was not committed, or nobody knows.
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
        """Hang up, whatever is under way; the next statement connects anew."""
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
        with suppress(psycopg.OperationalError):  # `_on_readable` hears of it too
            await _sent(pgconn, self._watched)

    async def _commit_at_length(self, asked: Asked, *, again: bool = False) -> None:
        """What `commit_soon` does when things are not as usual."""
        try:
            await self.commit(
                asked.statement,
                asked.parameters,
                timeout_seconds=asked.timeout_seconds,
                again=again,
            )
        except Exception as error:  # noqa: BLE001 - told to who waits for it
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
        """Wait for the end of what was sent.

        Raises:
            psycopg.Error: it failed.
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
        """Take the results that are there; whether they are all."""
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
        except psycopg.OperationalError:  # the next commit finds it so and connects anew
            asyncio.get_running_loop().remove_reader(self._watched)
            self._end(pgconn)
        else:
            if self._asked is not None and self._has_ended(pgconn):
                self._end(pgconn)

    def _end(self, pgconn: PGconn) -> None:
        """Tell the outcome of what was asked, or try again on another connection."""
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
        """One alarm serves many statements: it is set anew when it rings, and not for each."""
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
    """Return when the socket has taken all that is to be sent."""
    loop = asyncio.get_running_loop()
    while pgconn.flush():
        room = asyncio.Event()
        loop.add_writer(socket, room.set)
        try:
            await room.wait()
        finally:
            loop.remove_writer(socket)
