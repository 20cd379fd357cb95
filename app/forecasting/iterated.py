"""Autoregressions of values, changes or seasonal changes, iterated step by step, as linear maps.

The order is chosen from a few by the corrected Akaike criterion (Hurvich & Tsai 1989); the fit is
by least squares.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.forecasting.linear_maps import LinearMap

Floats = NDArray[np.float64]

ORDERS = (0, 1, 2, 3, 4, 6, 9, 12, 16, 24, 32)
ROWS_PER_LAG = 3
MOST_ROWS = 3000  # older rows would hardly change a few coefficients
FEWEST_ROWS = 8
LONGEST_SEASON_IN_LAGS = 60
RIDGE = 1e-8  # relative to the mean square, for values that repeat exactly
TINY = float(np.finfo(np.float64).tiny)
# relative to the sum of squares, so that the logarithm of a perfect fit is finite
LEAST_SHARE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Differences:
    """What is regressed on its own past."""

    # how many rows apart the differences are; none for the values themselves
    lags: tuple[int, ...] = ()
    constant: bool = False

    def of(self, values: Floats) -> Floats:
        """Return the changes (rows - sum of lags,) of values (rows,)."""
        for lag in self.lags:
            values = values[lag:] - values[:-lag]
        return values


def iterated_autoregression(
    values: Floats, differences: Differences, *, window: int, horizon: int, season: int | None
) -> LinearMap | None:
    """Fit an autoregression and return its forecasts as a map.

    Args:
        values: (rows,) to fit on, without gaps.
        differences: what is regressed.
        window: how many past values the map takes.
        horizon: how many steps ahead the map forecasts.
        season: in rows; lags of one season and one row more are tried too.

    Returns:
        None if there are too few rows, or the window is too short for the differences.
    """
    used = sum(differences.lags)
    changes = differences.of(values[-MOST_ROWS:])
    orders = {*ORDERS, season, (season or 0) + 1} if _is_short(season) else {*ORDERS}
    most = min(len(changes) // ROWS_PER_LAG, window - used)
    fitting = sorted(order for order in orders if order is not None and order <= most)
    if len(changes) < FEWEST_ROWS or not fitting:
        return None
    fitted = _fit(changes, fitting, constant=differences.constant)
    if fitted is None:
        return None
    return _continued(*fitted, differences.lags, window=window, horizon=horizon)


def _is_short(season: int | None) -> bool:
    return season is not None and season <= LONGEST_SEASON_IN_LAGS


def _fit(changes: Floats, orders: list[int], *, constant: bool) -> tuple[Floats, float] | None:
    """Return the coefficients (order,), newest first, and the constant of the best order."""
    longest = orders[-1]
    view = np.lib.stride_tricks.sliding_window_view(changes, longest + 1)[:, ::-1]
    target, past = view[:, 0], view[:, 1:]
    rows = len(target)
    columns = np.hstack((np.ones((rows, 1)), past)) if constant else past
    normal, moment = columns.T @ columns, columns.T @ target
    total = float(target @ target)
    ridge = RIDGE * total + TINY
    best: tuple[float, Floats] | None = None
    for order in orders:
        count = order + constant
        free = rows - count - 2
        if free < 1:
            break
        own = normal[:count, :count] + ridge * np.eye(count)
        found = np.zeros(0)
        if count:
            found = np.linalg.solve(own, moment[:count]).astype(np.float64)
        explained = 2 * found @ moment[:count] - found @ normal[:count, :count] @ found
        left = max(total - float(explained), LEAST_SHARE * total, TINY)
        criterion = rows * math.log(left / rows) + 2 * (count + 1) * rows / free
        if best is None or criterion < best[0]:
            best = (criterion, found)
    if best is None:
        return None
    return (best[1][1:], float(best[1][0])) if constant else (best[1], 0.0)


def _continued(
    coefficients: Floats, constant: float, lags: tuple[int, ...], *, window: int, horizon: int
) -> LinearMap:
    """Iterate the autoregression on the unit vectors of a window, (window + 1,) each."""
    # the coefficients of the values, of their changes, of the changes' changes, …
    values = [np.eye(window, window + 1)]
    for lag in lags:
        values.append(values[-1][lag:] - values[-1][:-lag])
    past = values.pop()
    only_constant = np.zeros(window + 1)
    only_constant[-1] = constant
    known = list(past)
    for _ in range(horizon):
        newest = np.array(known[: -len(coefficients) - 1 : -1]) if len(coefficients) else past[:0]
        known.append(only_constant + coefficients @ newest.reshape(-1, window + 1))
    ahead = known[len(past) :]
    for lag, before in zip(reversed(lags), reversed(values), strict=True):
        rows = list(before)
        for change in ahead:
            rows.append(rows[-lag] + change)
        ahead = rows[len(before) :]
    linear = np.stack(ahead, axis=1)  # (window + 1, horizon)
    return LinearMap(weights=linear[:-1], intercept=linear[-1])
