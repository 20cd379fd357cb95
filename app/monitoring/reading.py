"""What a logged answer tells: its forecasts, what it was shown, what that says of earlier ones.

No database: the request and the response as they were logged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from app.actuals.moments import moment_of, moment_of_step
from app.actuals.store import Given
from app.registry.artifacts import Feature

# Steps past these are not measured: a request may ask for 1,000 and the rows add up.
MEASURED_STEPS = 100
# As many of the newest values of a history are looked through for earlier forecasts' actuals.
IMPLYING_ROWS = 1000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What has to be known of a series version to read its answers."""

    target: str
    features: tuple[Feature, ...]
    window: int | None


@dataclass(frozen=True, kw_only=True)
class History:
    """What a request showed the version."""

    columns: dict[str, Sequence[float]]  # oldest first, equally long
    timestamps: Sequence[str] | None  # as given


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of an answer, as it will be measured."""

    prediction_id: UUID
    step: int
    moment: str
    value: float
    persistence: float | None
    intervals: list[dict[str, Any]] | None


def history_of(request: Mapping[str, Any], facts: Facts) -> History | None:
    """The history in a request; None: it names a dataset instead."""
    given = request.get("history")
    if given is None:
        return None
    columns = given if isinstance(given, dict) else {facts.features[0].name: given}
    return History(columns=columns, timestamps=request.get("timestamps"))


def steps_of(
    prediction_id: UUID, forecasts: Sequence[Mapping[str, Any]], persistence: float | None
) -> list[Step]:
    """The steps of an answer that are measured.

    Args:
        prediction_id: of the logged answer.
        forecasts: `predictions` of the answer.
        persistence: the last value of the target in the request.
    """
    return [
        Step(
            prediction_id=prediction_id,
            step=forecast["step"],
            moment=moment_of_step(prediction_id, forecast["step"])
            if forecast["timestamp"] is None
            else moment_of(forecast["timestamp"]),
            value=forecast["value"],
            persistence=persistence,
            intervals=forecast["intervals"],
        )
        for forecast in forecasts[:MEASURED_STEPS]
    ]


def last_target(history: History, facts: Facts) -> float | None:
    """What persistence would forecast; None: the target is no input."""
    column = history.columns.get(facts.target)
    return None if column is None else float(column[-1])


def windows_shown(history: History, facts: Facts) -> dict[str, Floats]:
    """The values of each feature that the version looked at."""
    return {
        feature.name: np.asarray(history.columns[feature.name], dtype=np.float64)[
            -(facts.window or len(history.columns[feature.name])) :
        ]
        for feature in facts.features
    }


def implied_actuals(
    prediction_id: UUID, model: str, series: str, history: History, facts: Facts
) -> list[Given]:
    """What a history says of moments that were forecast before; [] without timestamps."""
    column = history.columns.get(facts.target)
    if column is None or history.timestamps is None:
        return []
    newest = zip(history.timestamps[-IMPLYING_ROWS:], column[-IMPLYING_ROWS:], strict=True)
    return [
        Given(
            model=model,
            series=series,
            moment=moment_of(timestamp),
            timestamp=timestamp,
            value=float(value),
            prediction_id=prediction_id,
        )
        for timestamp, value in newest
    ]
