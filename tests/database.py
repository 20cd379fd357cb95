"""Provide PostgreSQL for a test run: one server, a migrated template, and databases from it.

The embedded PostgreSQL is used unless STEPAHEAD_DATABASE_URL names a server. There the tests make
databases of their own and never touch the one that is named.
"""

import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client, Listener

import psycopg
from psycopg import sql

from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo, database_url, make_engine
from app.storage.migrate import upgrade
from tests.places import make_folder

TEMPLATE = "stepahead_test_template"
DROP_TRIES = 40
DROP_PAUSE_SECONDS = 0.25
MOST_PROCESSES = 64  # in a parallel run all of them may ask at once


class Cluster:
    """The server of this test run, started by the first test that asks for it.

    It belongs to the process that pytest was started in. The processes of a parallel run ask that
    one by a socket, so the server lives until the last of them has ended.
    """

    def __init__(self) -> None:
        self._folder = make_folder()
        self._lock = threading.Lock()
        self._embedded: EmbeddedPostgres | None = None
        self._started: tuple[str, str] | None = None
        self._listener: Listener | None = None

    def start(self) -> tuple[str, str]:
        """Start the server unless it runs; return its URL and the migrated template's name."""
        with self._lock:
            if self._started is None:
                self._started = self._start()
            return self._started

    def stop(self) -> None:
        """Stop the server if it was started, and remove its files."""
        with self._lock:
            if self._started is not None:
                drop_database(*self._started)
            if self._embedded is not None:
                self._embedded.stop()
        if self._listener is not None:
            self._listener.close()
        shutil.rmtree(self._folder)

    def listen(self) -> tuple[str, bytes]:
        """Start answering other processes; return the address and key for `start_elsewhere`."""
        if self._listener is None:
            key = secrets.token_bytes(16)
            self._listener = Listener(
                str(self._folder / "socket"), backlog=MOST_PROCESSES, authkey=key
            )
            self._key = key
            threading.Thread(target=self._answer, args=(self._listener,), daemon=True).start()
        return str(self._folder / "socket"), self._key

    def _answer(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError:  # the connection was closed
                return
            with connection:
                try:
                    answer: object = self.start()
                except Exception as error:  # noqa: BLE001 - raised in the process that asked
                    answer = f"{type(error).__name__}: {error}"
                connection.send(answer)

    def _start(self) -> tuple[str, str]:
        server_url = os.environ.get("STEPAHEAD_DATABASE_URL")
        if server_url is None:
            self._embedded = EmbeddedPostgres(self._folder / "data")
            server_url = self._embedded.start()
        template = f"{TEMPLATE}_{secrets.token_hex(4)}"
        create_database(server_url, template)
        engine = make_engine(url_of(server_url, template))
        upgrade(engine)
        engine.dispose()
        return server_url, template


def start_elsewhere(address: str, key: bytes) -> tuple[str, str]:
    """Start the cluster of another process; return its URL and the migrated template's name.

    Raises:
        RuntimeError: it did not start there; the message says why.
    """
    with Client(address, authkey=key) as connection:
        answer = connection.recv()
    if isinstance(answer, str):  # the error, which may not be importable here
        raise RuntimeError(  # noqa: TRY004 - not a wrong type
            f"The tests' PostgreSQL did not start: {answer}"
        )
    server_url, template = answer
    return server_url, template


def url_of(server_url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return database_url(server_url).set(database=name).render_as_string(hide_password=False)


def create_database(server_url: str, name: str, *, template: str = "template1") -> None:
    """Create a database as a copy of the template."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template)
    )
    with psycopg.connect(conninfo(server_url), autocommit=True) as connection:
        connection.execute(statement)


def drop_database(server_url: str, name: str) -> None:
    """Drop a database and end the sessions in it."""
    statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(conninfo(server_url), autocommit=True) as connection:
        for tries_left in reversed(range(DROP_TRIES)):
            try:
                connection.execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                # Autovacuum is working there; only a superuser may end it, but it ends soon.
                if tries_left == 0:
                    raise
                time.sleep(DROP_PAUSE_SECONDS)
            else:
                return


@contextmanager
def own_database(cluster: tuple[str, str]) -> Iterator[str]:
    """Yield the URL of a migrated, empty database that exists as long as the block."""
    server_url, template = cluster
    name = f"stepahead_test_{secrets.token_hex(6)}"
    create_database(server_url, name, template=template)
    try:
        yield url_of(server_url, name)
    finally:
        drop_database(server_url, name)
