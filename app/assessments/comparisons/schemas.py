"""Requests and answers of the calls on comparisons."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.artifact.manifest import Manifest
from app.artifact.scorecard import Against, Scorecard
from app.assessments.comparisons.outcome import (
    Beside,
    Outcome,
    Trained,
    baseline_errors,
    outcome_of,
)
from app.assessments.comparisons.parameters import parameters_of
from app.http.openapi import Problem
from app.jobs.order_form import order_form
from app.jobs.schemas import JobProgressAnswer, JobSummary
from app.recipes.recipe import AnyRecipe, Cell, Kind
from app.storage.job_status import FINAL, JobStatus
from app.storage.tables import Comparison, Job, Version


class CellFigures(BaseModel):
    """How good a cell is over its horizon, and what it cost."""

    rmse: Annotated[float | None, Field(description="of a series, over the horizon")]
    mae: Annotated[float | None, Field(description="of a series, over the horizon")]
    one_step_rmse: Annotated[float | None, Field(description="of a series, one step ahead")]
    bits_per_token: Annotated[float | None, Field(description="of a text")]
    accuracy: Annotated[float | None, Field(description="of a text, 0 to 1")]
    skill: Annotated[
        float | None, Field(description=("1 - error/error of persistence, or of the n-gram"))
    ]
    verdict: Annotated[str, Field(description="the scorecard in one sentence")]
    parameters: Annotated[int, Field(description="weights and biases")]
    training_seconds: float
    beside: Annotated[
        Beside | None, Field(description=("compared with the best cell; null: not known yet"))
    ]
    p_value: Annotated[
        float | None, Field(description="of the Diebold-Mariano test against the best cell")
    ]

    @classmethod
    def of(cls, trained: Trained, outcome: Outcome | None) -> Self:
        """Build it from what was trained."""
        series, text = trained.scorecard.series, trained.scorecard.text
        place = None if outcome is None else outcome.places.get(trained.cell)
        return cls(
            rmse=None if series is None else series.over_horizon.model.rmse,
            mae=None if series is None else series.over_horizon.model.mae,
            one_step_rmse=None if series is None else series.model.rmse,
            bits_per_token=None if text is None else text.bits_per_token,
            accuracy=None if text is None else text.accuracy,
            skill=trained.scorecard.skill,
            verdict=trained.scorecard.verdict,
            parameters=parameters_of(trained.manifest),
            training_seconds=trained.manifest.training_seconds,
            beside=None if place is None else place.beside,
            p_value=None if place is None else place.p_value,
        )


class CellAnswer(BaseModel):
    """One cell of a comparison."""

    cell: Cell
    job: UUID
    status: JobStatus
    note: Annotated[str | None, Field(description="while queued: why nothing happens")]
    progress: JobProgressAnswer
    error: Annotated[Problem | None, Field(description="why its training failed")]
    version: Annotated[int | None, Field(description="the version that it became")]
    figures: Annotated[CellFigures | None, Field(description="once it has become a version")]


class BaselineAnswer(BaseModel):
    """A simple forecast on the same rows."""

    name: str
    rmse: float | None
    mae: float | None
    bits_per_token: float | None
    best_cell_is: Annotated[Against | None, Field(description="the best cell, compared with it")]


class ComparisonAnswer(BaseModel):
    """RNN, GRU and LSTM, trained alike on one dataset, beside an MLP and the simple forecasts."""

    id: UUID
    model: str
    kind: Kind
    status: Annotated[
        JobStatus,
        Field(
            description=(
                "succeeded: all cells; failed, cancelled: at least one, and all have ended"
            )
        ),
    ]
    dataset: Annotated[UUID | None, Field(description="null if it was deleted")]
    test: Annotated[UUID | None, Field(description="dataset to judge on")]
    target: Annotated[str | None, Field(description="column to predict; null for a text")]
    recipe: Annotated[AnyRecipe, Field(description="what they share: all but `cell`")]
    cells: list[CellAnswer]
    baselines: Annotated[
        list[BaselineAnswer],
        Field(description="from the scorecards, on the rows that all cells are judged on"),
    ]
    best: Annotated[Cell | None, Field(description="the cell with the smallest error")]
    verdict: Annotated[str | None, Field(description="in one sentence; null until all have ended")]
    created_at: datetime

    @classmethod
    def of(
        cls,
        comparison: Comparison,
        jobs: Sequence[Job],
        versions: Mapping[UUID, Version],
        *,
        silence: timedelta | None,
    ) -> Self:
        """Build it from its rows; versions are keyed by their job."""
        trained = {job.id: _trained(versions[job.id]) for job in jobs if job.id in versions}
        outcome = outcome_of([*trained.values()]) if trained else None
        status = status_of([JobStatus(job.status) for job in jobs])
        ended = status in FINAL
        best = None if outcome is None else outcome.best
        return cls(
            id=comparison.id,
            model=comparison.model,
            kind=comparison.kind,
            status=status,
            dataset=comparison.dataset_id,
            test=comparison.test_dataset_id,
            target=comparison.target,
            recipe=comparison.recipe,
            cells=[_cell(job, trained.get(job.id), outcome, silence) for job in jobs],
            baselines=_baselines([*trained.values()], best),
            best=best,
            verdict=_verdict(outcome) if ended else None,
            created_at=comparison.created_at,
        )


def status_of(states: Sequence[JobStatus]) -> JobStatus:
    """Return the status of a comparison from those of its jobs."""
    if all(state == JobStatus.QUEUED for state in states):
        return JobStatus.QUEUED
    if any(state not in FINAL for state in states):
        return JobStatus.RUNNING
    for worst in (JobStatus.FAILED, JobStatus.CANCELLED):
        if worst in states:
            return worst
    return JobStatus.SUCCEEDED


def _verdict(outcome: Outcome | None) -> str:
    return "no cell was trained" if outcome is None else outcome.verdict


def _trained(version: Version) -> Trained:
    manifest = Manifest.model_validate(version.manifest)
    return Trained(
        cell=manifest.recipe.cell,
        manifest=manifest,
        scorecard=Scorecard.model_validate(version.scorecard),
    )


def _cell(
    job: Job, trained: Trained | None, outcome: Outcome | None, silence: timedelta | None
) -> CellAnswer:
    summary = JobSummary.of(job, silence=silence)
    return CellAnswer(
        cell=job.recipe["cell"],
        job=job.id,
        status=summary.status,
        note=summary.note,
        progress=summary.progress,
        error=summary.error,
        version=job.version,
        figures=None if trained is None else CellFigures.of(trained, outcome),
    )


def _baselines(trained: Sequence[Trained], best: Cell | None) -> list[BaselineAnswer]:
    """Return the baselines of the best cell's scorecard; they are the same in each."""
    chosen = next((each for each in trained if each.cell == best), None)
    if chosen is None:
        return []
    series, text = chosen.scorecard.series, chosen.scorecard.text
    whole = None if series is None else series.over_horizon
    against: Mapping[str, Against] = (
        whole.against if whole is not None else text.against if text is not None else {}
    )
    return [
        BaselineAnswer(
            name=name,
            rmse=error if whole is not None else None,
            mae=whole.baselines[name].mae if whole is not None else None,
            bits_per_token=error if whole is None else None,
            best_cell_is=against.get(name),
        )
        for name, error in baseline_errors(chosen.scorecard).items()
    ]


BODY = order_form(
    {
        "recipe": {
            "type": "object",
            "description": (
                "what the cells have in common: a preset and the fields that differ "
                "from it, without cell, see GET /recipes; by default the champion's "
                "recipe, or `default` for a new model"
            ),
        },
    }
)
