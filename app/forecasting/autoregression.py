"""Fit a linear autoregression, the strongest of the simple baselines if there is structure."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

# The ridge penalty is chosen from these, per standardised column and training row.
PENALTIES = np.logspace(-6, 3, 19)
# A linear model with at most a few hundred lags learns nothing more from older rows.
MOST_FITTED_ROWS = 20_000
FEWEST_EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class LinearAutoregression:
    """A linear function of the last values, one for each step of the horizon.

    With d_k the value k rows before the last, minus the last,

        forecast of step h = last + intercept_h + Σ_k weights_hk d_k + weights_h0 last

    so that it shrinks towards the last value. It is fitted by ridge regression on standardised
    columns (Hoerl & Kennard 1970); the penalty of each step is chosen by leave-one-out errors,
    which ridge has in closed form (Golub, Heath & Wahba 1979).

    Without `level` the term weights_h0 is omitted, and the level of a series does not matter. That
    costs accuracy if a series returns to a mean that is further back than its lags reach (5 % on an
    autoregression of order 3 with 10 lags).
    """

    lags: int  # number of past values that it sees
    horizon: int = 1  # number of steps that it is fitted for
    level: bool = True  # whether the last value itself counts, not only differences from it
    penalty: float | None = None  # per row and standardised column; None: chosen automatically
    name: str = "linear autoregression"
    # (columns, horizon), for d_k with k = lags - 1 … 1, oldest first, and for the last value.
    weights: Floats | None = None
    intercept: Floats | None = None  # (horizon,), in the target's unit

    def __post_init__(self) -> None:
        fewest = 1 if self.level else 2
        if self.lags < fewest or self.horizon < 1:
            raise ValueError(
                f"lags {self.lags} and horizon {self.horizon}; at least {fewest} and 1 needed"
            )

    @property
    def min_history(self) -> int:
        """The number of lags."""
        return self.lags

    def fit(self, values: Floats) -> Self:
        """Fit on training rows (rows,); examples with a gap are left out.

        Raises:
            ValueError: fewer than 3 examples without a gap.
        """
        view = np.lib.stride_tricks.sliding_window_view
        width = self.lags + self.horizon
        examples = view(values, width) if len(values) >= width else np.empty((0, width))
        examples = examples[np.isfinite(examples).all(axis=1)][-MOST_FITTED_ROWS:]  # (n, width)
        if len(examples) < FEWEST_EXAMPLES:
            raise ValueError(
                f"{len(examples)} examples of {self.lags} values and the next {self.horizon}; "
                f"at least {FEWEST_EXAMPLES} needed"
            )
        last = examples[:, self.lags - 1 : self.lags]  # (n, 1)
        ahead = examples[:, self.lags :] - last  # (n, horizon)
        columns = self._columns(examples[:, : self.lags])  # (n, columns)
        weights, intercept = ridge(columns, ahead, penalty=self.penalty)
        return replace(self, weights=weights, intercept=intercept)

    def forecasts(self, values: Floats, origins: Ids, *, horizon: int) -> Floats:
        """Return forecasts (n, horizon) from the origins.

        Raises:
            ValueError: not fitted, or asked for more steps than it was fitted for.
        """
        if self.weights is None or self.intercept is None:
            raise ValueError("the linear autoregression was not fitted")
        if horizon > self.horizon:
            raise ValueError(f"asked for {horizon} steps, fitted for {self.horizon}")
        result = np.full((len(origins), horizon), np.nan)
        usable = (origins >= self.lags) & (origins <= len(values))  # (n,)
        places = origins[usable][:, None] - np.arange(self.lags, 0, -1)  # (usable, lags)
        recent = values[places]  # (usable, lags), oldest first
        change = self._columns(recent) @ self.weights[:, :horizon]  # (usable, horizon)
        result[usable] = recent[:, -1:] + self.intercept[:horizon] + change
        return result

    def _columns(self, recent: Floats) -> Floats:
        """Return what the forecast is linear in, (n, columns), from the last values (n, lags)."""
        last = recent[:, -1:]  # (n, 1)
        differences = recent[:, :-1] - last  # (n, lags - 1)
        return np.hstack((differences, last)) if self.level else differences


def ridge(
    x: Floats, y: Floats, *, penalty: float | None = None, intercept: bool = True
) -> tuple[Floats, Floats]:
    """Fit weights (columns, outputs) and intercepts (outputs,) by ridge regression.

    Args:
        x: (n, columns), of any spread: they are standardised.
        y: (n, outputs).
        penalty: per row and standardised column; None: chosen for each output by leave-one-out.
        intercept: without one, columns are measured from 0 and intercepts are 0.
    """
    n = len(x)
    center = x.mean(axis=0) if intercept else np.zeros(x.shape[1])  # (columns,)
    spread = np.sqrt(((x - center) ** 2).mean(axis=0))  # (columns,)
    spread[spread == 0] = 1.0
    level = y.mean(axis=0) if intercept else np.zeros(y.shape[1])  # (outputs,)
    left, sizes, right = np.linalg.svd((x - center) / spread, full_matrices=False)
    # Shapes: left (n, rank), sizes (rank,), right (rank, columns).
    projected = left.T @ (y - level)  # (rank, outputs)
    best = np.full(y.shape[1], np.inf)  # (outputs,)
    chosen = np.zeros((x.shape[1], y.shape[1]))  # (columns, outputs), for standardised columns
    for candidate in PENALTIES if penalty is None else [penalty]:
        shrunk = sizes**2 / (sizes**2 + candidate * n)  # (rank,)
        influence = (left**2) @ shrunk + (1 / n if intercept else 0)  # (n,), of rows on own fits
        residual = (y - level) - left @ (shrunk[:, None] * projected)  # (n, outputs)
        left_out = ((residual / (1 - influence).clip(min=1e-9)[:, None]) ** 2).mean(axis=0)
        factor = np.divide(shrunk, sizes, out=np.zeros_like(sizes), where=sizes > 0)  # (rank,)
        weights = right.T @ (factor[:, None] * projected)  # (columns, outputs)
        better = left_out < best  # (outputs,)
        best = np.where(better, left_out, best)
        chosen = np.where(better, weights, chosen)
    weights = chosen / spread[:, None]  # (columns, outputs)
    return weights, level - center @ weights
