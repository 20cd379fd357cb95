"""A version in a few words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select

from app.storage.tables import Version


@dataclass(frozen=True, kw_only=True)
class Outline:
    """The part of a version that lists show, because manifest and scorecard can be large."""

    model: str
    number: int
    verdict: str
    skill: float | None
    judged_on: Literal["test", "held-out", "training"]
    significance: Literal["better", "worse", "within noise", "not to be told"] | None
    recipe: Mapping[str, Any]
    dataset_id: UUID | None
    decision: Mapping[str, Any]
    created_at: datetime
    deleted_at: datetime | None


# Its columns, selected from the JSON by the database.
OUTLINE = select(
    Version.model,
    Version.number,
    Version.scorecard["verdict"].astext.label("verdict"),
    Version.scorecard["skill"].label("skill"),
    Version.scorecard["judged_on"].astext.label("judged_on"),
    func.coalesce(
        Version.scorecard["series"]["all_steps"]["against"]["persistence"]["verdict"].astext,
        Version.scorecard["series"]["against"]["persistence"]["verdict"].astext,
        Version.scorecard["text"]["against"]["ngram"]["verdict"].astext,
        Version.scorecard["text"]["against"]["trigram"]["verdict"].astext,
    ).label("significance"),
    Version.manifest["recipe"].label("recipe"),
    Version.dataset_id,
    Version.decision,
    Version.created_at,
    Version.deleted_at,
)
