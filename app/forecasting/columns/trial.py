"""Which columns explain the errors of simple forecasts, judged on rows they were not fitted on.

For a forecast that is linear in the window, an effect b of a column x changes the error to

    e - b · r,    r = x ahead - forecast of x by the same weights

so that its effects are found by least squares of the errors on r, without fitting the forecast
again. Columns are added one by one, the most helpful first, while the gain on later rows is large
enough and stands out from noise (`shrinkage.kept_share`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.forecasting.shrinkage import kept_share

Floats = NDArray[np.float64]

# A column is used if it reduces the RMSE on later rows at least to this share …
LEAST_GAIN = 0.98
# … and at least this much of what it adds stands out from noise: a gain of 2.5 standard errors, as
# the best of many columns is sometimes good by chance.
LEAST_KEPT = 0.5
EQUAL_DIGITS = 3  # of ratios; of columns that help equally, the first is used
RIDGE = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """The errors of one series, and what each candidate could explain of them."""

    fitted: Floats  # (n, horizon), actual minus forecast at the origins to estimate on
    judged: Floats  # (m, horizon), likewise at later origins
    # (n, horizon, columns) and (m, horizon, columns) of each candidate
    regressors: Sequence[tuple[Floats, Floats]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a candidate did to the errors on later rows, beside the columns chosen before it."""

    ratio: float  # of the RMSE with it to that without it
    used: bool


def try_columns(
    trials: Sequence[Trial], sources: Sequence[str], *, always: frozenset[str] = frozenset()
) -> list[Outcome]:
    """Choose columns for all series together.

    Args:
        trials: the series, with errors in comparable units.
        sources: the column that each candidate stands for; at most one candidate of each is used.
        always: columns that are used whether they help or not; of their candidates, the best.

    Returns:
        The outcome of each candidate.
    """
    solved = [_Solved(trial) for trial in trials]
    outcomes = [Outcome(ratio=1.0, used=False) for _ in sources]
    chosen: list[int] = []
    errors = np.concatenate([trial.judged for trial in trials])
    left = list(range(len(sources)))
    while left:
        base = _rmse(errors)
        tried = {each: _joined(solved, [*chosen, each]) for each in left}
        for each, own in tried.items():
            outcomes[each] = Outcome(ratio=_rmse(own) / base if base else 1.0, used=False)
        must = [each for each in left if sources[each] in always]
        best = min(must or left, key=lambda each: round(outcomes[each].ratio, EQUAL_DIGITS))
        kept = kept_share(errors, errors - tried[best])
        if not must and (outcomes[best].ratio > LEAST_GAIN or kept < LEAST_KEPT):
            break
        outcomes[best] = replace(outcomes[best], used=True)
        chosen.append(best)
        errors = tried[best]
        left = [each for each in left if sources[each] != sources[best]]
    return outcomes


class _Solved:
    """The candidates of one series, ready for least squares on any of them together."""

    def __init__(self, trial: Trial) -> None:
        self._errors = trial.judged
        fitted, self._judged = [], []
        for own, later in trial.regressors:
            columns = own.reshape(-1, own.shape[-1])  # (n * horizon, columns)
            size = np.abs(columns).max(axis=0, initial=0.0)
            size[size == 0] = 1.0
            fitted.append(columns / size)
            self._judged.append(later.reshape(-1, own.shape[-1]) / size)
        widths = [each.shape[1] for each in fitted]
        ends = np.cumsum(widths)
        self._places = [
            np.arange(end - width, end) for end, width in zip(ends, widths, strict=True)
        ]
        design = np.concatenate(fitted, axis=1)
        self._normal = design.T @ design
        self._products = design.T @ trial.fitted.ravel()

    def errors(self, candidates: Sequence[int]) -> Floats:
        """Return the errors on later rows with the effects of some candidates, (m, horizon)."""
        own = np.concatenate([self._places[each] for each in candidates])
        normal = self._normal[np.ix_(own, own)]
        ridge = RIDGE * (np.trace(normal) / len(own) or 1.0)
        effects = np.linalg.solve(normal + ridge * np.eye(len(own)), self._products[own])
        columns = np.concatenate([self._judged[each] for each in candidates], axis=1)
        left: Floats = self._errors - (columns @ effects).reshape(self._errors.shape)
        return left


def _joined(solved: Sequence[_Solved], candidates: Sequence[int]) -> Floats:
    return np.concatenate([each.errors(candidates) for each in solved])


def _rmse(errors: Floats) -> float:
    return float(np.sqrt((errors**2).mean())) if errors.size else 0.0
