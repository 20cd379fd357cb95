"""Compute errors over the first steps of the horizon from a scorecard's figures by step. No I/O."""

import numpy as np
from numpy.typing import NDArray

from app.artifact.scorecard import Errors, Scores, SeriesScore
from app.judging.simple_forecasts import PERSISTENCE

Floats = NDArray[np.float64]

MODEL = "model"  # instead of a baseline's name


def horizon_of(score: SeriesScore) -> int:
    """Return how many steps ahead a scorecard measures."""
    return score.steps[-1].step if score.steps else 1


def rmse_by_horizon(score: SeriesScore, forecaster: str = MODEL) -> Floats:
    """Return the RMSE over the first step, the first two, … all steps that were measured.

    A scorecard shows at most 48 steps; squared errors between them are interpolated.

    Args:
        score: the figures.
        forecaster: MODEL, or the name of a baseline.

    Returns:
        (steps,), NaN from the first step that the forecaster was not measured at.
    """
    by_step = score.steps or (score.over_horizon,)
    shown = np.array([each.step for each in score.steps] or [1])
    errors = np.array([_rmse(each, forecaster) for each in by_step])  # (steps shown,)
    largest = np.nanmax(errors, initial=0.0) or 1.0  # squares of 1e200 are infinite
    steps = np.arange(1, shown[-1] + 1)
    squares = np.interp(steps, shown, (errors / largest) ** 2)  # (steps,)
    found: Floats = largest * np.sqrt(np.cumsum(squares) / steps)
    found[-1] = _rmse(score.over_horizon, forecaster)
    return found


def rmse_over(score: SeriesScore, steps: int, forecaster: str = MODEL) -> float | None:
    """Return the RMSE over the first `steps` steps, or None if not all of them were measured."""
    found = rmse_by_horizon(score, forecaster)
    if steps > len(found) or not np.isfinite(found[steps - 1]):
        return None
    return float(found[steps - 1])


def skill_by_horizon(score: SeriesScore) -> tuple[float | None, ...]:
    """Return the skill against persistence over the first step, the first two, … all steps."""
    own, last = rmse_by_horizon(score), rmse_by_horizon(score, PERSISTENCE)
    skills = 1 - np.divide(own, last, out=np.full_like(own, np.nan), where=last > 0)
    return tuple(float(skill) if np.isfinite(skill) else None for skill in skills)


def _rmse(scores: Scores, forecaster: str) -> float:
    errors: Errors | None = (
        scores.model if forecaster == MODEL else scores.baselines.get(forecaster)
    )
    return float("nan") if errors is None else errors.rmse
