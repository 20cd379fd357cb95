"""Series as training examples, and their division by time."""

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

# Forecasts are judged from at least so many origins, where the rows allow it.
ORIGINS = 3
LARGEST_GROWN_SHARE = 0.4


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows of a series and what came after each. May be views of the series: do not write."""

    inputs: Floats  # (n, window, features)
    targets: Floats  # (n, horizon)
    first: Ids  # (n,), the row of the first target, which is also the number of rows before it

    def __len__(self) -> int:
        return len(self.first)

    @property
    def horizon(self) -> int:
        """Steps ahead in each target."""
        return int(self.targets.shape[1])

    def where(self, chosen: Mask) -> Self:
        """The windows that a mask (n,) chooses."""
        return type(self)(
            inputs=self.inputs[chosen], targets=self.targets[chosen], first=self.first[chosen]
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The windows of several series, in the order given; `first` counts in each one's rows.

        Raises:
            ValueError: no parts, or parts of unlike window, features or horizon.
        """
        return cls(
            inputs=np.concatenate([part.inputs for part in parts]),  # (sum of n, window, features)
            targets=np.concatenate([part.targets for part in parts]),  # (sum of n, horizon)
            first=np.concatenate([part.first for part in parts]),  # (sum of n,)
        )


def windows(values: Floats, target: Floats, *, window: int, horizon: int) -> Windows:
    """Every window of a series that is followed by all of its targets.

    Windows with a value or target that is not finite are left out: a gap in the data makes no
    example, and none is made up.

    Args:
        values: (rows, features), the inputs, oldest first.
        target: (rows,), what is to be forecast.
        window: past steps in an input.
        horizon: steps ahead in a target.

    Returns:
        n windows, n = rows - window - horizon + 1 without gaps, 0 if that is not positive.

    Raises:
        ValueError: shapes that do not go together; a window or horizon below 1.
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
    """Which stretches of `length` rows are good throughout, (rows - length + 1,)."""
    bad = np.concatenate(
        ([0], np.cumsum(np.logical_not(good)))
    )  # (rows + 1,), bad rows before each
    clean: Mask = bad[length:] == bad[:-length]
    return clean


def complete_runs(good: Mask) -> list[int]:
    """Lengths of the stretches of good rows between bad ones, the empty ones too."""
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
        """The windows (n,) whose targets all lie in the training rows."""
        ends: Mask = examples.first + examples.horizon <= self.validation_start
        return ends

    def validation(self, examples: Windows) -> Mask:
        """The windows (n,) whose targets all lie in the validation rows; inputs may lie before."""
        inside: Mask = (examples.first >= self.validation_start) & (
            examples.first + examples.horizon <= self.test_start
        )
        return inside

    def test(self, examples: Windows) -> Mask:
        """The windows (n,) whose targets all lie in the test rows; inputs may lie before."""
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
    """Divide rows by time.

    A part that is kept at all holds whole forecasts from ORIGINS origins, where that takes no more
    than LARGEST_GROWN_SHARE of the rows.

    Args:
        rows: how many there are, oldest first.
        test_fraction: share of the rows, at their end, that is judged on; rounded up.
        validation_fraction: share of the remaining rows, at their end; rounded up.
        horizon: steps ahead of a forecast.
        series: how many series the rows are of, all of them cut at one moment.

    Raises:
        ValueError: a fraction outside 0 (included) to 1 (not).
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
    # As written, not as stored: 0.07 of 100 rows is 7, though 100 * 0.07 is a little more.
    share = math.ceil(rows * Fraction(repr(float(fraction))))
    return max(share, min(least, int(LARGEST_GROWN_SHARE * rows))) if share else 0
