"""Queries of this domain: what is served, what a version is made of, what the log holds."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.ids import first_id
from app.db.tables import Alias, Model, Prediction, Version
from app.errors import NotFound
from app.predictions.schemas import LogFilter
from app.registry.store import revision


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
    names = session.execute(select(Model.name)).scalars()
    live: dict[str, set[int]] = {name: set() for name in names}
    deleted: dict[str, set[int]] = {name: set() for name in live}
    rows = session.execute(select(Version.model, Version.number, Version.deleted_at))
    for model, number, deleted_at in rows:
        (live if deleted_at is None else deleted).setdefault(model, set()).add(number)
    aliases = session.execute(select(Alias.model, Alias.alias, Alias.version))
    return Catalogue(
        revision=seen,
        aliases={(model, alias): number for model, alias, number in aliases},
        versions={model: frozenset(numbers) for model, numbers in live.items()},
        deleted={model: frozenset(numbers) for model, numbers in deleted.items()},
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
    query = select(Prediction).order_by(Prediction.id.desc()).limit(limit)
    columns = (
        (Prediction.model, which.model),
        (Prediction.version, which.version),
        (Prediction.kind, which.kind),
        (Prediction.series, which.series),
        (Prediction.request_id, which.request_id),
    )
    for column, value in columns:
        if value is not None:
            query = query.where(column == value)
    if which.since is not None:
        query = query.where(Prediction.id >= first_id(which.since))
    if which.until is not None:
        query = query.where(Prediction.id < first_id(which.until))
    if before is not None:
        query = query.where(Prediction.id < before)
    return list(session.execute(query).scalars())


def get_prediction(session: Session, identifier: UUID) -> Prediction:
    """One logged prediction.

    Raises:
        NotFound: there is none of this id, or retention has dropped it.
    """
    found = session.get(Prediction, identifier)
    if found is None:
        raise NotFound(f"there is no prediction {identifier} in the log")
    return found
