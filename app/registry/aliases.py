"""Queries on aliases and their history, and the revision that every change raises."""

from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.artifact.manifest import Manifest
from app.errors import Conflict
from app.registry.promotion import incompatibilities
from app.storage.ids import new_id
from app.storage.tables import Alias, AliasMove, RegistryRevision, Version

# import: a version that comes with the code; upload: one from another installation
MovedBy = Literal["api", "training", "import", "upload"]


def list_aliases(session: Session, models: Iterable[str]) -> Sequence[Alias]:
    """Return the aliases of some models, by model and name."""
    query = select(Alias).where(Alias.model.in_(list(models)))
    return session.scalars(query.order_by(Alias.model, Alias.alias)).all()


def alias_history(
    session: Session,
    model: str,
    *,
    alias: str | None = None,
    before: UUID | None = None,
    limit: int = 100,
) -> Sequence[AliasMove]:
    """Return the moves of a model's aliases, newest first, from before the id `before`."""
    query = select(AliasMove).where(AliasMove.model == model)
    if before is not None:
        query = query.where(AliasMove.id < before)
    if alias is not None:
        query = query.where(AliasMove.alias == alias)
    return session.scalars(query.order_by(AliasMove.id.desc()).limit(limit)).all()


def pointed_at(session: Session, model: str, alias: str) -> Version | None:
    """Return the version that an alias points at, or None if there is no such alias."""
    return session.scalar(
        select(Version)
        .join(Alias, (Alias.model == Version.model) & (Alias.version == Version.number))
        .where(Alias.model == model, Alias.alias == alias)
    )


def point_alias(
    session: Session,
    version: Version,
    *,
    alias: str,
    reason: str,
    moved_by: MovedBy,
    key: str | None = None,
) -> Alias:
    """Point an alias at a version and record the move.

    Args:
        session: in a transaction that has locked the model's row.
        version: the new target.
        alias: a valid name, new or old.
        reason: shown in the alias history.
        moved_by: what caused the move.
        key: name of the caller's key.
    """
    pointer = session.get(Alias, (version.model, alias), populate_existing=True)
    before = None if pointer is None else pointer.version
    if pointer is None:
        pointer = Alias(model=version.model, alias=alias, version=version.number)
        session.add(pointer)
    else:
        pointer.version = version.number
        pointer.moved_at = func.now()
    session.add(
        AliasMove(
            id=new_id(),
            model=version.model,
            alias=alias,
            from_version=before,
            to_version=version.number,
            reason=reason,
            moved_by=moved_by,
            key=key,
        )
    )
    session.flush()
    session.refresh(pointer)
    return pointer


def check_compatible(served: Version, target: Version) -> None:
    """Check that `target` answers every request that is right for `served`.

    Raises:
        Conflict: it may not; the error says why.
    """
    found = incompatibilities(
        Manifest.model_validate(served.manifest), Manifest.model_validate(target.manifest)
    )
    if found:
        raise Conflict(
            f"Version {target.number} of {target.model!r} may fail requests that are right for "
            f'version {served.number}: {"; ".join(found)}. Send "force": true to move the alias '
            "anyway.",
            extra={"hindrances": list(found)},
        )


def raise_revision(session: Session) -> None:
    """Make every api process read the registry again; the last step of a change."""
    session.execute(update(RegistryRevision).values(value=RegistryRevision.value + 1))
