"""Effects of columns on a series: what a promotion or a price adds to a value."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROWS_PER_COLUMN = 4
ROWS_PER_LAG = 10
MOST_LAGS = 8  # of the noise; with a week of days among them
ITERATIONS = 6
RIDGE = 1e-4


def effects(values: Floats, columns: Floats) -> Floats:
    """Return how much one unit of each column adds, (columns,), by generalized least squares.

    What the columns do not explain is an autoregression around a constant, whose weights are
    estimated in turn with the effects (Cochrane & Orcutt 1949). So neither a walk nor a season of
    the series disturbs them, and around a constant level all rows count.

    Args:
        values: (rows,), in the scale in which effects add up, without missing values.
        columns: (rows, columns), without missing values.

    Returns:
        0 for columns that never change, and for all if there are too few rows.
    """
    rows, count = columns.shape
    every = np.zeros(count)
    if not count or rows < ROWS_PER_COLUMN * (count + 2):
        return every
    varying = columns.min(axis=0) < columns.max(axis=0)
    columns = columns[:, varying]
    lags = max(1, min(MOST_LAGS, rows // ROWS_PER_LAG))
    found = _least_squares(np.diff(columns, axis=0), np.diff(values))
    for _ in range(ITERATIONS):
        noise = values - columns @ found
        weights = _autoregression(noise - noise.mean(), lags)
        target, seen = _filtered(values[:, None], weights)[:, 0], _filtered(columns, weights)
        found = _least_squares(seen - seen.mean(axis=0), target - target.mean())
    every[varying] = found
    return every


def _autoregression(noise: Floats, lags: int) -> Floats:
    """Return the weights (lags,) of the rows before each, the newest first."""
    size = float(np.abs(noise).max())
    if not size:
        return np.zeros(lags)
    before = np.lib.stride_tricks.sliding_window_view(noise[:-1] / size, lags)[:, ::-1]
    normal = before.T @ before
    ridge = RIDGE * np.trace(normal) / lags * np.eye(lags)
    weights: Floats = np.linalg.solve(normal + ridge, before.T @ (noise[lags:] / size))
    return weights


def _filtered(columns: Floats, weights: Floats) -> Floats:
    """Return rows minus the weighted rows before them, (rows - lags, columns)."""
    lags = len(weights)
    before = np.lib.stride_tricks.sliding_window_view(columns[:-1], lags, axis=0)[:, :, ::-1]
    left: Floats = columns[lags:] - before @ weights
    return left


def _least_squares(columns: Floats, target: Floats) -> Floats:
    spread = np.sqrt((columns**2).mean(axis=0))
    spread[spread == 0] = 1.0
    found, *_ = np.linalg.lstsq(columns / spread, target, rcond=1e-8)
    effect: Floats = found / spread
    return effect
