"""Exponential smoothing with fixed parameters, as linear maps of a window.

In the innovations form (Hyndman, Koehler, Ord & Snyder 2008, chapter 2), with level l, trend b,
seasons s of m rows and the one-step error e,

    y[t] = l[t-1] + phi b[t-1] + s[t-m] + e[t]
    l[t] = l[t-1] + phi b[t-1] + alpha e[t]
    b[t] = phi b[t-1] + alpha beta e[t]
    s[t] = s[t-m] + gamma (1 - alpha) e[t]

every state is linear in the values and in the states before the window. Those states are estimated
by least squares of the errors within the window, which is linear in its values too. So with fixed
parameters the forecasts are a matrix times the window, and each of its columns sums to 1.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Trend = Literal["level", "damped trend", "trend"]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Parameters to try; fewer for a long season, since its maps take some 100 ms to make."""

    longest_season: int
    alphas: tuple[float, ...]
    trends: tuple[tuple[float, float], ...]  # damping and beta; without damping there is no trend
    gammas: tuple[float, ...]


GRIDS = (
    Grid(
        longest_season=24,
        alphas=(0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0),
        trends=(
            (0.0, 0.0),
            *((damping, beta) for damping in (0.8, 0.9, 0.98, 1.0) for beta in (0.03, 0.1, 0.3)),
        ),
        gammas=(0.0, 0.05, 0.15, 0.4),
    ),
    Grid(
        longest_season=60,
        alphas=(0.02, 0.1, 0.3, 0.6, 1.0),
        trends=((0.0, 0.0), (0.9, 0.1), (0.98, 0.05)),
        gammas=(0.0, 0.1, 0.3),
    ),
    Grid(
        longest_season=10_000,
        alphas=(0.03, 0.15, 0.4, 0.8),
        trends=((0.0, 0.0), (0.95, 0.05)),
        gammas=(0.0, 0.2),
    ),
)
# Added to the least squares of the states before the window, except the level, so that they have
# one solution; in units of one squared error of the window.
RIDGE = 1e-4
LEVEL_RIDGE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Smoother:
    """The parameters of one exponential smoothing."""

    alpha: float
    damping: float = 0.0  # phi; 0 for no trend, 1 for a trend that goes on unchanged
    beta: float = 0.0
    # one for each season; if there are fewer, they are for the first seasons
    gammas: tuple[float, ...] = ()

    @property
    def trend(self) -> Trend:
        """Return the kind of trend in words."""
        if not self.damping:
            return "level"
        return "trend" if self.damping >= 1 else "damped trend"


def smoothers(seasons: tuple[int, ...]) -> tuple[Smoother, ...]:
    """Return the parameters to try for seasons of these lengths in rows."""
    longest = max(seasons, default=1)
    grid = next((each for each in GRIDS if longest <= each.longest_season), GRIDS[-1])
    seasonal: list[tuple[float, ...]] = [()]
    if seasons:
        seasonal += [(gamma,) for gamma in grid.gammas]
    if len(seasons) > 1:
        seasonal += [(gamma, longer) for gamma in grid.gammas for longer in grid.gammas]
    return tuple(
        Smoother(alpha=alpha, damping=damping, beta=beta, gammas=own)
        for own in seasonal
        for alpha in grid.alphas
        for damping, beta in grid.trends
    )


@lru_cache(maxsize=8)
def smoothing_maps(window: int, horizon: int, seasons: tuple[int, ...]) -> Floats:
    """Return the maps of all `smoothers(seasons)`, (smoothers, window, horizon)."""
    return np.stack(
        [
            smoothing_map(each, window=window, horizon=horizon, seasons=seasons)
            for each in smoothers(seasons)
        ]
    )


def smoothing_map(
    smoother: Smoother, *, window: int, horizon: int, seasons: tuple[int, ...] = ()
) -> Floats:
    """Return the matrix (window, horizon) that turns a window, oldest first, into forecasts."""
    states = _States.before(smoother, window, seasons)
    errors = np.stack([states.advance(row) for row in range(window)])  # (window, columns)
    by_value, by_state = errors[:, :window], errors[:, window:]
    normal = by_state.T @ by_state  # (states, states)
    penalty = np.full(len(normal), RIDGE)
    penalty[0] = LEVEL_RIDGE
    np.fill_diagonal(normal, normal.diagonal() + penalty)
    start = -np.linalg.solve(normal, by_state.T @ by_value)  # (states, window)
    ahead = states.ahead(horizon)  # (horizon, columns)
    linear: Floats = (ahead[:, :window] + ahead[:, window:] @ start).T
    return linear


class _States:
    """The states of a smoother as linear functions.

    Each state has a row of coefficients: of the window's values, then of the states before the
    window, in all `columns`.
    """

    def __init__(
        self, smoother: Smoother, window: int, level: Floats, trend: Floats, seasons: list[Floats]
    ) -> None:
        self._smoother = smoother
        self._window = window
        self._level = level  # (columns,)
        self._trend = trend  # (columns,)
        self._seasons = seasons  # (rows in the season, columns) each

    @classmethod
    def before(cls, smoother: Smoother, window: int, seasons: tuple[int, ...]) -> "_States":
        """Return the states before the window: each is itself."""
        periods = seasons[: len(smoother.gammas)]
        first = window + 1 + bool(smoother.damping)
        level, trend = np.zeros((2, first + sum(periods)))
        level[window] = 1.0
        if smoother.damping:
            trend[window + 1] = 1.0
        own = []
        for period in periods:
            season = np.zeros((period, len(level)))
            season[np.arange(period), first + np.arange(period)] = 1.0
            own.append(season)
            first += period
        return cls(smoother, window, level, trend, own)

    def advance(self, row: int) -> Floats:
        """Take in the value of a row and return its one-step error, (columns,)."""
        smoother = self._smoother
        level = self._level + smoother.damping * self._trend
        error = -level
        for season in self._seasons:
            error = error - season[row % len(season)]
        error[row] += 1.0
        self._level = level + smoother.alpha * error
        self._trend = smoother.damping * self._trend + smoother.alpha * smoother.beta * error
        for season, gamma in zip(self._seasons, smoother.gammas, strict=True):
            season[row % len(season)] += gamma * (1 - smoother.alpha) * error
        return error

    def ahead(self, horizon: int) -> Floats:
        """Return the forecasts after the window, (horizon, columns)."""
        powers = self._smoother.damping ** np.arange(1, horizon + 1)  # (horizon,)
        forecasts = self._level + np.cumsum(powers)[:, None] * self._trend
        rows = self._window + np.arange(horizon)
        for season in self._seasons:
            forecasts = forecasts + season[rows % len(season)]
        return forecasts
