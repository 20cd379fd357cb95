"""The registry's queries: models, versions, aliases and how they moved.

Whoever changes a model locks its row first and raises the revision last, so that changes of one
model follow each other and those of two models cannot wait for each other in a circle.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.artifact.files import ARTIFACT_FILES, REQUIRED_FILES
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.errors import Conflict, NotFound, Unprocessable
from app.recipes.recipe import Kind
from app.registry.outline import OUTLINE, Outline
from app.registry.promotion import Contender, Decision, decide, hindrances
from app.registry.references import (
    CHAMPION,
    MODEL_NAME,
    check_alias_name,
    check_model_name,
    parse_reference,
)
from app.storage.ids import new_id
from app.storage.object_store import StoredObject
from app.storage.tables import Alias, AliasMove, Model, RegistryRevision, Version

# import: a version that comes with the code; upload: one from another installation
MovedBy = Literal["api", "training", "import", "upload"]
KEPT_FOR = timedelta(days=1)  # the files of a deleted version
# A scorecard from elsewhere proves nothing here: it must not promote its version by itself.
IMPORTED = "it was imported; whoever trusts its scorecard promotes it"
IMPORTS = 0x5354_4550  # the advisory lock of those who import; any number of ours


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
    """Enter a version, whose files are in the store already, under the model's next number.

    A job registers once: asked again for the same job, it gives back what was registered.

    Raises:
        Conflict: the model is of the other kind.
        Unprocessable: no model may have this name.
        ValueError: a file of the artifact format is missing, or one does not belong to it; or a
            figure that has to be there is NaN.
    """
    _check_files(files)
    owner = _locked_model(session, check_model_name(model), kind)
    registered = _version_of_job(session, job_id)
    if registered is not None:
        return registered
    champion = _pointed_at(session, model, CHAMPION)
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
        _point(session, version, alias=CHAMPION, reason=decision.reason, moved_by=moved_by)
    raise_revision(session)
    session.refresh(version)
    return version


def find_model(session: Session, name: str) -> Model:
    """Return the model of that name.

    Raises:
        NotFound: there is none.
    """
    model = session.get(Model, name) if MODEL_NAME.fullmatch(name) else None
    if model is None or model.deleted_at is not None:
        raise _no_model(name)
    return model


def list_models(
    session: Session, *, limit: int, after: str | None = None, tag: str | None = None
) -> Sequence[Model]:
    """Return models by name: those behind `after`, and where `tag` is given those that carry it."""
    query = select(Model).where(Model.deleted_at.is_(None)).order_by(Model.name).limit(limit)
    if after is not None:
        query = query.where(Model.name > after)
    if tag is not None:
        query = query.where(Model.tags.contains([tag]))
    return session.scalars(query).all()


def describe_model(
    session: Session, name: str, *, description: str | None, tags: Sequence[str] | None
) -> Model:
    """Change what is said of a model; what is None stays.

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
    """Versions of a model, newest first, tombstones included; those with a number under `before`.

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
    """Return a version, also a tombstone.

    Raises:
        NotFound: there never was one of that number.
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
        NotFound: there never was one of that number, or it was deleted.
    """
    version = get_version(session, model, number)
    if version.deleted_at is not None:
        raise NotFound(
            f"Version {number} of {model!r} was deleted on {version.deleted_at:%Y-%m-%d}."
        )
    return version


def resolve(session: Session, reference: str) -> Version:
    """Return the version that `name`, `name@alias` or `name@3` means now.

    Raises:
        Unprocessable: the reference cannot be read.
        NotFound: it names nothing that is there.
    """
    wanted = parse_reference(reference)
    if wanted.number is not None:
        return get_live_version(session, wanted.name, wanted.number)
    version = _pointed_at(session, wanted.name, wanted.alias or CHAMPION)
    if version is None:
        find_model(session, wanted.name)
        names = ", ".join(each.alias for each in list_aliases(session, [wanted.name]))
        raise NotFound(f"{wanted.name!r} has no alias {wanted.alias!r}; it has {names}.")
    return version


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
    """How the aliases of a model moved, newest first; `before` is the last id of another page."""
    query = select(AliasMove).where(AliasMove.model == model)
    if before is not None:
        query = query.where(AliasMove.id < before)
    if alias is not None:
        query = query.where(AliasMove.alias == alias)
    return session.scalars(query.order_by(AliasMove.id.desc()).limit(limit)).all()


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
    """Let an alias, new or old, point at a version; nothing happens where it does already.

    Raises:
        NotFound: no such model.
        Unprocessable: no alias may have this name, or the model has no such version.
        Conflict: the version was deleted; or, unless `force`, requests that are right for the
            version served so far might fail.
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
        _check_compatible(get_version(session, model, current.version), target)
    moved = _point(session, target, alias=alias, reason=reason, moved_by=moved_by, key=key)
    raise_revision(session)
    return moved


def delete_version(session: Session, model: str, number: int) -> Version:
    """Make a version a tombstone; the sweep takes its files later.

    Raises:
        NotFound: no such version, or it is deleted already.
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
    """Whether a version of the model, deleted or not, came with exactly this manifest file."""
    of_manifest = Version.files["manifest.json"]["sha256"].astext
    found = select(Version.number).where(Version.model == model, of_manifest == manifest_sha256)
    return session.scalar(found.limit(1)) is not None


def referenced_objects(session: Session) -> set[str]:
    """Return the sha256 of every file in the store that a version needs.

    A tombstone needs its files for a day more: a job may be starting from them.
    """
    needed = Version.deleted_at.is_(None) | (Version.deleted_at > datetime.now(UTC) - KEPT_FOR)
    files = session.scalars(select(Version.files).where(needed))
    return {entry["sha256"] for version_files in files for entry in version_files.values()}


def hold_imports(session: Session) -> None:
    """Let one transaction at a time import, until it ends."""
    session.execute(select(func.pg_advisory_xact_lock(IMPORTS)))


def contender(version: Version) -> Contender:
    """Return a version as promotion looks at it."""
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
    """The model's row, ours until the transaction ends; with `deleted` a deleted one's too."""
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


def _pointed_at(session: Session, model: str, alias: str) -> Version | None:
    return session.scalar(
        select(Version)
        .join(Alias, (Alias.model == Version.model) & (Alias.version == Version.number))
        .where(Alias.model == model, Alias.alias == alias)
    )


def _point(
    session: Session,
    version: Version,
    *,
    alias: str,
    reason: str,
    moved_by: MovedBy,
    key: str | None = None,
) -> Alias:
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


def _check_compatible(served: Version, target: Version) -> None:
    found = hindrances(
        Manifest.model_validate(served.manifest), Manifest.model_validate(target.manifest)
    )
    if found:
        raise Conflict(
            f"Version {target.number} of {target.model!r} may fail requests that are right for "
            f'version {served.number}: {"; ".join(found)}. Send "force": true to move the alias '
            "all the same.",
            extra={"hindrances": list(found)},
        )


def _check_files(files: Mapping[str, StoredObject]) -> None:
    missing = set(REQUIRED_FILES) - set(files)
    unknown = set(files) - set(ARTIFACT_FILES)
    if missing or unknown:
        raise ValueError(
            f"not the files of an artifact: missing {sorted(missing)}, unknown {sorted(unknown)}"
        )


def raise_revision(session: Session) -> None:
    """Have every api process look at the registry again; the last thing a change does."""
    session.execute(update(RegistryRevision).values(value=RegistryRevision.value + 1))


def _json(model: BaseModel) -> dict[str, Any]:
    # By way of JSON text, which writes null where a float is NaN: jsonb takes no NaN.
    parsed: dict[str, Any] = json.loads(model.model_dump_json())
    type(model).model_validate(parsed)  # else no one could read it back
    return parsed
