"""The versions that come with the code, imported at the first start."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.orm import Session

from app.artifact.files import ARTIFACT_FILES, MANIFEST, read_artifact
from app.config import shipped_dir
from app.errors import NotFound
from app.process.observability import get_logger
from app.registry.store import find_model, has_manifest, hold_imports, register
from app.storage.object_store import ObjectStore
from app.storage.tables import Version

logger = get_logger(__name__)


def import_shipped(
    session: Session, store: ObjectStore, folder: Path | None = None
) -> list[Version]:
    """Register what is in `models/NAME/N/` and not in the registry yet.

    Importing again, or from several processes at once, changes nothing. Deleted versions are not
    brought back. The registry assigns the numbers. A name that is already used for a model of the
    other kind is skipped.

    Args:
        session: an open transaction, committed by the caller.
        store: receives the files before their rows appear.
        folder: by default, the one that comes with the code.

    Returns:
        The new versions.

    Raises:
        FileNotFoundError, pydantic.ValidationError: a folder is not an artifact.
    """
    hold_imports(session)
    artifacts = list(_artifacts(folder or shipped_dir("models")))
    versions = [_import(session, store, name, artifact) for name, artifact in artifacts]
    return [version for version in versions if version is not None]


def _artifacts(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and folder of each artifact, by name and number."""
    for model in sorted(path for path in folder.iterdir() if path.is_dir()):
        numbered = [path for path in model.iterdir() if path.name.isdecimal()]
        for artifact in sorted(numbered, key=lambda path: int(path.name)):
            yield model.name, artifact


def _import(session: Session, store: ObjectStore, name: str, artifact: Path) -> Version | None:
    manifest, scorecard = read_artifact(artifact)
    sha256 = hashlib.sha256((artifact / MANIFEST).read_bytes()).hexdigest()
    if has_manifest(session, name, sha256):
        return None
    if _is_taken(session, name, manifest.kind):
        logger.warning("shipped model not imported: its name is used for another model", model=name)
        return None
    files = {
        file: store.put_file(artifact / file)
        for file in ARTIFACT_FILES
        if (artifact / file).is_file()
    }
    version = register(
        session,
        model=name,
        kind=manifest.kind,
        manifest=manifest,
        scorecard=scorecard,
        files=files,
        dataset_id=None,
        job_id=None,
        moved_by="import",
    )
    logger.info("shipped model imported", model=name, version=version.number)
    return version


def _is_taken(session: Session, name: str, kind: str) -> bool:
    try:
        return find_model(session, name).kind != kind
    except NotFound:
        return False
