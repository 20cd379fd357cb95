"""Requests and answers of the calls on monitoring."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.predictions.logged.schemas import LoggedPrediction
from app.predictions.schemas import SeriesStep
from app.predictions.texts.answer import TextStep
from app.recipes.recipe import Kind
from app.registry.references import MAX_NUMBER
from app.storage.monitoring_tables import RetrainingDecision, Schedule

# The monitor.


class CoverageFigure(BaseModel):
    """How often actuals were inside the intervals of a level."""

    level: Annotated[int, Field(description="promised coverage, in %")]
    observed: Annotated[float, Field(description="observed coverage, in %")]
    forecasts: int


class DriftFigure(BaseModel):
    """Whether the values shown are like those of the training data."""

    feature: str
    psi: Annotated[
        float | None,
        Field(
            description=(
                "population stability index; from 0.1 worth a look, from 0.25 a "
                "different distribution"
            )
        ),
    ]
    missing: Annotated[str | None, Field(description="why psi is null")]
    values: Annotated[int, Field(description="number of values shown, counted each time")]


class ErrorsShown(BaseModel):
    """Live errors, in the target's unit; null where nothing was measured."""

    forecasts: Annotated[int, Field(description="forecasts or texts with a known actual")]
    rmse: float | None
    mae: float | None
    bias: Annotated[float | None, Field(description="mean of forecast - actual")]
    persistence_rmse: Annotated[
        float | None, Field(description="RMSE of repeating the last value of each request")
    ]
    skill: Annotated[
        float | None,
        Field(
            description="1 - RMSE / RMSE of persistence, on the same forecasts; of texts "
            "1 - bits / bits of the n-gram"
        ),
    ]
    skill_missing: Annotated[str | None, Field(description="why skill is null")]


class TextsShown(BaseModel):
    """How well a version expected the texts that really followed; null for a series."""

    bits_per_character: Annotated[
        float | None, Field(description="of the texts that followed, given their prompts")
    ] = None
    ngram_bits_per_character: Annotated[
        float | None, Field(description="of the n-gram in the version's graph, on the same texts")
    ] = None
    accuracy: Annotated[
        float | None, Field(description="share of the tokens that were the most probable one")
    ] = None


class StepFigures(ErrorsShown):
    """Live errors of one step of the horizon."""

    step: int


class Figures(ErrorsShown, TextsShown):
    """How a version performed."""

    version: int
    role: Annotated[
        Literal["served", "shadow"],
        Field(description="shadow: it silently answered the champion's requests"),
    ]
    requests: Annotated[
        int, Field(description="of a shadow of texts: those whose text became known")
    ]
    refused: Annotated[int, Field(description="shadow: requests that do not fit it")]
    skipped: Annotated[int, Field(description="shadow: skipped, there were too many")]
    coverage: list[CoverageFigure] | None
    coverage_missing: Annotated[str | None, Field(description="why coverage is null")]
    drift: list[DriftFigure] | None
    drift_missing: Annotated[str | None, Field(description="why drift is null")]


class VersionFigures(Figures):
    """How a version performed over the whole time."""

    aliases: list[str]
    measured_skill: Annotated[
        float | None, Field(description=("skill of its scorecard, for comparison"))
    ]
    steps: list[StepFigures]


class DayFigures(Figures):
    """How a version performed on one day."""

    day: Annotated[date, Field(description="in UTC, of the requests")]


class ShadowComparison(BaseModel):
    """The shadow compared with the served version, on forecasts or texts that both measured."""

    version: int
    forecasts: Annotated[int, Field(description="forecasts or texts with a known actual")]
    rmse: float | None
    served_rmse: float | None
    bits_per_character: float | None = None
    served_bits_per_character: float | None = None
    skill: Annotated[
        float | None,
        Field(description="1 - error / error of the served version; above 0: better"),
    ]


class MonitorAnswer(BaseModel):
    """How a model performs in use."""

    model: str
    kind: Kind
    since: Annotated[date, Field(description="first day, in UTC")]
    unread: Annotated[
        int,
        Field(description="predictions that a worker has not read yet; counted up to 10,000"),
    ]
    requests_per_minute: Annotated[
        int, Field(description="answered in the last 60 seconds; counted up to 10,000")
    ]
    versions: Annotated[list[VersionFigures], Field(description="newest first")]
    shadow: ShadowComparison | None
    days: Annotated[list[DayFigures], Field(description="newest first")]


# Replay.


class ReplayRequest(BaseModel):
    """The version that is to answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Annotated[
        int | None, Field(ge=1, le=MAX_NUMBER, description="version of the model that was asked")
    ] = None
    model: Annotated[
        str | None,
        Field(max_length=220, description="instead of version: `name`, `name@alias` or `name@3`"),
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.version is None) == (self.model is None):
            raise ValueError("give either version or model")
        return self


class ReplayedAnswer(BaseModel):
    """The other version's answer to the same request."""

    model: str
    version: int
    kind: Kind
    predictions: list[SeriesStep] | list[TextStep]
    text: Annotated[str | None, Field(description="text: the continued text")] = None
    skill: float | None
    warnings: list[str]


class ReplayAnswer(BaseModel):
    """Both answers, side by side."""

    original: LoggedPrediction
    replay: ReplayedAnswer


# Automatic retraining.


class Thresholds(BaseModel):
    """Live figures that trigger a retraining."""

    model_config = ConfigDict(extra="forbid", strict=True)

    skill_below: Annotated[
        float | None, Field(ge=-100, le=1, description="live skill of the champion")
    ] = None
    coverage_off_by: Annotated[
        float | None,
        Field(
            gt=0,
            le=100,
            description=("percentage points between a level and its observed coverage"),
        ),
    ] = None
    forecasts: Annotated[
        int,
        Field(
            ge=10, le=1_000_000, description=("with fewer settled forecasts, nothing is decided")
        ),
    ] = 50
    days: Annotated[int, Field(ge=1, le=365, description="days that the figures cover")] = 7
    hours_between: Annotated[
        int, Field(ge=1, le=8760, description="shortest time between two trainings")
    ] = 24

    @model_validator(mode="after")
    def _something_to_pass(self) -> Self:
        if self.skill_below is None and self.coverage_off_by is None:
            raise ValueError("give skill_below, coverage_off_by, or both")
        return self


class ScheduleRequest(BaseModel):
    """When to retrain a model automatically."""

    model_config = ConfigDict(extra="forbid", strict=True)

    cron: Annotated[
        str | None,
        Field(
            max_length=100,
            description=(
                "minute, hour, day of month, month, day of week, in UTC: `0 3 * * 1` is "
                "Mondays at 3:00"
            ),
        ),
    ] = None
    thresholds: Annotated[Thresholds | None, Field(description="null: switched off")] = None

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if self.cron is None and self.thresholds is None:
            raise ValueError("give cron, thresholds, or both; DELETE switches both off")
        return self


class ScheduleAnswer(BaseModel):
    """When a model is retrained automatically."""

    model: str
    cron: str | None
    next_at: Annotated[datetime | None, Field(description="next time of the cron expression")]
    thresholds: Thresholds | None
    updated_at: datetime

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """Build it from a row."""
        return cls(
            model=schedule.model,
            cron=schedule.cron,
            next_at=schedule.next_at,
            thresholds=None
            if schedule.thresholds is None
            else Thresholds.model_validate(schedule.thresholds),
            updated_at=schedule.updated_at,
        )


class RetrainingAnswer(BaseModel):
    """A decision to retrain a model, or not to."""

    id: UUID
    model: str
    cause: Annotated[Literal["cron", "thresholds"], Field(description="what triggered it")]
    trained: bool
    reason: str
    figures: Annotated[dict[str, Any], Field(description="the figures it is based on")]
    job: UUID | None
    decided_at: datetime

    @classmethod
    def of(cls, decision: RetrainingDecision) -> Self:
        """Build it from a row."""
        return cls(
            id=decision.id,
            model=decision.model,
            cause="cron" if decision.cause == "cron" else "thresholds",
            trained=decision.trained,
            reason=decision.reason,
            figures=decision.figures,
            job=decision.job_id,
            decided_at=decision.decided_at,
        )
