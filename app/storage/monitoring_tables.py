"""The tables of what comes after a prediction: actuals, daily figures, training again."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.tables import Base, Json


class Actual(Base):
    """What really came: one value of a model's target, for a moment of a series.

    `moment` is canonical (app.monitoring.actuals.moments), so that two spellings of one time are
    one row. An actual given by prediction id, of a request without timestamps, has the forecast
    itself there.
    """

    __tablename__ = "actuals"
    __table_args__ = (
        UniqueConstraint("model", "series", "moment"),
        CheckConstraint("source IN ('explicit', 'implied')", name="source"),
        Index(None, "model", "id"),
        Index("actuals_unsettled_idx", "id", postgresql_where=text("unsettled")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    series: Mapped[str]  # "": requests that name none
    moment: Mapped[str]
    timestamp: Mapped[str | None]  # as it was given
    value: Mapped[float]
    source: Mapped[str]  # implied: by a later history
    prediction_id: Mapped[UUID | None]  # the one it was given for, or whose history implied it
    unsettled: Mapped[bool] = mapped_column(server_default="true")  # forecasts may wait for it
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Forecast(Base):
    """One step of a logged answer, or of a shadow's, until its prediction leaves the log."""

    __tablename__ = "forecasts"
    __table_args__ = (
        CheckConstraint("role IN ('served', 'shadow')", name="role"),
        Index(None, "model", "series", "moment"),
        Index(
            "forecasts_shadow_idx",
            "model",
            "prediction_id",
            postgresql_where=text("role = 'shadow'"),
        ),
    )

    prediction_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str]
    version: Mapped[int]
    series: Mapped[str]
    moment: Mapped[str]
    value: Mapped[float]
    persistence: Mapped[float | None]  # the last value of the target in the request
    intervals: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    actual: Mapped[float | None]  # the one that the daily figures hold


class DailyRequests(Base):
    """How much a version was asked on a day in UTC."""

    __tablename__ = "daily_requests"

    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)  # shadow: requests it could not answer
    skipped: Mapped[int] = mapped_column(BigInteger)  # shadow: not asked, there were too many


class DailyErrors(Base):
    """Sums over the settled forecasts of a day's predictions; they outlive the log."""

    __tablename__ = "daily_errors"

    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    forecasts: Mapped[int] = mapped_column(BigInteger)
    signed: Mapped[float]  # sum of forecast - actual
    absolute: Mapped[float]
    squared: Mapped[float]
    compared: Mapped[int] = mapped_column(BigInteger)  # those that persistence could be set beside
    compared_squared: Mapped[float]  # the version's
    persistence_squared: Mapped[float]


class DailyCoverage(Base):
    """How often the actual lay inside the interval of a level."""

    __tablename__ = "daily_coverage"

    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True)
    forecasts: Mapped[int] = mapped_column(BigInteger)
    covered: Mapped[int] = mapped_column(BigInteger)


class DailyInputs(Base):
    """What a version was shown: values per bin of its training data's quantiles."""

    __tablename__ = "daily_inputs"

    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    feature: Mapped[str] = mapped_column(primary_key=True)
    counts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class LogPosition(Base):
    """One row: everything in the log up to this id has been read by the monitoring."""

    __tablename__ = "log_position"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[UUID]


class ReadPrediction(Base):
    """Read already, though behind the position: ids near now may still become visible late."""

    __tablename__ = "read_predictions"

    id: Mapped[UUID] = mapped_column(primary_key=True)


class Schedule(Base):
    """When a model is to be trained again by itself."""

    __tablename__ = "schedules"

    model: Mapped[str] = mapped_column(ForeignKey("models.name"), primary_key=True)
    cron: Mapped[str | None]  # in UTC
    thresholds: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    next_at: Mapped[datetime | None]  # of the cron expression
    judged_at: Mapped[datetime | None]  # when the thresholds were last looked at
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RetrainingDecision(Base):
    """Whether a model was trained again by itself, and why or why not; never changed."""

    __tablename__ = "retraining_decisions"
    __table_args__ = (Index(None, "model", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    cause: Mapped[str]  # "cron", "thresholds"
    trained: Mapped[bool]
    reason: Mapped[str]
    figures: Mapped[Json]  # what it was decided on
    job_id: Mapped[UUID | None]
    decided_at: Mapped[datetime] = mapped_column(server_default=func.now())
