"""Test what happens to a connection when the other side falls silent."""

import asyncio
import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.storage import connecting
from app.storage.connecting import AsyncConnection, Connection, NoAnswer
from app.storage.engine import connect, conninfo, expect_answer_soon, make_engine
from tests.chaos.proxy import Proxy, database_proxy

SOON = 0.3


@pytest.fixture
def proxied(fresh_database: str) -> Iterator[tuple[Proxy, str]]:
    with database_proxy(fresh_database) as proxied:
        yield proxied


@pytest.fixture
def proxy(proxied: tuple[Proxy, str]) -> Proxy:
    """Yield a TCP proxy to the test's database."""
    return proxied[0]


@pytest.fixture
def url(proxied: tuple[Proxy, str]) -> str:
    """Return the URL of the test's database through the proxy."""
    return proxied[1]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CANCEL_SECONDS", SOON)


def option(connection: psycopg.Connection | psycopg.AsyncConnection, name: str) -> str:
    options = {given.keyword: given.val for given in connection.pgconn.info}
    value = options[name.encode()]
    assert value is not None
    return value.decode()


def test_a_silent_connection_is_noticed_by_the_kernel_within_seconds(url: str) -> None:
    with connect(url) as connection:
        for name, value in connecting.PARAMETERS.items():
            assert option(connection, name) == value


def test_parameters_of_the_url_win(url: str) -> None:
    given = f"{url}?keepalives_idle=77&tcp_user_timeout=1234&application_name=mine"
    with connect(given) as connection:
        assert option(connection, "keepalives_idle") == "77"
        assert option(connection, "tcp_user_timeout") == "1234"
        assert option(connection, "keepalives_interval") == "2"
    engine = make_engine(given)
    with engine.connect() as pooled:
        driver = pooled.connection.driver_connection
        assert isinstance(driver, Connection)
        assert option(driver, "connect_timeout") == "5"
        assert option(driver, "keepalives_idle") == "77"
        assert option(driver, "application_name") == "mine"
    engine.dispose()


def test_the_server_ends_transactions_of_clients_that_do_nothing(url: str) -> None:
    show = "SHOW idle_in_transaction_session_timeout"
    with connect(url) as connection:
        assert connection.execute(show).fetchone() == ("10min",)
    with connect(url, statement_seconds=None) as patient:
        assert patient.execute(show).fetchone() == ("0",)


def test_a_statement_without_an_answer_ends_with_its_connection(proxy: Proxy, url: str) -> None:
    with connect(url, statement_seconds=SOON) as connection:
        assert proxy.freeze() == 1
        with pytest.raises(NoAnswer, match=r"within 0\.3 s"):
            connection.execute("SELECT 1")
        assert connection.closed


def test_a_statement_that_takes_too_long_is_cancelled_on_the_server(url: str) -> None:
    with connect(url, statement_seconds=SOON) as connection:
        pid = connection.info.backend_pid
        with pytest.raises(NoAnswer):
            connection.execute("SELECT pg_sleep(600)")
    running = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
    with connect(url) as other:
        deadline = time.monotonic() + 60
        while other.execute(running, [pid]).fetchone() != (0,):
            assert time.monotonic() < deadline


def test_an_error_of_a_statement_leaves_the_connection_open(url: str) -> None:
    with connect(url) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nowhere")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_without_a_limit_a_statement_may_take_its_time(url: str) -> None:
    with connect(url, statement_seconds=None) as connection:
        assert connection.execute("SELECT 1 FROM pg_sleep(0.5)").fetchone() == (1,)


def test_a_pool_replaces_frozen_connections_before_they_are_used(
    proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.storage.engine.PROBE_SECONDS", SOON)
    engine = make_engine(url, pool_size=3)
    held = [engine.connect() for _ in range(3)]
    for connection in held:
        connection.close()
    assert proxy.freeze() == 3
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


def test_a_transaction_that_expects_an_answer_soon_does_not_wait_for_long(
    proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.storage.engine.PROBE_SECONDS", SOON)
    engine = make_engine(url, pool_size=1)
    with Session(engine) as session:
        expect_answer_soon(session)
        proxy.freeze()
        with pytest.raises(OperationalError, match=r"within 0\.3 s"):
            session.execute(text("SELECT 1"))
    with Session(engine) as session:  # another connection, with the default limit
        assert session.execute(text("SELECT 1 FROM pg_sleep(0.5)")).scalar_one() == 1
    engine.dispose()


def test_an_event_loop_does_not_wait_for_ever_either(
    proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "PROBE_SECONDS", SOON)

    async def scenario() -> None:
        connection = await AsyncConnection.connect(conninfo(url), autocommit=True)
        proxy.freeze()
        with pytest.raises(NoAnswer):
            await connection.execute("SELECT 1")
        assert connection.closed

    asyncio.run(scenario())
