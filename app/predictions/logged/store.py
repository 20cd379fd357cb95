"""Queries of this domain: what the log holds."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.predictions.logged.schemas import LogFilter
from app.storage.ids import first_id
from app.storage.tables import Prediction, RefusedCall


def list_predictions(
    session: Session, which: LogFilter, *, limit: int, before: UUID | None
) -> list[Prediction]:
    """Return a page of the log, newest first; ids, and so partitions, are in order of time.

    Args:
        session: a transaction.
        which: the filter.
        limit: how many at most.
        before: the last id of the page before; None: from the newest.
    """
    query = select(Prediction).where(*conditions(which)).order_by(Prediction.id.desc())
    if before is not None:
        query = query.where(Prediction.id < before)
    return list(session.execute(query.limit(limit)).scalars())


def list_refused(
    session: Session, *, status: int | None, key: str | None, limit: int, before: UUID | None
) -> Sequence[RefusedCall]:
    """Return refused calls, newest first; those with an id under `before`."""
    query = select(RefusedCall).order_by(RefusedCall.id.desc()).limit(limit)
    if status is not None:
        query = query.where(RefusedCall.status == status)
    if key is not None:
        query = query.where(RefusedCall.key == key)
    if before is not None:
        query = query.where(RefusedCall.id < before)
    return session.scalars(query).all()


def conditions(which: LogFilter) -> list[ColumnElement[bool]]:
    """Return the conditions of a filter on rows of the log."""
    columns = (
        (Prediction.model, which.model),
        (Prediction.version, which.version),
        (Prediction.kind, which.kind),
        (Prediction.series, which.series),
        (Prediction.request_id, which.request_id),
        (Prediction.key, which.key),
    )
    found: list[ColumnElement[bool]] = [
        column == value for column, value in columns if value is not None
    ]
    if which.since is not None:
        found.append(Prediction.id >= first_id(which.since))
    if which.until is not None:
        found.append(Prediction.id < first_id(which.until))
    return found


def get_prediction(session: Session, identifier: UUID) -> Prediction:
    """Return one logged prediction.

    Raises:
        NotFound: there is none of this id, or retention has dropped it.
    """
    found = session.get(Prediction, identifier)
    if found is None:
        raise NotFound(not_in_log(identifier))
    return found


def find_predictions(session: Session, identifiers: Collection[UUID]) -> dict[UUID, Prediction]:
    """Return those predictions that are in the log, by id."""
    query = select(Prediction).where(Prediction.id.in_(identifiers))
    return {row.id: row for row in session.scalars(query)}


def not_in_log(identifier: UUID) -> str:
    """Say that a prediction is not there, or not any more."""
    return f"there is no prediction {identifier} in the log"
