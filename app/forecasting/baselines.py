"""Define the simple forecasts that a network has to beat, with one interface.

Each is fitted on training rows and then forecasts from rolling origins. Row i of the result is for
`values[origins[i] : origins[i] + horizon]` and only uses `values[: origins[i]]`. Gaps (NaN) are
allowed; if there is too little before the origin, the forecast is NaN.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


class Baseline(Protocol):
    """The interface of the baselines."""

    @property
    def name(self) -> str:
        """The name in scorecards."""
        ...

    @property
    def min_history(self) -> int:
        """Number of rows needed before an origin."""
        ...

    def fit(self, values: Floats) -> Self:
        """Return the baseline fitted on training rows (rows,)."""
        ...

    def forecasts(self, values: Floats, origins: Ids, *, horizon: int) -> Floats:
        """Return forecasts (n, horizon) from the origins (n,) in the rows (rows,)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Persistence:
    """Tomorrow equals today: the last known value."""

    name: str = "persistence"
    min_history: int = 1

    def fit(self, values: Floats) -> Self:
        """Return the same baseline: there is nothing to fit."""
        del values
        return self

    def forecasts(self, values: Floats, origins: Ids, *, horizon: int) -> Floats:
        """Return the last known value before each origin, (n, horizon)."""
        last = _taken(values, _last_known(values), origins - 1)  # (n,)
        return np.repeat(last[:, None], horizon, axis=1)  # (n, horizon)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The line through the first and the last known value, extended."""

    name: str = "drift"
    min_history: int = 2

    def fit(self, values: Floats) -> Self:
        """Return the same baseline: the line starts at each origin."""
        del values
        return self

    def forecasts(self, values: Floats, origins: Ids, *, horizon: int) -> Floats:
        """Return the last value plus its mean change per step since the first, (n, horizon)."""
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            return np.full((len(origins), horizon), np.nan)
        places = _last_known(values)  # (rows,)
        inside = (origins >= 1) & (origins <= len(values))
        place = np.where(inside, places[(origins - 1).clip(0, len(values) - 1)], -1)  # (n,)
        last = np.where(place >= 0, values[place], np.nan)  # (n,)
        rows = np.where(place > known[0], place - known[0], np.nan)  # (n,)
        slope = (last - values[known[0]]) / rows  # (n,)
        ahead = origins[:, None] - place[:, None] + np.arange(horizon)  # (n, horizon)
        result: Floats = last[:, None] + ahead * slope[:, None]
        return result


@dataclass(frozen=True, kw_only=True)
class SeasonalNaive:
    """The value one season before, or the newest known value in that phase of the season."""

    period: int  # rows in a season
    name: str = "seasonal naive"

    def __post_init__(self) -> None:
        if self.period < 1:
            raise ValueError(f"a season of {self.period} rows; 1 or more needed")

    @property
    def min_history(self) -> int:
        """A whole season."""
        return self.period

    def fit(self, values: Floats) -> Self:
        """Return the same baseline: the period is given."""
        del values
        return self

    def forecasts(self, values: Floats, origins: Ids, *, horizon: int) -> Floats:
        """Return the values of the last season before each origin, repeated, (n, horizon)."""
        seasons = -(-len(values) // self.period)
        padded = np.full(seasons * self.period, np.nan)
        padded[: len(values)] = values
        table = padded.reshape(seasons, self.period)  # (seasons, period)
        rows = np.where(np.isfinite(table), np.arange(seasons)[:, None], -1)
        rows = np.maximum.accumulate(rows, axis=0)  # (seasons, period), newest known season
        newest = np.where(rows >= 0, rows * self.period + np.arange(self.period), -1).ravel()
        steps = np.arange(horizon) % self.period  # (horizon,)
        before = origins[:, None] - self.period + steps  # (n, horizon)
        return _taken(values, newest, before)


def _last_known(values: Floats) -> Ids:
    """Return for each row the last row up to it that has a value, or -1, (rows,)."""
    places: Ids = np.where(np.isfinite(values), np.arange(len(values)), -1)
    return np.maximum.accumulate(places)


def _taken(values: Floats, source: Ids, places: Ids) -> Floats:
    """Return `values[source[places]]`, NaN if a place is outside or its source is -1."""
    if not len(values):
        return np.full(places.shape, np.nan)
    inside = (places >= 0) & (places < len(values))
    at = np.where(inside, source[places.clip(0, len(values) - 1)], -1)
    return np.where(at >= 0, values[at], np.nan)
