from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.config import Settings
from app.predictions.logged.partitions import DAYS_AHEAD, maintain_partitions, partition_name
from app.storage.engine import make_engine
from app.storage.ids import first_id

TODAY = date(2026, 11, 22)
INSERT = text(
    "INSERT INTO predictions (id, created_at, request_id, model, version, kind, request, response) "
    "VALUES (:id, now(), '', 'm', 1, 'series', '{}', '{}')"
)


@pytest.fixture
def engine(fresh_database: str) -> Iterator[Engine]:
    made = make_engine(fresh_database)
    yield made
    made.dispose()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def partitions(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(
            connection.execute(
                text(
                    "SELECT inhrelid::regclass::text FROM pg_inherits "
                    "WHERE inhparent = 'predictions'::regclass ORDER BY 1"
                )
            ).scalars()
        )


def tables(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^predictions_'"
        return sorted(connection.execute(text(query)).scalars())


def insert(engine: Engine, moment: datetime) -> None:
    with engine.begin() as connection:
        connection.execute(INSERT, {"id": first_id(moment)})


def days(first: date, last: date) -> list[str]:
    count = (last - first).days + 1
    return [partition_name(first + timedelta(days=number)) for number in range(count)]


def test_yesterday_to_two_weeks_ahead_are_there(engine: Engine, settings: Settings) -> None:
    maintain_partitions(engine, settings, today=TODAY)
    expected = days(TODAY - timedelta(days=1), TODAY + timedelta(days=DAYS_AHEAD))
    assert partitions(engine) == expected
    maintain_partitions(engine, settings, today=TODAY + timedelta(days=1))
    assert len(partitions(engine)) == len(expected) + 1


def test_a_row_goes_where_its_id_says(engine: Engine, settings: Settings) -> None:
    maintain_partitions(engine, settings, today=TODAY)
    insert(engine, datetime(2026, 11, 22, tzinfo=UTC))
    insert(engine, datetime(2026, 11, 22, 23, 59, 59, 999000, tzinfo=UTC))
    insert(engine, datetime(2026, 11, 23, tzinfo=UTC))
    with engine.connect() as connection:
        query = text("SELECT tableoid::regclass::text FROM predictions ORDER BY id")
        assert list(connection.execute(query).scalars()) == [
            "predictions_20261122",
            "predictions_20261122",
            "predictions_20261123",
        ]


def test_several_processes_at_once_do_not_disturb_each_other(
    engine: Engine, settings: Settings
) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [
            pool.submit(maintain_partitions, engine, settings, today=TODAY) for _ in range(4)
        ]:
            done.result()
    assert len(partitions(engine)) == DAYS_AHEAD + 2


def test_retention_drops_what_is_older_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    keep_all = Settings(data_dir=tmp_path)
    maintain_partitions(engine, keep_all, today=TODAY)
    insert(engine, datetime(2026, 11, 22, 12, tzinfo=UTC))
    later = TODAY + timedelta(days=8)
    maintain_partitions(engine, keep_all, today=later)
    assert partitions(engine)[0] == "predictions_20261121"
    keep_week = Settings(data_dir=tmp_path, log_retention_days=7)
    maintain_partitions(engine, keep_week, today=later)
    assert partitions(engine)[0] == "predictions_20261123"
    assert tables(engine) == partitions(engine)


def test_it_goes_on_where_a_killed_process_stopped(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        # One was created but not attached, the other detached but not dropped.
        connection.execute(
            text("CREATE TABLE predictions_20261124 (LIKE predictions INCLUDING ALL)")
        )
        connection.execute(
            text("CREATE TABLE predictions_20200101 (LIKE predictions INCLUDING ALL)")
        )
    settings = Settings(data_dir=tmp_path, log_retention_days=7)
    maintain_partitions(engine, settings, today=TODAY)
    assert partitions(engine) == days(TODAY - timedelta(days=1), TODAY + timedelta(days=DAYS_AHEAD))
    assert tables(engine) == partitions(engine)


def test_a_long_reader_does_not_keep_the_log_from_being_written(
    engine: Engine, settings: Settings
) -> None:
    maintain_partitions(engine, settings, today=TODAY)
    with engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM predictions"))  # its transaction stays open
        maintain_partitions(engine, settings, today=TODAY + timedelta(days=1))
        insert(engine, datetime(2026, 11, 22, tzinfo=UTC))
    assert len(partitions(engine)) == DAYS_AHEAD + 3
