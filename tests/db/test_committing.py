"""A connection that commits, while its server goes away and comes back."""

import asyncio

import psycopg
import pytest

from app.db.binary_arrays import JSON, array, integers, moments, texts
from app.db.committing import CommittingConnection, Statement
from app.db.engine import conninfo

LARGE = 8_000_000
KEEP = Statement(
    name=b"keep",
    text=b"""
INSERT INTO kept
SELECT * FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::json[])
""",
    parameters=4,
)
BLOCKED = "SELECT 1 FROM pg_locks WHERE NOT granted"
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'committing'"


def parameters(*numbers: int) -> list[bytes]:
    return [
        texts([None if number == 0 else f"é{number}" for number in numbers]),
        integers(numbers),
        moments([1_000 * number for number in numbers]),
        array(JSON, [b'{"a": "\\u0000"}' for _ in numbers]),
    ]


@pytest.fixture
def place(fresh_database: str) -> str:
    where = conninfo(fresh_database)
    with psycopg.connect(where) as connection:
        connection.execute("CREATE TABLE kept (a text, b int, c timestamptz, d json)")
    return where


async def keep(connection: CommittingConnection, *numbers: int) -> None:
    await connection.commit(KEEP, parameters(*numbers), timeout_seconds=30)


def test_values_arrive_as_they_are(place: str) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place, "committing")
        await keep(connection, 0, 1, -2)
        await connection.aclose()

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


def test_a_connection_cut_while_idle_is_replaced_again_and_again(place: str) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place, "committing")
        for number in range(5):
            await keep(connection, number)
            async with await psycopg.AsyncConnection.connect(place) as other:
                await other.execute(CUT)
            await asyncio.sleep(0)
        await connection.aclose()

    asyncio.run(scenario())
    with psycopg.connect(place) as connection:
        kept = connection.execute("SELECT b FROM kept ORDER BY b").fetchall()
    assert kept == [(number,) for number in range(5)]


def test_a_connection_cut_while_it_waits_is_replaced(place: str) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place, "committing")
        await keep(connection, 1)
        async with await psycopg.AsyncConnection.connect(place) as other:
            await other.execute("LOCK TABLE kept IN EXCLUSIVE MODE")
            waiting = asyncio.create_task(keep(connection, 2))
            while not (await (await other.execute(BLOCKED)).fetchall()):  # noqa: ASYNC110 - there
                await asyncio.sleep(0.01)
            await other.execute(CUT)
        await waiting
        await connection.aclose()

    asyncio.run(scenario())
    with psycopg.connect(place) as connection:
        kept = connection.execute("SELECT b FROM kept ORDER BY b").fetchall()
    assert kept == [(1,), (2,)]


def test_more_than_the_socket_takes_at_once_arrives(place: str) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place, "committing")
        large = array(JSON, [b'"' + b"x" * LARGE + b'"'])
        await connection.commit(KEEP, [*parameters(1)[:3], large], timeout_seconds=30)
        await connection.aclose()

    asyncio.run(scenario())
    with psycopg.connect(place) as connection:
        assert connection.execute("SELECT length(d::text) FROM kept").fetchone() == (LARGE + 2,)


def test_a_value_that_cannot_be_stored_is_an_error_and_no_end(place: str) -> None:
    async def scenario() -> None:
        connection = CommittingConnection(place, "committing")
        with pytest.raises(psycopg.DataError):
            await connection.commit(KEEP, [texts(["\x00"]), *parameters(1)[1:]], timeout_seconds=30)
        await keep(connection, 1)
        await connection.aclose()

    asyncio.run(scenario())
