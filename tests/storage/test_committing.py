"""Test a connection that commits while its server goes away and comes back."""

import asyncio
from collections.abc import Callable, Coroutine

import psycopg
import pytest

from app.storage import committing
from app.storage.binary_arrays import JSON, array, integers, moments, texts
from app.storage.committing import Asked, CommittingConnection, Parameters, Statement
from app.storage.engine import conninfo
from tests.chaos.proxy import Proxy, database_proxy

Commit = Callable[[CommittingConnection, Parameters, float], Coroutine[None, None, None]]
Keep = Callable[..., Coroutine[None, None, None]]  # results by number

LARGE = 8_000_000
ROWS = b"""
SELECT * FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::json[]) AS row (a, b, c, d)
"""
KEEP = Statement(
    name=b"keep",
    text=b"INSERT INTO kept " + ROWS,
    again=b"INSERT INTO kept "
    + ROWS
    + b" WHERE NOT EXISTS (SELECT FROM kept WHERE kept.b = row.b)",
)
# Inserting 7 waits until this lock is released. A lock on the table would already block preparing
# the statement.
WAIT_FOR_7 = """
CREATE FUNCTION wait_for_7() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$;
CREATE TRIGGER wait_for_7 BEFORE INSERT ON kept FOR EACH ROW
WHEN (NEW.b = 7) EXECUTE FUNCTION wait_for_7()
"""
KEPT_7 = "SELECT FROM kept WHERE b = 7"
BLOCKED = "SELECT 1 FROM pg_locks WHERE NOT granted"
# Returns when the session has ended, which on a busy machine takes longer than the signal.
CUT = """
SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
WHERE application_name = 'committing' AND datname = current_database()
  AND pid <> pg_backend_pid()
"""


def parameters(*numbers: int) -> list[bytes]:
    return [
        texts([None if number == 0 else f"é{number}" for number in numbers]),
        integers(numbers),
        moments([1_000 * number for number in numbers]),
        array(JSON, [b'{"a": "\\u0000"}' for _ in numbers]),
    ]


@pytest.fixture
def place(fresh_database: str) -> str:
    where = conninfo(fresh_database, application_name="committing")
    with psycopg.connect(where) as connection:
        connection.execute("CREATE TABLE kept (a text, b int, c timestamptz, d json)")
    return where


async def at_length(
    connection: CommittingConnection, values: Parameters, timeout_seconds: float
) -> None:
    await connection.commit(KEEP, values, timeout_seconds=timeout_seconds)


async def soon(
    connection: CommittingConnection, values: Parameters, timeout_seconds: float
) -> None:
    ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    connection.commit_soon(KEEP, values, ended.set_result, timeout_seconds=timeout_seconds)
    error = await ended
    if error is not None:
        raise error


async def awake(
    connection: CommittingConnection, values: Parameters, timeout_seconds: float
) -> None:
    ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    connection.commit_soon(
        KEEP, values, ended.set_result, timeout_seconds=timeout_seconds, awake=True
    )
    error = await ended
    if error is not None:
        raise error


@pytest.fixture(params=[at_length, soon, awake])
def commit(request: pytest.FixtureRequest) -> Commit:
    way: Commit = request.param
    return way


@pytest.fixture
def keep(commit: Commit) -> Keep:
    async def keep_numbers(connection: CommittingConnection, *numbers: int) -> None:
        await commit(connection, parameters(*numbers), 30)

    return keep_numbers


def test_values_arrive_as_they_are(place: str, keep: Keep) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place)
        await keep(connection, 0, 1, -2)
        connection.close()

    asyncio.run(scenario())
    with psycopg.connect(place) as connection:
        rows = connection.execute(
            "SELECT a, b, extract(epoch FROM c)::int, d::text FROM kept ORDER BY b"
        ).fetchall()
    assert rows == [
        ("é-2", -2, -2, '{"a": "\\u0000"}'),
        (None, 0, 0, '{"a": "\\u0000"}'),
        ("é1", 1, 1, '{"a": "\\u0000"}'),
    ]


def test_a_connection_cut_while_idle_is_replaced_again_and_again(place: str, keep: Keep) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place)
        for number in range(5):
            await keep(connection, number)
            async with await psycopg.AsyncConnection.connect(place) as other:
                await other.execute(CUT)
            await asyncio.sleep(0)
        connection.close()

    asyncio.run(scenario())
    with psycopg.connect(place) as connection:
        kept = connection.execute("SELECT b FROM kept ORDER BY b").fetchall()
    assert kept == [(number,) for number in range(5)]


def test_a_connection_cut_while_it_waits_is_replaced(place: str, keep: Keep) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place)
        await keep(connection, 1)
        async with await psycopg.AsyncConnection.connect(place) as other:
            await other.execute("LOCK TABLE kept IN EXCLUSIVE MODE")
            waiting = asyncio.create_task(keep(connection, 2))
            while not (await (await other.execute(BLOCKED)).fetchall()):  # noqa: ASYNC110 - there
                await asyncio.sleep(0.01)
            await other.execute(CUT)
        await waiting
        connection.close()

    asyncio.run(scenario())
    with psycopg.connect(place) as connection:
        kept = connection.execute("SELECT b FROM kept ORDER BY b").fetchall()
    assert kept == [(1,), (2,)]


@pytest.mark.parametrize("earlier", [0, 1], ids=["the first", "a later one"])
def test_a_commit_whose_answer_was_lost_is_not_made_twice(
    place: str, fresh_database: str, keep: Keep, earlier: int
) -> None:
    async def scenario(proxy: Proxy, through: str) -> None:
        connection = CommittingConnection(conninfo(through))
        async with await psycopg.AsyncConnection.connect(place, autocommit=True) as other:
            for number in range(earlier):
                await keep(connection, number)
            await other.execute(WAIT_FOR_7)
            await other.execute("SELECT pg_advisory_lock(7)")
            waiting = asyncio.create_task(keep(connection, 7))
            while not (await (await other.execute(BLOCKED)).fetchall()):  # noqa: ASYNC110 - there
                await asyncio.sleep(0.01)
            proxy.freeze()
            await other.execute("SELECT pg_advisory_unlock(7)")
            while not (await (await other.execute(KEPT_7)).fetchall()):  # noqa: ASYNC110 - there
                await asyncio.sleep(0.01)
        proxy.cut()
        await waiting
        connection.close()

    with database_proxy(fresh_database) as (proxy, through):
        asyncio.run(scenario(proxy, through))
    with psycopg.connect(place) as connection:
        assert connection.execute("SELECT count(*) FROM kept WHERE b = 7").fetchone() == (1,)


def test_more_than_the_socket_takes_at_once_arrives(place: str, keep: Keep, commit: Commit) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place)
        await keep(connection, 1)
        large = array(JSON, [b'"' + b"x" * LARGE + b'"'])
        await commit(connection, [*parameters(2)[:3], large], 30)
        connection.close()

    asyncio.run(scenario())
    with psycopg.connect(place) as connection:
        found = connection.execute("SELECT length(d::text) FROM kept WHERE b = 2").fetchall()
    assert found == [(LARGE + 2,)]


def test_a_value_that_cannot_be_stored_is_an_error_and_no_end(
    place: str, keep: Keep, commit: Commit
) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place)
        for number in (1, 2):
            with pytest.raises(psycopg.DataError):
                await commit(connection, [texts(["\x00"]), *parameters(number)[1:]], 30)
            await keep(connection, number)
        connection.close()

    asyncio.run(scenario())


def test_a_timeout_is_an_error_and_the_next_statement_reconnects(
    place: str, keep: Keep, commit: Commit
) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place)
        await keep(connection, 1)
        async with await psycopg.AsyncConnection.connect(place) as other:
            await other.execute("LOCK TABLE kept IN EXCLUSIVE MODE")
            for number in (2, 3):
                with pytest.raises(TimeoutError):
                    await commit(connection, parameters(number), 0.2)
        await keep(connection, 4)
        connection.close()

    asyncio.run(scenario())
    with psycopg.connect(place) as connection:
        kept = connection.execute("SELECT b FROM kept WHERE b IN (1, 4) ORDER BY b").fetchall()
    assert kept == [(1,), (4,)]


def test_the_alarm_of_an_earlier_one_ends_no_later_one(place: str) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place)
        for number in (1, 2):  # the first connects, the second sets the timer
            await soon(connection, parameters(number), 2)
        async with await psycopg.AsyncConnection.connect(place) as other:
            await other.execute("LOCK TABLE kept IN EXCLUSIVE MODE")
            waiting = asyncio.create_task(soon(connection, parameters(3), 60))
            await asyncio.sleep(2.5)
            assert not waiting.done()
        await waiting
        connection.close()

    asyncio.run(scenario())
    with psycopg.connect(place) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (3,)


class Counting(CommittingConnection):
    """Counts how often it keeps the event loop busy."""

    turns = 0

    def _stay_awake(self, asked: Asked, until: float) -> None:
        self.turns += 1
        super()._stay_awake(asked, until)


def test_the_loop_stays_awake_for_one_that_is_waited_for_alone_and_not_for_ever(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "AWAKE_SECONDS", 0.02)

    async def scenario() -> None:
        connection = Counting(place)
        for number in (1, 2):
            await soon(connection, parameters(number), 30)
        assert connection.turns == 0
        async with await psycopg.AsyncConnection.connect(place) as other:
            await other.execute("LOCK TABLE kept IN EXCLUSIVE MODE")
            waiting = asyncio.create_task(awake(connection, parameters(3), 30))
            await asyncio.sleep(0.2)
            turns = connection.turns
            assert turns > 1
            await asyncio.sleep(0.1)
            assert connection.turns == turns
        await waiting
        connection.close()

    asyncio.run(scenario())
