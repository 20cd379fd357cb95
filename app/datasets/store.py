"""The queries of datasets, and their content in the object store."""

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
from app.reading.content import DatasetContent, SeriesContent, content_from_bytes
from app.reading.report import Report
from app.storage.ids import new_id
from app.storage.job_status import UNFINISHED, JobStatus
from app.storage.object_store import ObjectStore, StoredObject
from app.storage.store_errors import naming
from app.storage.tables import Dataset, Job, Version

UPLOAD_AGAIN = "upload the file again, or put it back from a backup"
SHOWN = 10  # labels in a message

_tails = Tails()  # of this process; named by content, so it holds for every store


@dataclass(frozen=True, kw_only=True)
class JoinedContent:
    """An upload together with the dataset that it extends; in the object store already."""

    content: StoredObject
    report: Report


@dataclass(frozen=True, kw_only=True)
class UnderstoodFile:
    """An upload that was read; its bytes and its content are in the object store already."""

    filename: str | None
    original: StoredObject
    content: StoredObject
    read_options: str  # canonical
    report: Report
    joined: JoinedContent | None = None  # where it extends a dataset


def save_dataset(session: Session, file: UnderstoodFile) -> tuple[Dataset, bool]:
    """The dataset of an upload and whether it is new: equal bytes read alike are one dataset."""
    if file.report.kind is None:
        raise ValueError("a report without a kind is of a file that was not understood")
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
    """The dataset of an upload together with the one that it extends.

    The upload itself becomes a dataset too, which the joined one names beside the one it extends.
    A joined dataset has no file of its own: its sha256 is that of the joined content, so the same
    rows, put together in whatever steps, are one dataset (with the lineage of the first time). An
    upload that adds nothing gives the dataset that it was to extend.

    Raises:
        ValueError: the file was not read to be joined.
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
    """One dataset.

    Raises:
        NotFound: there is none of that id.
    """
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        raise NotFound(f"There is no dataset {dataset_id}; GET /datasets lists them.")
    return dataset


def list_datasets(session: Session, *, limit: int, before: UUID | None = None) -> Sequence[Dataset]:
    """Datasets, newest first; those with an id under `before`."""
    query = select(Dataset).order_by(Dataset.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(Dataset.id < before)).all()


def last_dataset(session: Session, model: str) -> Dataset | None:
    """What the model's newest training goes by, under way or done; None: there was none here."""
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
    """What a dataset holds.

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
    """The last complete rows of one series of a dataset, to forecast what comes after them.

    Args:
        session: an open transaction.
        store: where the content is.
        dataset_id: a dataset of kind series.
        columns: what has to have a number; the content's other columns are left as they are.
        rows: how many at most.
        series: which, where the dataset holds several.

    Raises:
        NotFound: no such dataset.
        Unprocessable: it is a text; it lacks a column or the series; or holds several series and
            none is named.
    """
    dataset = get_dataset(session, dataset_id)
    name = TailName(content_sha256=dataset.content_sha256, columns=columns, rows=rows)
    ends = _tails.get(name)
    if ends is None:
        ends = _ends(dataset, store, columns=columns, rows=rows)
        _tails.keep(name, ends)
    return _one_series(ends, series)


def referenced_objects(session: Session) -> set[str]:
    """The sha256 of every file in the store that a dataset needs."""
    return set(session.scalars(union(select(Dataset.sha256), select(Dataset.content_sha256))))


def _ends(
    dataset: Dataset, store: ObjectStore, *, columns: tuple[str, ...], rows: int
) -> SeriesContent:
    """The last complete rows of every series."""
    content = load_content(dataset, store) if dataset.kind == "series" else None
    if not isinstance(content, SeriesContent):
        raise Unprocessable.at("dataset", f"{dataset.id} is a text; a dataset of kind series fits")
    missing = [name for name in columns if name not in content.columns]
    if missing:
        raise Unprocessable.at(
            "dataset",
            f"{dataset.id} has no column {missing[0]!r}; it has {', '.join(content.columns)}",
        )
    return content.complete(columns).tail(rows)


def _one_series(content: SeriesContent, label: str | None) -> SeriesContent:
    if label is None and len(content.labels) == 1:
        return content
    if label in content.labels:
        return content.of_series(label)
    # An unnamed series goes by any name: the request's label is for the log.
    if content.labels == ("",):
        return content
    shown = ", ".join([*content.labels[:SHOWN], *(["…"] if len(content.labels) > SHOWN else [])])
    raise Unprocessable.at(
        "series",
        f"the dataset holds {len(content.labels)} series: name one of {shown}"
        if label is None
        else f"the dataset has no series {label[:100]!r}; it has {shown}",
    )


def _storable(report: Report) -> dict[str, Any]:
    """The report as jsonb takes it: no NaN, and no NUL, which a file may hold anywhere."""
    stored: dict[str, Any] = _without_nul(json.loads(report.model_dump_json()))
    Report.model_validate(stored)  # else no one could read it back
    return stored


def _without_nul(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(each) for key, each in value.items()}
    return value
