"""What a logged answer contains: its forecasts, its inputs, and actuals of earlier forecasts.

No database: the request and the response as they were logged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt

from app.artifact.manifest import Feature
from app.monitoring.actuals.moments import moment_of, moment_of_forecast
from app.monitoring.actuals.store import Given

# Later steps are not measured: a request may ask for 1,000, and the rows add up.
MEASURED_STEPS = 100
# This many of the newest values of a history are searched for actuals of earlier forecasts.
IMPLYING_ROWS = 1000

Floats = npt.NDArray[np.float64]
Role = Literal["served", "shadow"]


class LoggedAnswer(NamedTuple):
    """A row of the log, as far as it is read."""

    id: UUID
    created_at: datetime
    model: str
    version: int
    alias: str | None
    kind: str
    series: str | None
    request: Any
    response: Any


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is needed to read the answers of a series version."""

    target: str
    features: tuple[Feature, ...]
    window: int | None


@dataclass(frozen=True, kw_only=True)
class History:
    """What a request showed the version."""

    columns: dict[str, Sequence[float]]  # oldest first, of equal length
    timestamps: Sequence[str] | None  # as given


class Step(NamedTuple):
    """One step of an answer that will be measured; the columns of `forecasts`."""

    prediction_id: UUID
    role: Role
    step: int
    model: str
    version: int
    series: str
    moment: str
    value: float
    persistence: float | None
    intervals: list[dict[str, Any]] | None


def history_of(request: Mapping[str, Any], facts: Facts) -> History | None:
    """Return the history in a request, or None if it names a dataset instead."""
    given = request.get("history")
    if given is None:
        return None
    columns = given if isinstance(given, dict) else {facts.features[0].name: given}
    return History(columns=columns, timestamps=request.get("timestamps"))


def steps_of(
    row: LoggedAnswer,
    role: Role,
    version: int,
    forecasts: Sequence[Mapping[str, Any]],
    persistence: float | None,
) -> list[Step]:
    """Return the steps of an answer that are measured.

    Args:
        row: the request in the log.
        role: served or shadow.
        version: that answered.
        forecasts: `predictions` of its answer.
        persistence: last value of the target in the request.
    """
    return [
        Step(
            prediction_id=row.id,
            role=role,
            step=forecast["step"],
            model=row.model,
            version=version,
            series=row.series or "",
            moment=moment_of_forecast(row.id, forecast["step"], forecast["timestamp"]),
            value=forecast["value"],
            persistence=persistence,
            intervals=forecast["intervals"],
        )
        for forecast in forecasts[:MEASURED_STEPS]
    ]


def last_target(history: History, facts: Facts) -> float | None:
    """Return the forecast of persistence, or None if the target is not an input."""
    column = history.columns.get(facts.target)
    return None if column is None else float(column[-1])


def windows_shown(history: History, facts: Facts) -> dict[str, Floats]:
    """Return the values of each feature that the version saw."""
    return {
        feature.name: np.asarray(history.columns[feature.name], dtype=np.float64)[
            -(facts.window or len(history.columns[feature.name])) :
        ]
        for feature in facts.features
    }


def implied_actuals(row: LoggedAnswer, history: History, facts: Facts) -> list[Given]:
    """Return the actuals that a history implies for earlier forecasts; [] without timestamps."""
    column = history.columns.get(facts.target)
    if column is None or history.timestamps is None:
        return []
    newest = zip(history.timestamps[-IMPLYING_ROWS:], column[-IMPLYING_ROWS:], strict=True)
    return [
        Given(
            model=row.model,
            series=row.series or "",
            moment=moment_of(timestamp),
            timestamp=timestamp,
            value=float(value),
            prediction_id=row.id,
        )
        for timestamp, value in newest
    ]
