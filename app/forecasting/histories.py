"""A series that can be read from any of its rows: holes filled, missing earlier rows added."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.artifact.manifest import Manifest
from app.forecasting.holes import ROWS_FOR_A_SLOPE, filled, holes, led

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far back a version reads, and what it can do without."""

    window: int  # rows that are read
    # with fewer rows before an origin it cannot be forecast; what is missing to `window` is put
    # before them
    least: int
    longest_hole: int  # consecutive missing rows that are still filled
    season: int | None  # the season used for filling

    @classmethod
    def of(cls, manifest: Manifest) -> "Reach":
        """Return the reach of a version; older versions fill no holes."""
        series = manifest.series
        return cls(
            window=manifest.window or manifest.min_history,
            least=manifest.min_history,
            longest_hole=0 if series is None else series.longest_hole,
            season=None if series is None else series.season,
        )

    def read(self, column: Floats) -> Floats:
        """Return a window (window,) of the last known rows of a column (rows,), oldest first.

        Holes are filled and missing earlier rows put before it, using only the rows themselves.

        Raises:
            ValueError: no value is known.
        """
        return led(
            filled(column[-self.window :], season=self.season),
            max(0, self.window - len(column)),
            season=self.season,
        )

    @property
    def _settled(self) -> int:
        """Return after how many rows the ones put before a series no longer change."""
        return max(ROWS_FOR_A_SLOPE, 2 * (self.season or 0))

    def needs_reading(self, values: Floats, origins: Ids) -> Mask:
        """Return which windows (n, window) of extended columns differ from what `read` returns."""
        missing = np.isnan(values).any(axis=1)
        unsettled = (origins < self._settled) & (origins < self.window)
        needs: Mask = missing | unsettled
        return needs


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """The columns of one series, read in windows that see nothing after them."""

    reach: Reach
    columns: Floats  # (rows, features), NaN where a value is missing
    readable: Mask  # (rows + 1,), whether the window before each row can be read
    ahead: Floats  # (window + rows, features), the columns with earlier rows put before them

    @classmethod
    def of(cls, columns: Floats, reach: Reach) -> "History":
        """Take columns (rows, features), NaN where a value is missing."""
        return cls(
            reach=reach,
            columns=columns,
            readable=np.logical_and.reduce([_readable(column, reach) for column in columns.T]),
            ahead=np.stack([_led(column, reach) for column in columns.T], axis=1),
        )

    def origins(self, first: int = 0) -> Ids:
        """Return the rows, from `first` on, whose preceding window can be read."""
        found: Ids = np.flatnonzero(self.readable)
        return found[found >= first]

    def windows(self, origins: Ids, *, newest: int | None = None) -> Floats:
        """Return the windows before some readable rows, (n, window, features).

        Args:
            origins: (n,) rows.
            newest: only this many of the newest rows of each window; None for all.
        """
        count = self.reach.window
        view = np.lib.stride_tricks.sliding_window_view(self.ahead, count, axis=0)
        windows = view[origins].swapaxes(1, 2).copy()  # (n, window, features)
        for feature in range(windows.shape[2]):
            needs = self.reach.needs_reading(windows[:, :, feature], origins)
            for row in np.flatnonzero(needs):
                column = self.columns[: origins[row], feature]
                first = np.flatnonzero(np.isfinite(column))[0]
                windows[row, :, feature] = self.reach.read(column[first:])
        return windows if newest is None else windows[:, -newest:]


def _readable(column: Floats, reach: Reach) -> Mask:
    """Return before which rows (rows + 1,) the window of a column (rows,) can be read.

    The newest row must be known, enough rows must come before, and no hole in the window may be too
    long.
    """
    known = np.isfinite(column)
    readable = np.concatenate(([False], known))
    if not known.any():
        return readable
    first = int(np.flatnonzero(known)[0])
    readable[: min(first + reach.least, len(readable))] = False
    for start, length in holes(column):
        if start > first and length > reach.longest_hole:
            readable[start + 1 : start + length + reach.window] = False
    return readable


def _led(column: Floats, reach: Reach) -> Floats:
    """Return a column extended by rows before its first known one, (window + rows,)."""
    known = np.flatnonzero(np.isfinite(column))
    if not len(known):
        return np.full(reach.window + len(column), np.nan)
    own = column[known[0] :]
    start = filled(own[: max(2 * (reach.season or 0), ROWS_FOR_A_SLOPE)], season=None)
    lead = led(start, reach.window + int(known[0]), season=reach.season)
    return np.concatenate((lead[: -len(start)], own))


def ahead_of(columns: Floats, first: Ids, horizon: int) -> Floats:
    """Return the rows of columns (rows, known) after some rows, (n, horizon, known).

    Missing values and those past the last row repeat the value before: they are unknown, and
    nothing is measured on them.
    """
    padded = np.concatenate((columns, np.full((horizon, columns.shape[1]), np.nan)))
    for column in padded.T:
        known = np.isfinite(column)
        if known.any():
            rows = np.where(known, np.arange(len(column)), np.flatnonzero(known)[0])
            column[:] = column[np.maximum.accumulate(rows)]
    ahead: Floats = padded[first[:, None] + np.arange(horizon)]
    return ahead


def joined(parts: Sequence[Floats | None]) -> Floats | None:
    """Join the known columns of several series; None if there are none."""
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None
