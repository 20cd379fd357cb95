"""Forecasts as affine functions of a window of values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearMap:
    """forecast = window @ weights + intercept."""

    weights: Floats  # (window, horizon), oldest value first
    intercept: Floats  # (horizon,)

    def forecasts(self, windows: Floats) -> Floats:
        """Return forecasts (n, horizon) from windows (n, window)."""
        # Starting from the last value keeps the differences exact when large values differ little.
        last = windows[:, -1:]  # (n, 1)
        rest = self.weights.sum(axis=0) - 1  # (horizon,)
        ahead: Floats = last + (windows - last) @ self.weights + last * rest + self.intercept
        return ahead


def mixed(maps: Sequence[LinearMap], weights: Sequence[float]) -> LinearMap:
    """Return the map whose forecasts are the weighted sum of those of others."""
    pairs = [(each, weight) for each, weight in zip(maps, weights, strict=True) if weight]
    return LinearMap(
        weights=np.sum([weight * each.weights for each, weight in pairs], axis=0),
        intercept=np.sum([weight * each.intercept for each, weight in pairs], axis=0),
    )


def homogeneous(weights: Floats) -> LinearMap:
    """Return the map without its intercept."""
    return LinearMap(weights=weights, intercept=np.zeros(weights.shape[1]))


def persistence_map(*, window: int, horizon: int) -> LinearMap:
    """Return the map that repeats the last value."""
    weights = np.zeros((window, horizon))
    weights[-1] = 1.0
    return homogeneous(weights)


def season_map(*, season: int, window: int, horizon: int) -> LinearMap:
    """Return the map that repeats the newest known value at each step's position in the season.

    Raises:
        ValueError: the season does not fit into the window.
    """
    if window < season:
        raise ValueError(f"a season of {season} takes a window of {season}, not {window}")
    weights = np.zeros((window, horizon))
    ahead = np.arange(1, horizon + 1)  # (horizon,)
    weights[window - 1 + ahead - season * seasons_ahead(season, horizon), ahead - 1] = 1.0
    return homogeneous(weights)


def season_change_map(*, season: int, window: int, horizon: int) -> LinearMap:
    """Return the map that adds the changes of one season before to the last value.

    Step h is x[t + h - season] + x[t] - x[t - season]; past one season it continues from its own
    forecasts.

    Raises:
        ValueError: the season and one value more do not fit into the window.
    """
    if window <= season:
        raise ValueError(f"a season of {season} takes a window of {season + 1}, not {window}")
    weights = season_map(season=season, window=window, horizon=horizon).weights.copy()
    weights[-1] += seasons_ahead(season, horizon)
    weights[-1 - season] -= seasons_ahead(season, horizon)
    return homogeneous(weights)


def season_drift_map(*, season: int, window: int, horizon: int) -> LinearMap:
    """Return the map that adds to the last season its mean change per season within the window.

    Raises:
        ValueError: two seasons do not fit into the window.
    """
    if window < 2 * season:
        raise ValueError(f"drift takes two seasons of {season}, {2 * season} rows, not {window}")
    weights = season_map(season=season, window=window, horizon=horizon).weights.copy()
    apart = window // season - 1  # how many seasons the first whole one is before the last
    change = np.zeros(window)  # change of the season's mean, per season
    change[window - season :] += 1 / (season * apart)
    change[window - season * (apart + 1) : window - season * apart] -= 1 / (season * apart)
    weights += np.outer(change, seasons_ahead(season, horizon))
    return homogeneous(weights)


def theta_map(level: Floats, *, season: int | None) -> LinearMap:
    """Return the Theta forecast: a smoothed level, and half the slope of a line through the window.

    Equal to simple exponential smoothing with drift (Hyndman & Billah 2003), here with the season
    of the given smoothing.

    Args:
        level: a smoothing's map (window, horizon) without trend.
        season: rows in its season; the line is fitted only to whole seasons.
    """
    window, horizon = level.shape
    rows = window if season is None else window // season * season
    time = np.arange(rows) - (rows - 1) / 2
    slope = np.zeros(window)
    slope[window - rows :] = time / (time @ time)
    return homogeneous(level + 0.5 * np.outer(slope, np.arange(1, horizon + 1)))


def seasons_ahead(season: int, horizon: int) -> NDArray[np.int64]:
    """Return in which season from now each step lies, (horizon,), counted from 1."""
    return -(-np.arange(1, horizon + 1) // season)
