"""Queries of this domain: what is served, what a version is made of, what the log holds."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.predictions.schemas import LogFilter
from app.registry.store import revision
from app.storage.ids import first_id
from app.storage.tables import Alias, Model, Prediction, Version


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """What can be asked for at one moment of the registry."""

    revision: int
    aliases: dict[tuple[str, str], int]  # (model, alias) -> version
    versions: dict[str, frozenset[int]]  # model -> its versions, tombstones left out
    deleted: dict[str, frozenset[int]]


def read_catalogue(session: Session) -> Catalogue:
    """What is served now. The revision is read first: a change in between is seen by the next."""
    seen = revision(session)
    none: frozenset[int] = frozenset()
    live = dict.fromkeys(session.scalars(select(Model.name)), none)
    deleted = dict(live)
    # A row per model, not per version: with ten versions each it takes half the time.
    is_deleted = Version.deleted_at.is_not(None)
    rows = session.execute(
        select(Version.model, is_deleted, func.array_agg(Version.number)).group_by(
            Version.model, is_deleted
        )
    )
    for model, gone, numbers in rows:
        (deleted if gone else live)[model] = frozenset(numbers)
    aliases = session.execute(select(Alias.model, Alias.alias, Alias.version))
    return Catalogue(
        revision=seen,
        aliases={(model, alias): number for model, alias, number in aliases},
        versions=live,
        deleted=deleted,
    )


def list_predictions(
    session: Session, which: LogFilter, *, limit: int, before: UUID | None
) -> list[Prediction]:
    """A page of the log, newest first; ids are in order of time, and partitions go by them.

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


def conditions(which: LogFilter) -> list[ColumnElement[bool]]:
    """What a filter asks of a row of the log."""
    columns = (
        (Prediction.model, which.model),
        (Prediction.version, which.version),
        (Prediction.kind, which.kind),
        (Prediction.series, which.series),
        (Prediction.request_id, which.request_id),
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
    """One logged prediction.

    Raises:
        NotFound: there is none of this id, or retention has dropped it.
    """
    found = session.get(Prediction, identifier)
    if found is None:
        raise NotFound(f"there is no prediction {identifier} in the log")
    return found
