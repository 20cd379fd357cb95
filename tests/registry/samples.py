"""Build small artifacts to register, without a network."""

from uuid import UUID

from sqlalchemy.orm import Session

from app.artifact.files import ARTIFACT_FILES, JUDGED
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.registry.store import register
from app.storage.object_store import ObjectStore, StoredObject
from app.storage.tables import Version
from tests.registry.records import series_manifest, series_scorecard, text_scorecard


def stored_files(store: ObjectStore | None = None, *, salt: str = "") -> dict[str, StoredObject]:
    """Return the files of an artifact; without a store, only their names."""
    keeping = store or ObjectStore.open("memory://")
    return {
        name: keeping.put_bytes(f"{name}{salt}".encode())
        for name in ARTIFACT_FILES
        if name != JUDGED
    }


def registered(
    session: Session,
    model: str = "prices",
    *,
    manifest: Manifest | None = None,
    scorecard: Scorecard | None = None,
    files: dict[str, StoredObject] | None = None,
    job_id: UUID | None = None,
) -> Version:
    """Return a version of a series, unless the manifest says otherwise."""
    entered = manifest or series_manifest()
    judged = scorecard or (series_scorecard() if entered.kind == "series" else text_scorecard())
    return register(
        session,
        model=model,
        kind=entered.kind,
        manifest=entered,
        scorecard=judged,
        files=files or stored_files(),
        dataset_id=None,
        job_id=job_id,
    )
