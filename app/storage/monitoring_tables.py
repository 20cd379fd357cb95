"""Define the tables of monitoring: actual values, daily figures, automatic retraining."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.tables import Base, Json


class Actual(Base):
    """An actual value: one value of a model's target, for a time of a series.

    `moment` is canonical (app.monitoring.actuals.moments), so that two spellings of a time are one
    row. If an actual value was given by prediction id and the request had no timestamps, `moment`
    names the forecast.
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
    series: Mapped[str]  # "": requests that name no series
    moment: Mapped[str]
    timestamp: Mapped[str | None]  # as it was given
    value: Mapped[float]
    source: Mapped[str]  # implied: taken from a later history
    # the prediction it was given for, or whose history implied it
    prediction_id: Mapped[UUID | None]
    # whether forecasts may be waiting for it
    unsettled: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Forecast(Base):
    """A forecast for one step, served or by a shadow; kept as long as its prediction is logged."""

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
    actual: Mapped[float | None]  # the actual value that the daily figures include


class DailyRequests(Base):
    """The number of requests to a version on a day in UTC."""

    __tablename__ = "daily_requests"

    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)  # shadow: requests that it could not answer
    # shadow: requests that were skipped because there were too many
    skipped: Mapped[int] = mapped_column(BigInteger)


class DailyErrors(Base):
    """Sums over the settled forecasts of a day's predictions; they are kept longer than the log."""

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
    # forecasts that can be compared with persistence
    compared: Mapped[int] = mapped_column(BigInteger)
    compared_squared: Mapped[float]  # the version's
    persistence_squared: Mapped[float]


class DailyCoverage(Base):
    """How often the actual value was inside the interval of a level."""

    __tablename__ = "daily_coverage"

    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True)
    forecasts: Mapped[int] = mapped_column(BigInteger)
    covered: Mapped[int] = mapped_column(BigInteger)


class DailyInputs(Base):
    """The inputs of a version: number of values in each bin of its training data's quantiles."""

    __tablename__ = "daily_inputs"

    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    feature: Mapped[str] = mapped_column(primary_key=True)
    counts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class TextActual(Base):
    """The text that really followed the prompt of a prediction; kept as long as that is logged."""

    __tablename__ = "text_actuals"
    __table_args__ = (
        Index(None, "model", "prediction_id"),
        Index("text_actuals_unsettled_idx", "prediction_id", postgresql_where=text("unsettled")),
    )

    prediction_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    text: Mapped[str]
    # whether the daily figures do not include this text yet
    unsettled: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TextScore(Base):
    """What the daily figures include of a text that followed; kept as long as its prediction."""

    __tablename__ = "text_scores"
    __table_args__ = (
        CheckConstraint("role IN ('served', 'shadow')", name="role"),
        Index(
            "text_scores_shadow_idx",
            "model",
            "prediction_id",
            postgresql_where=text("role = 'shadow'"),
        ),
    )

    prediction_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    version: Mapped[int]
    characters: Mapped[int]
    tokens: Mapped[int]
    correct: Mapped[int]  # tokens that were the most probable one
    nats: Mapped[float]
    ngram_nats: Mapped[float | None]  # None: the version has no n-gram


class DailyTexts(Base):
    """Sums over the texts that followed a day's predictions; they are kept longer than the log."""

    __tablename__ = "daily_texts"

    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    texts: Mapped[int] = mapped_column(BigInteger)
    characters: Mapped[int] = mapped_column(BigInteger)
    tokens: Mapped[int] = mapped_column(BigInteger)
    correct: Mapped[int] = mapped_column(BigInteger)
    nats: Mapped[float]
    ngram_nats: Mapped[float | None]


class LogPosition(Base):
    """One row: monitoring has read everything in the log up to this id."""

    __tablename__ = "log_position"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[UUID]


class ReadPrediction(Base):
    """A prediction read beyond the position, because ids close to now may become visible late."""

    __tablename__ = "read_predictions"

    id: Mapped[UUID] = mapped_column(primary_key=True)


class Schedule(Base):
    """When a model is to be retrained automatically."""

    __tablename__ = "schedules"

    model: Mapped[str] = mapped_column(ForeignKey("models.name"), primary_key=True)
    cron: Mapped[str | None]  # in UTC
    thresholds: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    next_at: Mapped[datetime | None]  # next due time of the cron expression
    judged_at: Mapped[datetime | None]  # when the thresholds were last checked
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RetrainingDecision(Base):
    """Whether a model was retrained automatically, and why or why not; never changed."""

    __tablename__ = "retraining_decisions"
    __table_args__ = (Index(None, "model", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str]
    cause: Mapped[str]  # "cron", "thresholds"
    trained: Mapped[bool]
    reason: Mapped[str]
    figures: Mapped[Json]  # what the decision was based on
    job_id: Mapped[UUID | None]
    decided_at: Mapped[datetime] = mapped_column(server_default=func.now())
