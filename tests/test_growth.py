"""Check what may not grow with log and registry: number of statements, partitions read, sorts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from app.config import Settings
from app.predictions.logged.partitions import maintain_partitions
from app.predictions.logged.schemas import LogFilter
from app.predictions.logged.store import list_predictions
from app.registry.aliases import list_aliases
from app.registry.catalogue import read_catalogue
from app.registry.store import list_champions, list_models
from app.storage.tables import Alias, Model, Version
from tests.registry.records import series_manifest, series_scorecard

DAY = date(2026, 11, 20)


@contextmanager
def statements(session: Session) -> Iterator[list[Any]]:
    """Record the compiled statements that are executed within the block."""
    seen: list[Any] = []

    def note(_connection: Connection, clause: object, *_: object) -> None:
        seen.append(clause)

    bind = session.connection()
    event.listen(bind, "before_execute", note)
    try:
        yield seen
    finally:
        event.remove(bind, "before_execute", note)


def register(session: Session, models: range, versions: int) -> None:
    manifest = series_manifest().model_dump(mode="json")
    scorecard = series_scorecard().model_dump(mode="json")
    for name in (f"model-{number:03}" for number in models):
        session.add(Model(name=name, kind="series", last_version=versions))
        session.flush()
        session.add_all(
            Version(
                model=name,
                number=number,
                manifest=manifest,
                scorecard=scorecard,
                files={},
                decision={"promoted": True, "reason": "", "comparison": None},
            )
            for number in range(1, versions + 1)
        )
        session.flush()
        session.add(Alias(model=name, alias="champion", version=versions))
    session.flush()


def a_page_of_models(session: Session) -> None:
    names = [model.name for model in list_models(session, limit=50)]
    list_champions(session, names)
    list_aliases(session, names)


@pytest.mark.parametrize("action", [read_catalogue, a_page_of_models])
def test_reading_the_registry_takes_as_many_statements_whatever_it_holds(
    session: Session, action: Callable[[Session], object]
) -> None:
    counts = []
    for models in (range(1), range(1, 60)):
        register(session, models, 3)
        session.expire_all()
        with statements(session) as seen:
            action(session)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 4


@pytest.fixture
def partitioned(session: Session) -> Session:
    """Yield a log with partitions for several days, in a database that other tests also use."""
    bind = session.get_bind()
    assert isinstance(bind, Connection)
    maintain_partitions(bind.engine, Settings(), today=DAY)
    # Small tables are read completely; this shows what would be read if they were large.
    session.execute(text("SET LOCAL enable_seqscan = off"))
    session.execute(text("SET LOCAL enable_bitmapscan = off"))
    return session


def plan_of_a_page(session: Session, which: LogFilter) -> list[dict[str, Any]]:
    """Return the nodes of the plan by which PostgreSQL reads a page."""
    with statements(session) as seen:
        list_predictions(session, which, limit=51, before=None)
    query = str(
        seen[-1].compile(
            dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
            compile_kwargs={"literal_binds": True},
        )
    )
    driver = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {query}")
    nodes: list[dict[str, Any]] = []
    left = [driver.scalar_one()[0]["Plan"]]
    while left:
        node = left.pop()
        nodes.append(node)
        left += node.get("Plans", [])
    return nodes


def test_a_page_by_model_and_time_reads_the_index_of_its_days_and_sorts_nothing(
    partitioned: Session,
) -> None:
    since = datetime(2026, 11, 20, 6, tzinfo=UTC)
    which = LogFilter(model="prices", since=since, until=since + timedelta(days=2))
    nodes = plan_of_a_page(partitioned, which)
    read = [node for node in nodes if "Relation Name" in node]
    assert {node["Relation Name"] for node in read} == {
        f"predictions_{DAY + timedelta(days=ahead):%Y%m%d}" for ahead in range(3)
    }
    assert all(node["Node Type"] == "Index Scan" for node in read)
    assert all("model" in node["Index Cond"] and "id" in node["Index Cond"] for node in read)
    assert not [node for node in nodes if "Sort" in node["Node Type"]]


def test_a_page_by_model_begins_at_the_newest_partition_and_sorts_nothing(
    partitioned: Session,
) -> None:
    nodes = plan_of_a_page(partitioned, LogFilter(model="prices"))
    assert "Append" in [node["Node Type"] for node in nodes]  # one after the other, not merged
    assert not [node for node in nodes if "Sort" in node["Node Type"]]
