"""The registry's queries: models, versions, aliases and their history.

Whoever changes a model locks its row first and raises the revision last. So changes of one model
follow each other, and changes of two models cannot deadlock.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.artifact.files import ARTIFACT_FILES, REQUIRED_FILES
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.errors import Conflict, NotFound, Unprocessable
from app.recipes.recipe import Kind
from app.registry.aliases import (
    MovedBy,
    check_compatible,
    list_aliases,
    point_alias,
    pointed_at,
    raise_revision,
)
from app.registry.outline import OUTLINE, Outline
from app.registry.promotion import Contender, Decision, decide
from app.registry.references import (
    CHAMPION,
    MODEL_NAME,
    check_alias_name,
    check_model_name,
    parse_reference,
)
from app.storage.object_store import StoredObject
from app.storage.tables import Alias, Model, RegistryRevision, Version

KEPT_FOR = timedelta(days=1)  # how long the files of a deleted version are kept
# A scorecard from elsewhere proves nothing here, so it must not promote its version.
IMPORTED = "it was imported; promote it if you trust its scorecard"
IMPORTS = 0x5354_4550  # advisory lock of imports; any number of ours


def register(
    session: Session,
    *,
    model: str,
    kind: Kind,
    manifest: Manifest,
    scorecard: Scorecard,
    files: Mapping[str, StoredObject],
    dataset_id: UUID | None,
    job_id: UUID | None,
    moved_by: MovedBy = "training",
) -> Version:
    """Register a version under the model's next number; its files are in the store already.

    A job registers only once: for the same job, the registered version is returned.

    Args:
        session: in a transaction.
        model: its name; a new model is created.
        kind: of the model.
        manifest: of the artifact.
        scorecard: of the artifact; decides on promotion.
        files: of the artifact by name, already in the object store.
        dataset_id: that it was trained on, if it is in this installation.
        job_id: that trained it; None for an import.
        moved_by: for the alias history, if the version becomes champion.

    Raises:
        Conflict: the model is of the other kind.
        Unprocessable: the name is not valid.
        ValueError: a file of the artifact format is missing or unknown, or a required figure is
            NaN.
    """
    _check_files(files)
    owner = _locked_model(session, check_model_name(model), kind)
    registered = _version_of_job(session, job_id)
    if registered is not None:
        return registered
    champion = pointed_at(session, model, CHAMPION)
    number = owner.last_version + 1
    if champion is not None and moved_by == "upload":
        decision = Decision(promoted=False, reason=IMPORTED)
    else:
        decision = decide(
            champion=None if champion is None else contender(champion),
            challenger=Contender(number=number, manifest=manifest, scorecard=scorecard),
        )
    owner.last_version = number
    version = Version(
        model=model,
        number=number,
        manifest=_json(manifest),
        scorecard=_json(scorecard),
        files={name: {"sha256": each.sha256, "size": each.size} for name, each in files.items()},
        dataset_id=dataset_id,
        job_id=job_id,
        decision=decision.as_dict(),
    )
    session.add(version)
    session.flush()
    if decision.promoted:
        point_alias(session, version, alias=CHAMPION, reason=decision.reason, moved_by=moved_by)
    raise_revision(session)
    session.refresh(version)
    return version


def find_model(session: Session, name: str) -> Model:
    """Return the model with this name.

    Raises:
        NotFound: there is none.
    """
    model = session.get(Model, name) if MODEL_NAME.fullmatch(name) else None
    if model is None or model.deleted_at is not None:
        raise _no_model(name)
    return model


def list_models(
    session: Session,
    *,
    limit: int | None = None,
    after: str | None = None,
    tag: str | None = None,
    kind: Kind | None = None,
) -> Sequence[Model]:
    """Return models by name, from after `after`, and only those with this tag and of this kind."""
    query = select(Model).where(Model.deleted_at.is_(None)).order_by(Model.name).limit(limit)
    if after is not None:
        query = query.where(Model.name > after)
    if tag is not None:
        query = query.where(Model.tags.contains([tag]))
    if kind is not None:
        query = query.where(Model.kind == kind)
    return session.scalars(query).all()


def describe_model(
    session: Session, name: str, *, description: str | None, tags: Sequence[str] | None
) -> Model:
    """Change a model's description or tags; None keeps what there is.

    Raises:
        NotFound: no such model.
    """
    model = _lock(session, name)
    if description is not None:
        model.description = description
    if tags is not None:
        model.tags = sorted(set(tags))
    session.flush()
    return model


def list_versions(
    session: Session, model: str, *, limit: int, before: int | None = None
) -> Sequence[Outline]:
    """Return versions of a model below the number `before`, newest first, with tombstones.

    Raises:
        NotFound: no such model.
    """
    find_model(session, model)
    query = OUTLINE.where(Version.model == model).order_by(Version.number.desc())
    if before is not None:
        query = query.where(Version.number < before)
    return _outlines(session, query.limit(limit))


def list_champions(session: Session, models: Iterable[str]) -> Sequence[Outline]:
    """Return the champions of some models."""
    at_alias = (Alias.model == Version.model) & (Alias.version == Version.number)
    query = OUTLINE.join(Alias, at_alias).where(Alias.alias == CHAMPION)
    return _outlines(session, query.where(Alias.model.in_(list(models))))


def get_version(session: Session, model: str, number: int) -> Version:
    """Return a version, even a tombstone.

    Raises:
        NotFound: there never was a version with this number.
    """
    find_model(session, model)
    version = session.get(Version, (model, number))
    if version is None:
        raise NotFound(
            f"There is no version {number} of {model!r}; GET /models/{model} lists them."
        )
    return version


def get_live_version(session: Session, model: str, number: int) -> Version:
    """Return a version that was not deleted.

    Raises:
        NotFound: there never was a version with this number, or it was deleted.
    """
    version = get_version(session, model, number)
    if version.deleted_at is not None:
        raise NotFound(
            f"Version {number} of {model!r} was deleted on {version.deleted_at:%Y-%m-%d}."
        )
    return version


def resolve(session: Session, reference: str) -> Version:
    """Return the version that `name`, `name@alias` or `name@3` refers to now.

    Raises:
        Unprocessable: the reference is malformed.
        NotFound: nothing has that name.
    """
    wanted = parse_reference(reference)
    if wanted.number is not None:
        return get_live_version(session, wanted.name, wanted.number)
    version = pointed_at(session, wanted.name, wanted.alias or CHAMPION)
    if version is None:
        find_model(session, wanted.name)
        names = ", ".join(each.alias for each in list_aliases(session, [wanted.name]))
        raise NotFound(f"{wanted.name!r} has no alias {wanted.alias!r}; it has {names}.")
    return version


def move_alias(
    session: Session,
    *,
    model: str,
    alias: str,
    version: int,
    reason: str,
    moved_by: MovedBy = "api",
    key: str | None = None,
    force: bool = False,
) -> Alias:
    """Point an alias, new or old, at a version; do nothing if it points there already.

    Raises:
        NotFound: no such model.
        Unprocessable: the alias is not valid, or the model has no such version.
        Conflict: the version was deleted, or, without `force`, it may fail requests that are right
            for the version served so far.
    """
    check_alias_name(alias)
    _lock(session, model)
    target = session.get(Version, (model, version))
    if target is None:
        raise Unprocessable.at("version", f"{model!r} has no version {version}")
    if target.deleted_at is not None:
        raise Conflict(f"Version {version} of {model!r} was deleted; no alias can point at it.")
    current = session.get(Alias, (model, alias), populate_existing=True)
    if current is not None and current.version == version:
        return current
    if current is not None and not force:
        check_compatible(get_version(session, model, current.version), target)
    moved = point_alias(session, target, alias=alias, reason=reason, moved_by=moved_by, key=key)
    raise_revision(session)
    return moved


def delete_version(session: Session, model: str, number: int) -> Version:
    """Make a version a tombstone; the sweep removes its files later.

    Raises:
        NotFound: no such version, or it was deleted before.
        Conflict: an alias points at it.
    """
    _lock(session, model)
    version = get_live_version(session, model, number)
    pointing = [each.alias for each in list_aliases(session, [model]) if each.version == number]
    if pointing:
        raise Conflict(
            f"Version {number} of {model!r} is {', '.join(pointing)}: point "
            f"{'that alias' if len(pointing) == 1 else 'those aliases'} elsewhere first, with "
            f"PUT /models/{model}/aliases/{pointing[0]}."
        )
    version.deleted_at = datetime.now(UTC)
    session.flush()
    raise_revision(session)
    return version


def revision(session: Session) -> int:
    """Return a number that rises with every change of what is served."""
    return session.scalars(select(RegistryRevision.value)).one()


def has_manifest(session: Session, model: str, manifest_sha256: str) -> bool:
    """Return whether a version of the model, deleted or not, has exactly this manifest file."""
    of_manifest = Version.files["manifest.json"]["sha256"].astext
    found = select(Version.number).where(Version.model == model, of_manifest == manifest_sha256)
    return session.scalar(found.limit(1)) is not None


def referenced_objects(session: Session) -> set[str]:
    """Return the sha256 of every file in the store that a version needs.

    A tombstone keeps its files for another day, because a job may be starting from them.
    """
    needed = Version.deleted_at.is_(None) | (Version.deleted_at > datetime.now(UTC) - KEPT_FOR)
    files = session.scalars(select(Version.files).where(needed))
    return {entry["sha256"] for version_files in files for entry in version_files.values()}


def hold_imports(session: Session) -> None:
    """Wait until no other transaction imports, and keep others from it until this one ends."""
    session.execute(select(func.pg_advisory_xact_lock(IMPORTS)))


def contender(version: Version) -> Contender:
    """Return a version as promotion compares it."""
    return Contender(
        number=version.number,
        manifest=Manifest.model_validate(version.manifest),
        scorecard=Scorecard.model_validate(version.scorecard),
    )


def _outlines(session: Session, query: Select[Any]) -> list[Outline]:
    return [Outline(**row) for row in session.execute(query).mappings()]


def _locked_model(session: Session, name: str, kind: Kind) -> Model:
    session.execute(insert(Model).values(name=name, kind=kind).on_conflict_do_nothing())
    model = _lock(session, name, deleted=True)
    if model.deleted_at is not None:  # the name is used again
        model.deleted_at, model.kind = None, kind
    if model.kind != kind:
        raise Conflict(
            f"{name!r} is a model for {model.kind}, so it cannot have a version for {kind}; "
            "use another name."
        )
    return model


def _lock(session: Session, name: str, *, deleted: bool = False) -> Model:
    """Lock the model's row until the transaction ends; `deleted` accepts a deleted model."""
    model = None
    if MODEL_NAME.fullmatch(name):
        model = session.get(Model, name, with_for_update=True, populate_existing=True)
    if model is None or (model.deleted_at is not None and not deleted):
        raise _no_model(name)
    return model


def _no_model(name: str) -> NotFound:
    return NotFound(f"There is no model {name[:100]!r}; GET /models lists them.")


def _version_of_job(session: Session, job_id: UUID | None) -> Version | None:
    if job_id is None:
        return None
    return session.scalar(select(Version).where(Version.job_id == job_id))


def _check_files(files: Mapping[str, StoredObject]) -> None:
    missing = set(REQUIRED_FILES) - set(files)
    unknown = set(files) - set(ARTIFACT_FILES)
    if missing or unknown:
        raise ValueError(
            f"not the files of an artifact: missing {sorted(missing)}, unknown {sorted(unknown)}"
        )


def _json(model: BaseModel) -> dict[str, Any]:
    # Through JSON text, which writes null for NaN: jsonb does not accept NaN.
    parsed: dict[str, Any] = json.loads(model.model_dump_json())
    type(model).model_validate(parsed)  # or nobody could read it back
    return parsed
