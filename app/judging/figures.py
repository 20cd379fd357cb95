"""Compute figures of forecasts: errors, and whether a difference is more than noise. No I/O."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.artifact.scorecard import Against, Errors
from app.forecasting.metrics import (
    bias,
    diebold_mariano,
    directional_accuracy,
    mae,
    rmse,
    skill,
    smape,
)

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Told = Literal["better", "worse", "within noise", "not to be told"]

SIGNIFICANT = 0.05
WHY_MISSING = {
    "mase": "the training rows never change, or there are none: no scale",
    "smape": "every value and every forecast is 0",
    "directional_accuracy": "no value changed, or no change was forecast",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """The forecasts of one forecaster at places (rows, or rows and steps), all flat."""

    actual: Floats  # (n,)
    forecast: Floats  # (n,)
    previous: Floats  # (n,), the last known value before the origin
    unit: Floats  # (n,), the divisor of errors: 1, or the scale of the row's series
    scale: Floats  # (n,), for MASE

    def where(self, chosen: NDArray[np.bool_]) -> "Places":
        """Select some of the places."""
        return Places(
            actual=self.actual[chosen],
            forecast=self.forecast[chosen],
            previous=self.previous[chosen],
            unit=self.unit[chosen],
            scale=self.scale[chosen],
        )

    @property
    def errors(self) -> Floats:
        """Return forecast minus actual in the unit, (n,)."""
        errors: Floats = (self.forecast - self.actual) / self.unit
        return errors


def errors_of(places: Places) -> Errors:
    """Return all figures of one forecaster."""
    errors, zero = places.errors, np.zeros(len(places.actual))
    scaled = np.abs(places.forecast - places.actual) / places.scale
    figures = {
        "mase": float(scaled.mean()) if len(scaled) else math.nan,
        "smape": smape(places.actual, places.forecast),
        "bias": bias(zero, errors),
        "directional_accuracy": directional_accuracy(
            places.actual, places.forecast, places.previous
        ),
    }
    undefined = {name for name, value in figures.items() if not math.isfinite(value)}
    return Errors(
        rmse=rmse(zero, errors),
        mae=mae(zero, errors),
        **{name: None if name in undefined else value for name, value in figures.items()},
        missing={name: WHY_MISSING.get(name, "it is not a finite number") for name in undefined},
    )


def against(
    errors: Floats, baseline: Floats, *, moments: Ids | None = None, horizon: int = 1
) -> Against:
    """Compare a model with a baseline on the same rows, with a Diebold-Mariano test.

    Args:
        errors: (n, steps) of the model, in a unit common to all rows, oldest first.
        baseline: (n, steps) of the baseline.
        moments: (n,) numbers of the times, increasing. If several series share them, the losses of
            one time are added, because series move together. None: every row has its own time.
        horizon: steps ahead of the last of the steps.
    """
    zero = np.zeros_like(errors)
    ours, theirs = rmse(zero, errors), rmse(zero, baseline)
    measured = skill(ours, theirs)
    both = (_per_moment(each, theirs, moments) for each in (errors, baseline))
    test = diebold_mariano(*both, horizon=horizon)
    p = test.p_value
    reasons = []
    if not math.isfinite(measured):
        reasons.append("the baseline makes no error")
    if not math.isfinite(p):
        same = len(errors) and bool((np.abs(errors) == np.abs(baseline)).all())
        reasons.append(
            "the errors do not differ: nothing to test"
            if same
            else "the errors differ by a constant or are too few to test"
        )
    return Against(
        rows=len(errors),
        skill=measured if math.isfinite(measured) else None,
        statistic=test.statistic if math.isfinite(test.statistic) else None,
        p_value=p if math.isfinite(p) else None,
        verdict=_told(ours, theirs, p),
        missing="; ".join(reasons) or None,
    )


def _told(ours: float, theirs: float, p: float) -> Told:
    if math.isfinite(p):
        if p >= SIGNIFICANT:
            return "within noise"
        return "better" if ours < theirs else "worse"
    return "within noise" if ours == theirs else "not to be told"


def _per_moment(errors: Floats, size: float, moments: Ids | None) -> Floats:
    """Return the root of the summed squared errors of each time, relative to `size`: (moments,)."""
    relative = np.abs(errors) / (size if size > 0 and math.isfinite(size) else 1.0)
    squared = (relative**2).sum(axis=1)  # (n,)
    if moments is not None:
        squared = np.bincount(moments, weights=squared)  # (moments,)
        squared = squared[np.bincount(moments) > 0]
    together: Floats = np.sqrt(squared)
    return together
