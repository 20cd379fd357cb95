"""Everything the registry serves at one moment."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.registry.store import revision
from app.storage.tables import Alias, Model, Version


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The models, versions and aliases that can be asked for at one moment."""

    revision: int
    aliases: dict[tuple[str, str], int]  # (model, alias) -> version
    versions: dict[str, frozenset[int]]  # model -> its versions, without tombstones
    deleted: dict[str, frozenset[int]]


def read_catalogue(session: Session) -> Catalogue:
    """Read the whole catalogue.

    The revision is read first, so that a change in between is read the next time.
    """
    seen = revision(session)
    none: frozenset[int] = frozenset()
    present = select(Model.name).where(Model.deleted_at.is_(None))
    live = dict.fromkeys(session.scalars(present), none)
    deleted = dict(live)
    # One row per model and not per version: with ten versions each, this takes half the time.
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
