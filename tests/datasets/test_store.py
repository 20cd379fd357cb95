import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.datasets.store import (
    UnderstoodFile,
    get_dataset,
    list_datasets,
    load_content,
    referenced_objects,
    save_dataset,
    stored_tail,
)
from app.errors import NotFound, Unprocessable
from app.reading.content import DatasetContent, SeriesContent, TextContent
from app.reading.report import ColumnReport, Report
from app.storage.engine import make_engine
from app.storage.ids import new_id
from app.storage.object_store import ObjectStore
from app.storage.tables import Dataset


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore.open("memory://")


def series(labels: tuple[str, ...] = ("",), rows: int = 5) -> SeriesContent:
    """Return series in which Open counts up from 0 and the last value of Volume is missing."""
    count = rows * len(labels)
    values = np.stack([np.arange(count) % rows, np.ones(count)], axis=1).astype(np.float64)
    values[rows - 1 :: rows, 1] = np.nan
    day = np.datetime64("2017-01-01", "us") + np.arange(rows) * np.timedelta64(1, "D")
    return SeriesContent(
        columns=("Open", "Volume"),
        values=values,
        times=np.tile(day, len(labels)),
        offsets=None,
        time_form="date",
        frequency="D",
        labels=labels,
        series=np.repeat(np.arange(len(labels), dtype=np.int32), rows),
    )


def understood(
    store: ObjectStore, content: DatasetContent, *, report: Report | None = None, read: str = "{}"
) -> UnderstoodFile:
    data = content.to_bytes()
    kind = "series" if isinstance(content, SeriesContent) else "text"
    return UnderstoodFile(
        filename="prices.csv",
        original=store.put_bytes(b"original " + data),
        content=store.put_bytes(data),
        read_options=read,
        report=report or Report(kind=kind),
    )


def saved(session: Session, store: ObjectStore, content: DatasetContent) -> Dataset:
    dataset, _ = save_dataset(session, understood(store, content))
    return dataset


def test_the_same_file_read_alike_is_one_dataset(session: Session, store: ObjectStore) -> None:
    first, first_is_new = save_dataset(session, understood(store, series()))
    again, again_is_new = save_dataset(session, understood(store, series()))
    otherwise, otherwise_is_new = save_dataset(
        session, understood(store, series(), read='{"decimal":","}')
    )

    assert [first_is_new, again_is_new, otherwise_is_new] == [True, False, True]
    assert again.id == first.id != otherwise.id
    assert load_content(first, store) == series()
    assert {first.sha256, first.content_sha256} <= referenced_objects(session)


def test_a_report_may_say_anything_that_a_file_holds(session: Session, store: ObjectStore) -> None:
    odd = 'a\x00b\\u0000c"\\\N{PILE OF POO}'
    report = Report(
        kind="series",
        warnings=[odd],
        columns=[ColumnReport(name=odd, type="number", used=True, minimum=float("nan"))],
    )

    dataset, _ = save_dataset(session, understood(store, series(), report=report))
    session.refresh(dataset)

    kept = odd.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    assert dataset.report["warnings"] == [kept]
    assert dataset.report["columns"][0]["name"] == kept
    assert dataset.report["columns"][0]["minimum"] is None
    assert Report.model_validate(json.loads(json.dumps(dataset.report))).warnings == [kept]


def test_datasets_are_listed_newest_first(session: Session, store: ObjectStore) -> None:
    ids = [saved(session, store, TextContent(text=text)).id for text in ("a", "b", "c")]

    assert [each.id for each in list_datasets(session, limit=2)] == [ids[2], ids[1]]
    assert [each.id for each in list_datasets(session, limit=2, before=ids[1])] == [ids[0]]
    with pytest.raises(NotFound, match="GET /datasets"):
        get_dataset(session, new_id())


@pytest.fixture
def sessions(fresh_database: str) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(fresh_database)
    yield sessionmaker(engine)
    engine.dispose()


def test_one_file_uploaded_twice_at_once_is_one_dataset(
    sessions: sessionmaker[Session], store: ObjectStore
) -> None:
    file = understood(store, series())

    def upload() -> tuple[UUID, bool]:
        with sessions.begin() as session:
            dataset, is_new = save_dataset(session, file)
            return dataset.id, is_new

    with ThreadPoolExecutor(4) as threads:
        results = [each.result() for each in [threads.submit(upload) for _ in range(4)]]

    assert len({identifier for identifier, _ in results}) == 1
    assert sorted(is_new for _, is_new in results) == [False, False, False, True]


def test_the_stored_tail_stands_in_for_a_history(session: Session, store: ObjectStore) -> None:
    dataset = saved(session, store, series())

    tail = stored_tail(session, store, dataset.id, columns=("Open",), rows=2)

    assert tail.column("Open").tolist() == [3, 4]
    assert tail.row_times_iso() == ["2017-01-04", "2017-01-05"]


def test_the_stored_tail_has_a_number_in_every_input(session: Session, store: ObjectStore) -> None:
    dataset = saved(session, store, series())

    tail = stored_tail(session, store, dataset.id, columns=("Open", "Volume"), rows=2)

    assert tail.column("Open").tolist() == [2, 3]


def test_the_stored_tail_of_one_of_several_series(session: Session, store: ObjectStore) -> None:
    dataset = saved(session, store, series(("GOOG", "AAPL")))

    tail = stored_tail(session, store, dataset.id, columns=("Open",), rows=9, series="AAPL")

    assert tail.labels == ("AAPL",)
    assert tail.column("Open").tolist() == [0, 1, 2, 3, 4]


def test_a_series_without_a_name_takes_any(session: Session, store: ObjectStore) -> None:
    dataset = saved(session, store, series())

    assert len(stored_tail(session, store, dataset.id, columns=(), rows=1, series="GOOG")) == 1


@pytest.mark.parametrize(
    ("content", "columns", "label", "field", "words"),
    [
        (TextContent(text="a"), (), None, "dataset", "is a text"),
        (series(), ("Close",), None, "dataset", "no column 'Close'; it has Open, Volume"),
        (series(("A", "B")), ("Open",), None, "series", "contains 2 series; name one of A, B"),
        (series(("A", "B")), ("Open",), "C", "series", "no series 'C'; it has A, B"),
        (series(("A",)), ("Open",), "C", "series", "no series 'C'; it has A"),
        (series(tuple(map(str, range(12)))), (), None, "series", "7, 8, 9, …"),
    ],
)
def test_a_tail_that_cannot_be_had_is_a_422(
    *,
    session: Session,
    store: ObjectStore,
    content: DatasetContent,
    columns: tuple[str, ...],
    label: str | None,
    field: str,
    words: str,
) -> None:
    dataset = saved(session, store, content)

    with pytest.raises(Unprocessable, match=words) as caught:
        stored_tail(session, store, dataset.id, columns=columns, rows=1, series=label)

    assert caught.value.errors[0].field == field


def test_the_tails_of_all_series_are_read_from_the_store_once(
    session: Session, store: ObjectStore
) -> None:
    dataset = saved(session, store, series(("GOOG", "AAPL"), rows=77))
    first = stored_tail(session, store, dataset.id, columns=("Open",), rows=3, series="GOOG")
    empty = ObjectStore.open("memory://")

    again = stored_tail(session, empty, dataset.id, columns=("Open",), rows=3, series="GOOG")
    other = stored_tail(session, empty, dataset.id, columns=("Open",), rows=3, series="AAPL")

    assert again == first
    assert other.column("Open").tolist() == [74, 75, 76]
