"""Compute prediction intervals by split conformal prediction, with a width that follows volatility.

Let f be a forecast, y the actual value, and v the volatility of the window of the forecast. On rows
that the forecaster was not fitted on, the scores s = (y - f) / v are collected, separately for each
step of the horizon. An interval of level L is f + v [low, high], with low and high from the order
statistics of the scores (Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random World";
scaled scores and the finite-sample rank: Lei, G'Sell, Rinaldo, Tibshirani & Wasserman 2018,
"Distribution-Free Predictive Inference for Regression", JASA 113; separate ends: Romano, Patterson
& Candès 2019, "Conformalized Quantile Regression"). If the n scores are exchangeable with the next
one, it is inside with a probability of at least L. There are three rules, depending on the number
of scores:

- signed: low and high are the scores of rank n + 1 - k and k, k = ceil((n + 1) (1 + L) / 2), so
that errors to one side make the interval longer on that side. Used if at least two ranks are
outside at each end; with fewer, single extreme scores would decide.
- absolute: low and high are ∓ the |s| of rank ceil((n + 1) L).
- Student: if there are fewer scores than that rank: ∓ t times the root mean square of the scores,
with the quantile of Student's t with n degrees of freedom (exact for normal errors of mean 0), and
at least the largest |s|.

Intervals contain their forecast, and each level contains the lower ones. No I/O.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.forecasting.student import two_sided_quantile

Floats = NDArray[np.float64]

LOWEST_LEVEL = 50
HIGHEST_LEVEL = 99
LEVELS = range(LOWEST_LEVEL, HIGHEST_LEVEL + 1)
# Number of recent changes of a window, and the weight of the training rows' mean change in numbers
# of changes: so a quiet window keeps 60 % of the usual volatility, and it is never 0. Over 31
# series, a weight of 10 gave a mean interval score 1 % larger, and so did 59 recent changes.
RECENT_CHANGES = 20
USUAL_WEIGHT = 30
# For several series, which have no usual change: the minimum, as a share of the largest value.
LEAST_RELATIVE = 1e-6
# How much of the volatility follows the window: none, half (geometric mean), all.
SHARES = (0.0, 0.5, 1.0)
FEWEST_SCORES = 5
# Twice the minimum of ranks outside each signed end.
FEWEST_OUTSIDE = 4
MOST_STEPS_COMPARED = 12  # steps of the horizon with which shares are compared
COMPARED_LEVELS = (50, 80, 90, 95)


@dataclass(frozen=True, kw_only=True)
class Volatility:
    """How much a series changes from row to row, estimated from a window.

    With m the mean of |change| over the window's last `changes` changes, k of them,

        v = usual ** (1 - share) * ((k m + 30 usual) / (k + 30)) ** share

    and without a usual change (several series of different size)

        v = max(m, 1e-6 max|value|)
    """

    changes: int  # k; 0: the window is not used
    # mean change in the training rows, in the target's unit; None: several series
    usual: float | None
    share: float = 1.0  # one of SHARES

    def __post_init__(self) -> None:
        if self.usual is None and not self.changes:
            raise ValueError("a volatility needs a usual change or changes to look at")

    def of(self, windows: Floats) -> Floats:
        """Return the volatility (n,) of windows (n, window) of the target."""
        if self.usual is None:
            recent = np.abs(np.diff(windows, axis=1))[:, -self.changes :].mean(axis=1)
            floored: Floats = np.maximum(recent, LEAST_RELATIVE * np.abs(windows).max(axis=1))
            return floored
        if not self.changes:
            return np.full(len(windows), self.usual)
        sums = np.abs(np.diff(windows, axis=1))[:, -self.changes :].sum(axis=1)
        recent = (sums + USUAL_WEIGHT * self.usual) / (self.changes + USUAL_WEIGHT)
        own: Floats = self.usual ** (1 - self.share) * recent**self.share
        return own


@dataclass(frozen=True, kw_only=True, eq=False)
class Misses:
    """Forecasts for rows that the forecaster was not fitted on, and the actual values."""

    windows: Floats  # (n, window), of the target; (n, 0) if the forecaster does not see it
    errors: Floats  # (n, horizon), actual value minus forecast; NaN if unknown

    def __len__(self) -> int:
        return len(self.errors)

    def and_then(self, later: "Misses") -> "Misses":
        """Return these misses followed by others."""
        return Misses(
            windows=np.concatenate([self.windows, later.windows]),
            errors=np.concatenate([self.errors, later.errors]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Intervals:
    """Calibrated intervals of the first `steps` steps; later ones had too few scores."""

    volatility: Volatility
    low: (
        Floats  # (horizon, 50), one for each level from 50 to 99, in units of volatility, 0 or less
    )
    high: Floats  # (steps, 50), 0 or more
    scores: int  # the smallest number of any step
    at_least: float | None  # no interval goes below this; None: no limit

    @property
    def steps(self) -> int:
        """The number of steps ahead with intervals."""
        return len(self.low)

    @property
    def signed_to(self) -> int | None:
        """The highest level with separate ends, or None."""
        return max((level for level in LEVELS if _is_signed(level, self.scores)), default=None)

    @property
    def conformal_to(self) -> int | None:
        """The highest level that does not use Student's t, or None."""
        return max((level for level in LEVELS if _rank(level, self.scores)), default=None)

    def bounds(self, forecasts: Floats, windows: Floats, levels: tuple[int, ...]) -> Floats:
        """Return low and high (n, steps, levels, 2), in the target's unit.

        Args:
            forecasts: (n, horizon), in the target's unit.
            windows: (n, window), of the target's raw values.
            levels: in percent.

        Raises:
            ValueError: a level is not a whole number from 50 to 99.
        """
        if not set(levels) <= set(LEVELS):
            raise ValueError(f"levels {levels}; whole numbers from 50 to 99 needed")
        columns = [level - LOWEST_LEVEL for level in levels]
        ends = np.stack([self.low[:, columns], self.high[:, columns]], axis=-1)
        # volatility (n, 1, 1, 1) times ends (steps, levels, 2)
        width = self.volatility.of(windows)[:, None, None, None] * ends
        bounds: Floats = forecasts[:, : self.steps, None, None] + width
        return bounds if self.at_least is None else np.maximum(bounds, self.at_least)


def calibrate(
    misses: Misses, *, usual: float | None, at_least: float | None = None
) -> Intervals | None:
    """Calibrate intervals on forecasts for rows that the forecaster was not fitted on.

    How much the volatility follows the window is chosen on the same rows by the mean interval score
    (Gneiting & Raftery 2007, "Strictly Proper Scoring Rules", section 6.2). If the changes of a
    series say nothing about its errors, as with a smooth season, a constant volatility is better.

    Args:
        misses: the forecasts.
        usual: mean change from row to row in the training rows; None: several series.
        at_least: no value of the series is below this.

    Returns:
        The intervals, or None if the first step has fewer than 5 scores.
    """
    changes = max(0, misses.windows.shape[1] - 1)
    if usual is None:
        if not changes:
            return None
        candidates = [Volatility(changes=changes, usual=None)]
    else:
        recent = min(changes, RECENT_CHANGES)
        candidates = [Volatility(changes=0, usual=usual, share=0.0)]
        if recent:
            candidates += [
                Volatility(changes=recent, usual=usual, share=share) for share in SHARES[1:]
            ]
    found = [_calibrated(misses, candidate) for candidate in candidates]
    known = [intervals for intervals in found if intervals is not None]
    if not known:
        return None
    best = min(known, key=lambda intervals: _interval_score(misses, intervals))
    return replace(best, at_least=at_least)


def ends_of(scores: Floats) -> tuple[Floats, Floats]:
    """Return low and high (50,) of the levels 50 to 99 from at least one score, (n,)."""
    n = len(scores)
    signed, sizes = np.sort(scores), np.sort(np.abs(scores))
    size = float(sizes[-1])
    spread = size * float(np.sqrt(((scores / size) ** 2).mean())) if size > 0 else 0.0
    low, high = np.empty(len(LEVELS)), np.empty(len(LEVELS))
    for place, level in enumerate(LEVELS):
        if _is_signed(level, n):
            k = -(-(n + 1) * (100 + level) // 200)
            low[place], high[place] = signed[n - k], signed[k - 1]
            continue
        rank = _rank(level, n)
        if rank:
            half = float(sizes[rank - 1])
        else:
            half = max(size, spread * two_sided_quantile(1 - level / 100, freedom=n))
        low[place], high[place] = -half, half
    return (
        np.minimum.accumulate(np.minimum(low, 0.0)),
        np.maximum.accumulate(np.maximum(high, 0.0)),
    )


def _is_signed(level: int, n: int) -> bool:
    return (n + 1) * (100 - level) >= 100 * FEWEST_OUTSIDE


def _rank(level: int, n: int) -> int | None:
    """Return the rank of the absolute score, or None if there are too few."""
    rank = -(-(n + 1) * level // 100)
    return rank if rank <= n else None


def _calibrated(misses: Misses, volatility: Volatility) -> Intervals | None:
    scores = misses.errors / volatility.of(misses.windows)[:, None]  # (n, horizon)
    low, high, counts = [], [], []
    for step in scores.T:
        known = step[np.isfinite(step)]
        if len(known) < FEWEST_SCORES:
            break
        ends = ends_of(known)
        low.append(ends[0])
        high.append(ends[1])
        counts.append(len(known))
    if not counts:
        return None
    return Intervals(
        volatility=volatility,
        low=np.stack(low),
        high=np.stack(high),
        scores=min(counts),
        at_least=None,
    )


def _interval_score(misses: Misses, intervals: Intervals) -> float:
    """Return the mean over rows, steps and levels of width + 2/α (distance outside), times α."""
    steps = np.unique(np.linspace(0, intervals.steps - 1, MOST_STEPS_COMPARED).round().astype(int))
    columns = [level - LOWEST_LEVEL for level in COMPARED_LEVELS]
    alpha = 1 - np.array(COMPARED_LEVELS) / 100  # (levels,)
    volatility = intervals.volatility.of(misses.windows)[:, None]  # (n, 1)
    scores = []
    for step in steps:
        low = volatility * intervals.low[step, columns]  # (n, levels), around the forecast
        high = volatility * intervals.high[step, columns]
        came = misses.errors[:, step, None]  # (n, 1)
        outside = np.maximum(low - came, 0) + np.maximum(came - high, 0)
        scores.append(alpha * (high - low) + 2 * outside)
    every = np.stack(scores)
    return float(every[np.isfinite(every)].mean()) if np.isfinite(every).any() else np.inf
