"""Turn series into training examples, and split them by time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Forecasts are judged from at least this many origins, if there are enough rows.
ORIGINS = 3
LARGEST_GROWN_SHARE = 0.4


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows of a series and the values after each; they may be views, so do not write."""

    inputs: Floats  # (n, window, features)
    targets: Floats  # (n, horizon)
    first: Ids  # (n,), the row of the first target, which is also the number of rows before it

    def __len__(self) -> int:
        return len(self.first)

    @property
    def horizon(self) -> int:
        """Number of steps ahead in each target."""
        return int(self.targets.shape[1])

    def where(self, chosen: Mask) -> Self:
        """Return the windows that a mask (n,) selects."""
        return type(self)(
            inputs=self.inputs[chosen], targets=self.targets[chosen], first=self.first[chosen]
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Join the windows of several series in this order; `first` counts in each one's rows.

        Raises:
            ValueError: no parts, or parts of unlike window, features or horizon.
        """
        return cls(
            inputs=np.concatenate([part.inputs for part in parts]),  # (sum of n, window, features)
            targets=np.concatenate([part.targets for part in parts]),  # (sum of n, horizon)
            first=np.concatenate([part.first for part in parts]),  # (sum of n,)
        )


def windows(values: Floats, target: Floats, *, window: int, horizon: int) -> Windows:
    """Return every window of a series that is followed by all of its targets.

    Windows with a value or target that is not finite are left out: a gap makes no example, and no
    value is invented.

    Args:
        values: (rows, features), the inputs, oldest first.
        target: (rows,), the values to be forecast.
        window: past steps in an input.
        horizon: steps ahead in a target.

    Returns:
        n windows, n = rows - window - horizon + 1 without gaps, 0 if that is not positive.

    Raises:
        ValueError: shapes do not match; a window or horizon is below 1.
    """
    if values.ndim != 2 or target.shape != values.shape[:1]:
        raise ValueError(
            f"values {values.shape} and target {target.shape}; (rows, features) and (rows,) needed"
        )
    if window < 1 or horizon < 1:
        raise ValueError(f"window {window} and horizon {horizon} must be 1 or more")
    rows, features = values.shape
    count = rows - window - horizon + 1
    if count < 1:
        return Windows(
            inputs=np.empty((0, window, features)),
            targets=np.empty((0, horizon)),
            first=np.empty(0, dtype=np.int64),
        )
    sliding = np.lib.stride_tricks.sliding_window_view
    inputs = sliding(values, window, axis=0)[:count].swapaxes(1, 2)  # (n, window, features)
    targets = sliding(target[window:], horizon)  # (n, horizon)
    every = Windows(inputs=inputs, targets=targets, first=np.arange(window, window + count))
    finite = _runs_of(np.isfinite(values).all(axis=1), window)[:count]  # (n,)
    finite &= _runs_of(np.isfinite(target), horizon)[window:]
    return every if finite.all() else every.where(finite)


def _runs_of(good: ArrayLike, length: int) -> Mask:
    """Return which runs of `length` rows are completely good, (rows - length + 1,)."""
    bad = np.concatenate(
        ([0], np.cumsum(np.logical_not(good)))
    )  # (rows + 1,), bad rows before each
    clean: Mask = bad[length:] == bad[:-length]
    return clean


def complete_runs(good: Mask) -> list[int]:
    """Return the lengths of the runs of good rows between bad ones, including empty ones."""
    bad = np.flatnonzero(~good)
    edges = np.concatenate(([-1], bad, [len(good)]))
    return [int(length) for length in np.diff(edges) - 1]


@dataclass(frozen=True, kw_only=True)
class Split:
    """A division of rows by time: training, then validation, then test."""

    rows: int
    validation_start: int  # first row after training
    test_start: int  # first row of the test part

    def training(self, examples: Windows) -> Mask:
        """Return the windows (n,) whose targets are all training rows."""
        ends: Mask = examples.first + examples.horizon <= self.validation_start
        return ends

    def validation(self, examples: Windows) -> Mask:
        """Return the windows (n,) whose targets are all validation rows; inputs may be earlier."""
        inside: Mask = (examples.first >= self.validation_start) & (
            examples.first + examples.horizon <= self.test_start
        )
        return inside

    def test(self, examples: Windows) -> Mask:
        """Return the windows (n,) whose targets are all test rows; inputs may be earlier."""
        starts: Mask = examples.first >= self.test_start
        return starts


def split_rows(
    rows: int,
    *,
    test_fraction: float,
    validation_fraction: float,
    horizon: int = 1,
    series: int = 1,
) -> Split:
    """Split rows by time.

    A part that is kept contains complete forecasts from ORIGINS origins, if that takes at most
    LARGEST_GROWN_SHARE of the rows.

    Args:
        rows: their number, oldest first.
        test_fraction: share of the rows, at their end, that is judged on; rounded up.
        validation_fraction: share of the remaining rows, at their end; rounded up.
        horizon: steps ahead of a forecast.
        series: number of series that the rows belong to, all cut at the same time.

    Raises:
        ValueError: a fraction is negative, or 1 or more.
    """
    least = series * (horizon + ORIGINS - 1) if horizon > 1 else 0
    test_start = rows - _share(rows, test_fraction, least)
    return Split(
        rows=rows,
        validation_start=test_start - _share(test_start, validation_fraction, least),
        test_start=test_start,
    )


def _share(rows: int, fraction: float, least: int) -> int:
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction {fraction} must be at least 0 and below 1")
    # As written, not as stored: 0.07 of 100 rows is 7, although 100 * 0.07 is slightly more.
    share = math.ceil(rows * Fraction(repr(float(fraction))))
    return max(share, min(least, int(LARGEST_GROWN_SHARE * rows))) if share else 0
