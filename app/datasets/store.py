"""Query datasets, and load their content from the object store."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, union
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.datasets.tails import TailName, Tails
from app.errors import NotFound, Unprocessable
from app.reading.content import DatasetContent, SeriesContent, content_from_bytes, known_ahead
from app.reading.report import Report
from app.storage.ids import new_id
from app.storage.job_status import UNFINISHED, JobStatus
from app.storage.object_store import ObjectStore, StoredObject
from app.storage.store_errors import naming
from app.storage.tables import Dataset, Job, Version

UPLOAD_AGAIN = "upload the file again, or put it back from a backup"
SHOWN = 10  # labels that a message shows

_tails = Tails()  # per process; keyed by content, so it is valid for every store


@dataclass(frozen=True, kw_only=True)
class JoinedContent:
    """An upload together with the dataset that it extends; already in the object store."""

    content: StoredObject
    report: Report


@dataclass(frozen=True, kw_only=True)
class UnderstoodFile:
    """An upload that was read; its bytes and its content are already in the object store."""

    filename: str | None
    original: StoredObject
    content: StoredObject
    read_options: str  # canonical
    report: Report
    joined: JoinedContent | None = None  # set if it extends a dataset


def save_dataset(session: Session, file: UnderstoodFile) -> tuple[Dataset, bool]:
    """Return the dataset of an upload and whether it is new; see `Dataset` for equal uploads."""
    if file.report.kind is None:
        raise ValueError("a report without a kind belongs to a file that could not be read")
    inserted = session.execute(
        insert(Dataset)
        .values(
            id=new_id(),
            sha256=file.original.sha256,
            read_options=file.read_options,
            content_sha256=file.content.sha256,
            kind=file.report.kind,
            filename=file.filename or "",
            size_bytes=file.original.size,
            report=_storable(file.report),
        )
        .on_conflict_do_nothing()
        .returning(Dataset.id)
    ).first()
    dataset = session.scalars(
        select(Dataset).where(
            Dataset.sha256 == file.original.sha256, Dataset.read_options == file.read_options
        )
    ).one()
    return dataset, inserted is not None


def save_joined(session: Session, file: UnderstoodFile, *, extends: Dataset) -> Dataset:
    """Return the dataset of an upload joined with the one that it extends.

    The upload itself also becomes a dataset; the joined dataset names it and the extended one. A
    joined dataset has no file of its own, so its sha256 is that of the joined content. The same
    rows are therefore one dataset, however they were put together (with the lineage of the first
    time). An upload that adds nothing returns the dataset that it was to extend.

    Raises:
        ValueError: the file was not joined with a dataset.
    """
    if file.joined is None:
        raise ValueError("the file was not joined with a dataset")
    upload, _ = save_dataset(session, file)
    content = file.joined.content
    if content.sha256 == extends.content_sha256:
        return extends
    session.execute(
        insert(Dataset)
        .values(
            id=new_id(),
            sha256=content.sha256,
            read_options=file.read_options,
            content_sha256=content.sha256,
            kind="series",
            filename=file.filename or "",
            size_bytes=content.size,
            report=_storable(file.joined.report),
            extends_id=extends.id,
            extended_by_id=upload.id,
        )
        .on_conflict_do_nothing()
    )
    return session.scalars(
        select(Dataset).where(
            Dataset.sha256 == content.sha256, Dataset.read_options == file.read_options
        )
    ).one()


def get_dataset(session: Session, dataset_id: UUID) -> Dataset:
    """Return a dataset.

    Raises:
        NotFound: no dataset has that id.
    """
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        raise NotFound(f"There is no dataset {dataset_id}; GET /datasets lists them.")
    return dataset


def list_datasets(session: Session, *, limit: int, before: UUID | None = None) -> Sequence[Dataset]:
    """Return datasets, newest first; with `before`, only those with a smaller id."""
    query = select(Dataset).order_by(Dataset.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(Dataset.id < before)).all()


def last_dataset(session: Session, model: str) -> Dataset | None:
    """Return the dataset of the model's newest training, running or finished; None without one."""
    jobs = (
        select(Dataset)
        .join(Job, Job.dataset_id == Dataset.id)
        .where(Job.model == model, Job.status.in_([*UNFINISHED, JobStatus.SUCCEEDED]))
        .order_by(Job.id.desc())
        .limit(1)
    )
    versions = (
        select(Dataset)
        .join(Version, Version.dataset_id == Dataset.id)
        .where(Version.model == model)
        .order_by(Version.number.desc())
        .limit(1)
    )
    return session.scalar(jobs) or session.scalar(versions)


def load_content(dataset: Dataset, store: ObjectStore) -> DatasetContent:
    """Return the content of a dataset.

    Raises:
        ObjectMissing, ObjectDamaged: the store has lost it.
        StoreUnavailable: the store cannot be read at the moment.
    """
    with naming(f"the content of dataset {dataset.id}", UPLOAD_AGAIN):
        return content_from_bytes(store.get(dataset.content_sha256))


def stored_tail(
    session: Session,
    store: ObjectStore,
    dataset_id: UUID,
    *,
    columns: tuple[str, ...],
    rows: int,
    series: str | None = None,
) -> SeriesContent:
    """Return the last complete rows of a series in a dataset, to forecast what follows.

    Args:
        session: in an open transaction.
        store: that holds the content.
        dataset_id: of a dataset of kind series.
        columns: that must have values; the content's other columns are ignored.
        rows: maximum number of rows.
        series: which one, if the dataset contains several.

    Raises:
        NotFound: there is no such dataset.
        Unprocessable: it is a text; it lacks a column or the series; or it contains several series
            and none is named.
    """
    dataset = get_dataset(session, dataset_id)
    name = TailName(content_sha256=dataset.content_sha256, columns=columns, rows=rows)
    ends = _tails.get(name)
    if ends is None:
        ends = _ends(dataset, store, columns=columns, rows=rows)
        _tails.keep(name, ends)
    return _one_series(ends, series)


def stored_ahead(
    session: Session,
    store: ObjectStore,
    dataset_id: UUID,
    *,
    features: tuple[str, ...],
    known: tuple[str, ...],
    rows: int,
    series: str | None = None,
) -> dict[str, list[float] | list[str]]:
    """Return what a dataset says about the rows after a series' last complete one.

    Args:
        session: in an open transaction.
        store: that holds the content.
        dataset_id: of a dataset of kind series that has the columns.
        features: columns that a complete row has numbers in.
        known: columns known ahead.
        rows: how many at most.
        series: which one, if the dataset contains several.
    """
    content = load_content(get_dataset(session, dataset_id), store)
    if not isinstance(content, SeriesContent):
        raise Unprocessable.at("dataset", f"{dataset_id} is a text")
    own = _one_series(content, series)
    return known_ahead(own, features=features, known=known, rows=rows)


def referenced_objects(session: Session) -> set[str]:
    """Return the sha256 of every file in the store that a dataset needs."""
    return set(session.scalars(union(select(Dataset.sha256), select(Dataset.content_sha256))))


def _ends(
    dataset: Dataset, store: ObjectStore, *, columns: tuple[str, ...], rows: int
) -> SeriesContent:
    """Return the last complete rows of every series."""
    content = load_content(dataset, store) if dataset.kind == "series" else None
    if not isinstance(content, SeriesContent):
        raise Unprocessable.at("dataset", f"{dataset.id} is a text; a dataset of kind series fits")
    there = (*content.columns, *content.category_names)
    missing = [name for name in columns if name not in there]
    if missing:
        raise Unprocessable.at(
            "dataset", f"{dataset.id} has no column {missing[0]!r}; it has {', '.join(there)}"
        )
    return content.complete(columns).tail(rows)


def _one_series(content: SeriesContent, label: str | None) -> SeriesContent:
    if label is None and len(content.labels) == 1:
        return content
    if label in content.labels:
        return content.of_series(label)
    # An unnamed series matches any name, because the request's name is only for the log.
    if content.labels == ("",):
        return content
    shown = ", ".join([*content.labels[:SHOWN], *(["…"] if len(content.labels) > SHOWN else [])])
    raise Unprocessable.at(
        "series",
        f"the dataset contains {len(content.labels)} series; name one of {shown}"
        if label is None
        else f"the dataset has no series {label[:100]!r}; it has {shown}",
    )


def _storable(report: Report) -> dict[str, Any]:
    """Return the report in a form that jsonb accepts: without NaN and without NUL characters."""
    stored: dict[str, Any] = _without_nul(json.loads(report.model_dump_json()))
    Report.model_validate(stored)  # otherwise nothing could read it back
    return stored


def _without_nul(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(each) for key, each in value.items()}
    return value
