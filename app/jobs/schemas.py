"""Answers of the calls on jobs and recipes."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.http.openapi import Problem
from app.jobs.queue import STALLED_AFTER
from app.recipes.presets import Preset
from app.recipes.recipe import AnyRecipe, Kind
from app.storage.job_status import JobStatus
from app.storage.tables import Job, JobNote

ABOUT_SECONDS = 10  # silence is rounded to this, so that it is not news every second
MINUTE, HOUR = 60, 3600


class JobProgressAnswer(BaseModel):
    """How far a job is."""

    stage: Annotated[
        str | None,
        Field(
            description="loading, compiling, training, calibrating, judging, refitting, exporting"
        ),
    ] = None
    epoch: Annotated[int | None, Field(description="within the stage")] = None
    epochs: int | None = None
    loss: Annotated[float | None, Field(description="training loss in scaled units")] = None
    validation_loss: float | None = None
    eta_seconds: Annotated[float | None, Field(description="for the rest of the job")] = None


class EpochAnswer(BaseModel):
    """One point of the training curve."""

    stage: str
    epoch: int
    loss: float | None
    validation_loss: float | None


class JobSummary(BaseModel):
    """A job in a list, and in its events."""

    id: UUID
    status: JobStatus
    model: str
    kind: Kind
    version: Annotated[int | None, Field(description="the version it created, once succeeded")]
    note: Annotated[str | None, Field(description="while queued: why nothing happens")]
    progress: JobProgressAnswer
    error: Annotated[Problem | None, Field(description="why it failed")]
    dataset: Annotated[UUID | None, Field(description="null if it was deleted since")]
    test: Annotated[UUID | None, Field(description="dataset to judge on")]
    target: Annotated[str | None, Field(description="column to predict; null for a text")]
    start_from: Annotated[int | None, Field(description="version whose weights it starts from")]
    comparison: Annotated[UUID | None, Field(description="comparison of cells that it belongs to")]
    ordered_by: Annotated[
        str | None, Field(description=("name of the caller's key; null if there was none"))
    ]
    attempt: Annotated[int, Field(description="how many times a worker started it")]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job, *, silence: timedelta | None) -> Self:
        """Build it from a row and the time since a worker was last heard (None: never)."""
        return cls(**_summary(job, silence))


class JobAnswer(JobSummary):
    """A job with its recipe and the curve of its epochs."""

    recipe: AnyRecipe
    curve: Annotated[list[EpochAnswer], Field(description="at most 200 points per stage")]

    @classmethod
    def of(cls, job: Job, *, silence: timedelta | None) -> Self:
        """Build it from a row."""
        curve = job.progress.get("curve", [])
        return cls(**_summary(job, silence), recipe=job.recipe, curve=curve)


class JobLine(BaseModel):
    """A line of a job's log."""

    text: str
    at: datetime

    @classmethod
    def of(cls, line: JobNote) -> Self:
        """Build it from a row."""
        return cls(text=line.text, at=line.created_at)


class RecipeField(BaseModel):
    """One field that a recipe may set."""

    name: str
    description: str
    value: Annotated[dict[str, Any], Field(description="JSON Schema of its values")]


class Recipes(BaseModel):
    """The presets, explained, and every field that may differ from them."""

    items: list[Preset]
    next: Annotated[None, Field(description="there is one page")] = None
    fields: dict[Kind, list[RecipeField]]


def _summary(job: Job, silence: timedelta | None) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": job.status,
        "model": job.model,
        "kind": job.kind,
        "version": job.version,
        "note": _note(job, silence),
        "progress": job.progress,
        "error": job.error,
        "dataset": job.dataset_id,
        "test": job.test_dataset_id,
        "target": job.target,
        "start_from": job.start_from,
        "comparison": job.comparison_id,
        "attempt": job.attempt,
        "ordered_by": job.key,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def _note(job: Job, silence: timedelta | None) -> str | None:
    """Return why a queued job is not worked on, if the reason is that there is no worker."""
    if job.status != JobStatus.QUEUED:
        return None
    if silence is None:  # workers that stop in order leave no trace
        silence = datetime.now(UTC) - job.updated_at
    if silence < STALLED_AFTER:
        return None
    return f"no worker has been alive for {_about(silence.total_seconds())}"


def _about(seconds: float) -> str:
    if seconds < MINUTE:
        return f"{int(seconds // ABOUT_SECONDS * ABOUT_SECONDS)} s"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min"
    return f"{int(seconds // HOUR)} h"
