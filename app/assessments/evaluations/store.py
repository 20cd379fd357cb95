"""Queries on evaluations."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.artifact.scorecard import Scorecard
from app.assessments.evaluations.limits import Network
from app.errors import NotFound
from app.storage.ids import new_id
from app.storage.tables import Dataset, Evaluation, Version


def find_evaluation(
    session: Session, *, model: str, version: int, dataset_id: UUID, network: Network
) -> Evaluation | None:
    """Return the earlier evaluation of a version's network on a dataset, if there is one."""
    return session.scalar(
        select(Evaluation).where(
            Evaluation.model == model,
            Evaluation.version == version,
            Evaluation.dataset_id == dataset_id,
            Evaluation.network == network,
        )
    )


def keep_evaluation(
    session: Session,
    *,
    model: str,
    version: int,
    dataset_id: UUID,
    network: Network,
    scorecard: Scorecard,
) -> Evaluation:
    """Store a scorecard; an earlier evaluation keeps its id and its position."""
    kept = _json(scorecard)
    session.execute(
        insert(Evaluation)
        .values(
            id=new_id(),
            model=model,
            version=version,
            dataset_id=dataset_id,
            network=network,
            scorecard=kept,
        )
        .on_conflict_do_update(
            index_elements=["model", "version", "dataset_id", "network"], set_={"scorecard": kept}
        )
    )
    found = find_evaluation(
        session, model=model, version=version, dataset_id=dataset_id, network=network
    )
    if found is None:
        raise RuntimeError("the evaluation that was just stored does not exist")
    return found


def list_evaluations(
    session: Session, *, model: str, version: int, limit: int, before: UUID | None = None
) -> Sequence[Evaluation]:
    """Return evaluations of a version, newest first, from before the id `before`."""
    query = (
        select(Evaluation)
        .where(Evaluation.model == model, Evaluation.version == version)
        .order_by(Evaluation.id.desc())
        .limit(limit)
    )
    return session.scalars(query if before is None else query.where(Evaluation.id < before)).all()


def get_evaluation(
    session: Session, *, model: str, version: int, evaluation_id: UUID
) -> Evaluation:
    """Return one evaluation of a version.

    Raises:
        NotFound: the version has none with this id.
    """
    found = session.get(Evaluation, evaluation_id)
    if found is None or (found.model, found.version) != (model, version):
        raise NotFound(
            f"There is no evaluation {evaluation_id} of version {version} of {model!r}; "
            f"GET /models/{model}/versions/{version}/evaluations lists them."
        )
    return found


def training_dataset(session: Session, version: Version) -> Dataset | None:
    """Return the dataset that a version was trained on, if it is here.

    A shipped version names the bytes of its file, so whoever has uploaded that file has the
    dataset.
    """
    if version.dataset_id is not None:
        return session.get(Dataset, version.dataset_id)
    sha256 = version.manifest.get("dataset_sha256")
    if sha256 is None:
        return None
    same = select(Dataset).where(Dataset.sha256 == sha256, Dataset.kind == version.manifest["kind"])
    return session.scalar(same.order_by(Dataset.id.desc()).limit(1))


def _json(scorecard: Scorecard) -> dict[str, Any]:
    # Through JSON text, which writes null for NaN: jsonb does not accept NaN.
    kept: dict[str, Any] = json.loads(scorecard.model_dump_json())
    Scorecard.model_validate(kept)  # or nobody could read it back
    return kept
