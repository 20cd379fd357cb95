"""The judged rows of a series, and what each forecaster says about them. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

SCORED_LEVELS = (50, 80, 90, 95)


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedSeries:
    """Origins in one series, and the rows before them that baselines may be fitted on."""

    label: str
    inputs: Floats  # (n, window, features), what the network sees
    values: Floats  # (rows,), the target including the rows before the judged ones
    # (n,), index in `values` of the first row forecast; an origin sees the rows before it
    first: Ids
    training: Floats  # (training rows,), the target before everything judged
    times: tuple[str | None, ...]  # (n,), of the first row forecast from each origin
    number: int = 0  # the number by which the graph knows the series; 0 stands for any other series
    future: Floats | None = None  # (n, horizon, known), columns known ahead; None: there are none

    def __len__(self) -> int:
        return len(self.first)

    def actual_from(self, row: int, horizon: int) -> Floats:
        """Return the actual values from a row on, (horizon,); NaN past the last row."""
        ahead = np.full(horizon, np.nan)
        known = self.values[row : row + horizon]
        ahead[: len(known)] = known
        return ahead

    def actual(self, horizon: int) -> Floats:
        """Return the actual values after each origin, (n, horizon); NaN past the last row."""
        padded = np.concatenate([self.values, np.full(horizon, np.nan)])  # (rows + horizon,)
        ahead: Floats = padded[self.first[:, None] + np.arange(horizon)]
        return ahead


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecasts:
    """What every forecaster said at the origins of one series."""

    judged: JudgedSeries
    model: Floats  # (n, horizon)
    baselines: Mapping[str, Floats]  # (n, horizon) each; NaN where the history is too short
    missing: Mapping[str, str] = field(default_factory=dict)  # why a baseline is missing
    season: int | None = None  # in rows, found in the training rows
    # Low and high of the model's intervals, (n, steps, levels, 2), at SCORED_LEVELS; there may be
    # fewer steps than the horizon. None if the model has no intervals.
    bounds: Floats | None = None

    @property
    def horizon(self) -> int:
        """Return the number of steps ahead."""
        return int(self.model.shape[1])

    @property
    def scale(self) -> float:
        """Return the mean change from row to row in the training rows; NaN if they never change."""
        changes = np.abs(np.diff(self.judged.training))
        changes = changes[np.isfinite(changes)]
        scale = float(changes.mean()) if len(changes) else 0.0
        return scale if scale > 0 and np.isfinite(scale) else float("nan")
