"""Test that a row refused by PostgreSQL fails alone, whatever the reason and its neighbours."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from app.config import Settings
from app.errors import Unavailable
from app.predictions import log
from app.predictions.log import Group, PredictionLog, Refused
from app.predictions.logged.partitions import maintain_partitions
from app.predictions.logged.rows import Entry, rows_of
from app.process.observability import Metrics
from app.storage.engine import conninfo, make_engine
from app.storage.ids import new_wire_id
from app.storage.tables import Prediction
from tests.predictions.written import refused_of
from tests.service import Service

COUNT = 8
SAME_ID = new_wire_id()
DEEPER_THAN_POSTGRESQL_READS = b"[" * 50_000 + b"]" * 50_000


def entry(number: int) -> Entry:
    return Entry(
        id=new_wire_id(),
        request_id=str(number),
        model="m",
        version=1,
        alias=None,
        kind="series",
        series=f"series {number}",
        request=b'{"history": [1]}',
        response=b"{}",
        key=None,
    )


@pytest.fixture
def database(fresh_database: str, tmp_path: Path) -> str:
    engine = make_engine(fresh_database)
    maintain_partitions(engine, Settings(data_dir=tmp_path))
    engine.dispose()
    return fresh_database


@pytest.fixture
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have rows share commits; with several connections each group might get its own."""
    monkeypatch.setattr(log, "CONNECTIONS", 1)


def metrics() -> Metrics:
    return Metrics()


def logged(database_url: str) -> list[str]:
    engine = make_engine(database_url)
    with engine.connect() as connection:
        found = connection.execute(select(Prediction.request_id)).scalars().all()
    engine.dispose()
    return sorted(found)


class CountingLog(PredictionLog):
    """A log that records how many rows each of its statements had."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url, metrics())
        self.statements: list[int] = []

    def _commit(self, groups: list[Group]) -> None:
        self.statements.append(sum(map(len, groups)))
        super()._commit(groups)


def write(database_url: str, entries: Sequence[Entry]) -> tuple[Refused, list[int]]:
    """Write rows as one group; return what was refused, and the rows of each statement."""

    async def scenario() -> tuple[Refused, list[int]]:
        writing = CountingLog(database_url)
        async with writing.running():
            return await refused_of(writing, entries), writing.statements

    return asyncio.run(scenario())


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize(
    "wrong",
    [
        {"series": "a\x00b"},
        {"series": "\ud800"},
        {"request": b'{"history": [NaN]}'},
        {"request": b'{"history": [1'},
        {"request": b'{"text": "\xff"}'},
        {"request": DEEPER_THAN_POSTGRESQL_READS},
        {"response": b'{"value": Infinity}'},
        {"version": 2**31},
    ],
    ids=["NUL", "surrogate", "NaN", "cut", "UTF-8", "depth", "response", "integer"],
)
def test_it_is_found_by_halving_the_run_that_it_shares(
    database: str, wrong: dict[str, Any]
) -> None:
    entries = [entry(number) for number in range(COUNT)]
    entries[5] = entries[5]._replace(**wrong)
    refused, statements = write(database, entries)
    assert list(refused) == [5]
    assert not isinstance(refused[5], Unavailable)  # trying again would not help
    assert logged(database) == [str(number) for number in range(COUNT) if number != 5]
    assert statements == [8, 4, 4, 2, 1, 1, 2]


@pytest.mark.usefixtures("one_connection")
def test_several_of_them_in_one_run_fail_alone(database: str) -> None:
    entries = [entry(number) for number in range(11)]
    for number in (0, 4, 5, 10):
        entries[number] = entries[number]._replace(request=b"NaN")
    refused, _ = write(database, entries)
    assert sorted(refused) == [0, 4, 5, 10]
    assert logged(database) == sorted(str(number) for number in (1, 2, 3, 6, 7, 8, 9))


@pytest.mark.usefixtures("one_connection")
def test_a_run_of_nothing_else_is_refused_as_a_whole(database: str) -> None:
    entries = [entry(number)._replace(request=b"NaN") for number in range(5)]
    refused, _ = write(database, entries)
    assert sorted(refused) == [0, 1, 2, 3, 4]
    assert logged(database) == []


@pytest.mark.usefixtures("one_connection")
def test_of_two_rows_with_one_id_the_first_is_kept(database: str) -> None:
    entries = [entry(number) for number in range(COUNT)]
    entries[2], entries[6] = (entries[n]._replace(id=SAME_ID) for n in (2, 6))
    refused, _ = write(database, entries)
    assert list(refused) == [6]
    assert logged(database) == [str(number) for number in range(COUNT) if number != 6]


@pytest.mark.usefixtures("one_connection")
def test_runs_that_share_its_commit_are_answered_as_wholes(database: str) -> None:
    wrong = entry(13)._replace(series="\x00")
    runs = [[entry(0), entry(1)], [entry(2), wrong, entry(3)], [entry(4)]]

    async def scenario() -> list[list[int]]:
        writing = PredictionLog(database, metrics())
        loop = asyncio.get_running_loop()
        async with writing.running():
            ended = [loop.create_future() for _ in runs]
            groups = [
                Group(rows_of(run), future.set_result)
                for run, future in zip(runs, ended, strict=True)
            ]
            writing.write(groups)
            return [list(refused) for refused in await asyncio.gather(*ended)]

    assert asyncio.run(scenario()) == [[], [1], []]
    assert logged(database) == ["0", "1", "2", "3", "4"]


@pytest.mark.usefixtures("one_connection")
def test_what_is_no_rows_fault_is_not_looked_for(database: str) -> None:
    with psycopg.connect(conninfo(database), autocommit=True) as connection:
        connection.execute("DROP TABLE predictions")
    refused, statements = write(database, [entry(number) for number in range(COUNT)])
    assert [type(error) for error in refused.values()] == [Unavailable] * COUNT
    assert statements == [COUNT]


CURSED = "cursed"
# Stands for anything that PostgreSQL may refuse unexpectedly.
CURSE = f"""
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no reason given'; END $$;
CREATE TRIGGER curse BEFORE INSERT ON predictions FOR EACH ROW
WHEN (NEW.request::text LIKE '%{CURSED}%') EXECUTE FUNCTION refuse()
"""


@pytest.fixture
def cursed(service: Service) -> Service:
    """Yield a database that refuses some rows for a reason of its own."""
    with psycopg.connect(conninfo(service.database_url), autocommit=True) as connection:
        connection.execute(CURSE)
    assert service.predict(model="google-stock", history=[1, 2, 3]).is_success  # loads it
    return service


def items_of(count: int, *, cursed: Sequence[int], more: object = None) -> list[dict[str, object]]:
    items: list[dict[str, object]] = [
        {
            "model": "google-stock",
            "history": [1, 2, number],
            "series": CURSED if number in cursed else f"series {number}",
        }
        for number in range(count)
    ]
    return [{**item, "levels": [80]} for item in items] if more else items


@pytest.mark.parametrize(
    ("count", "more"), [(8, False), (40, True), (40, False)], ids=["few", "unlike", "uniform"]
)
def test_an_item_of_a_batch_that_is_refused_fails_alone(
    cursed: Service, *, count: int, more: bool
) -> None:
    items = items_of(count, cursed=(3, 7), more=more)
    answer = cursed.client.post("/predict/batch", json={"items": items})
    assert answer.status_code == 200
    failed = {n: item["error"] for n, item in enumerate(answer.json()["items"]) if "error" in item}
    assert sorted(failed) == [3, 7]
    assert {problem["status"] for problem in failed.values()} == {500}
    assert "no reason" not in answer.text
    with cursed.sessions.begin() as session:
        kept = session.scalars(select(Prediction.series).where(Prediction.series.is_not(None)))
        assert len(list(kept)) == count - 2


def test_the_caller_of_a_refused_row_is_told_that_it_is_our_fault(cursed: Service) -> None:
    answer = cursed.predict(model="google-stock", history=[1, 2, 3], series=CURSED)
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert answer.headers["X-Request-Id"] in answer.json()["detail"]
