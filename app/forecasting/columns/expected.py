"""Columns that are not known ahead: what each is expected to be on the steps to come.

A column may act some rows later (its lag), so that the first steps have values that are known.
After those it returns to its usual value, as an autoregression of order one forecasts it:

    expected(h) = usual + share^(h - lag) (last - usual)    for h > lag

with the autocorrelation of neighboring rows as the share: a price stays, the weather is forgotten.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """How some columns continue, for one or several series."""

    lags: tuple[int, ...] = ()  # (columns,), rows after which each acts
    share: Floats = field(default_factory=lambda: np.zeros((1, 0)))  # (series, columns)
    usual: Floats = field(default_factory=lambda: np.zeros((1, 0)))  # (series, columns)

    def __len__(self) -> int:
        return len(self.lags)

    def seen(self, columns: Floats) -> Floats:
        """Return what acts in each row, (…, rows, columns); the first rows are repeated."""
        rows = np.arange(columns.shape[-2])
        places = [np.maximum(rows - lag, 0) for lag in self.lags]
        acting = [columns[..., own, at] for at, own in enumerate(places)]
        return np.stack(acting, axis=-1) if acting else columns[..., :0]

    def places(self, window: int, horizon: int) -> Ids:
        """Return the row of a window that each step continues from, (horizon, columns)."""
        steps = np.arange(1, horizon + 1)[:, None]
        rows: Ids = window - 1 - np.maximum(np.array(self.lags, dtype=np.int64) - steps, 0)
        return np.maximum(rows, 0)

    def factors(self, horizon: int) -> Floats:
        """Return the share of that row's distance from the usual, (series, horizon, columns)."""
        steps = np.arange(1, horizon + 1)[:, None] - np.array(self.lags, dtype=np.int64)
        powers: Floats = self.share[:, None, :] ** np.maximum(steps, 0)
        return powers

    def offsets(self, horizon: int) -> Floats:
        """Return what is added to it, (series, horizon, columns)."""
        added: Floats = self.usual[:, None, :] * (1 - self.factors(horizon))
        return added

    def ahead(self, columns: Floats, horizon: int, number: int = 0) -> Floats:
        """Return what is expected to act on the steps ahead, (n, horizon, columns).

        Args:
            columns: (n, window, columns).
            horizon: number of steps.
            number: row of the series.
        """
        places = self.places(columns.shape[1], horizon)
        last = columns[:, places, np.arange(len(self))]  # (n, horizon, columns)
        expected: Floats = last * self.factors(horizon)[number] + self.offsets(horizon)[number]
        return expected


def continued(columns: Floats) -> tuple[Floats, Floats]:
    """Measure share and usual value of columns (rows, columns) without missing values."""
    if not len(columns):
        return np.zeros(columns.shape[1]), np.zeros(columns.shape[1])
    usual = columns.mean(axis=0)
    size = np.abs(columns - usual).max(axis=0)
    around = (columns - usual) / np.where(size > 0, size, 1.0)
    spread = (around**2).sum(axis=0)
    both = (around[1:] * around[:-1]).sum(axis=0)
    share = np.divide(both, spread, out=np.zeros_like(both), where=spread > 0)
    return share.clip(0.0, 1.0), usual
