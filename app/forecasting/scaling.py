"""Scale values of any size to numbers that suit a network, and back.

Everything is in double precision: in single precision, 1,000,000.01 - 1,000,000.00 is 0.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A window is flat if its mean absolute distance from its last value is below this share of its
# largest value: 4,096 times the spacing of doubles, where differences are mostly rounding.
FLOOR = 2.0**-40
# Minimum scale, for a window of zeros.
TINY = 1e-300
SHORTEST_SCALED_WINDOW = 2


@dataclass(frozen=True, kw_only=True)
class Affine:
    """A scaling measured once, on training rows: (x - center) / scale."""

    center: Floats  # (features,)
    scale: Floats  # (features,), above 0

    @classmethod
    def minmax(cls, values: Floats) -> Self:
        """Map each column's training range to 0 to 1, as scikit-learn's MinMaxScaler does.

        Args:
            values: (rows, features), the training rows; NaN is left out.

        Raises:
            ValueError: a column without a finite value, or a range beyond the reach of doubles.
        """
        _check_columns(values)
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)  # (features,)
        with np.errstate(over="ignore"):
            scale = high - low
        # The same threshold as scikit-learn's: a constant column is shifted, not divided by noise.
        scale[scale < 10 * np.finfo(np.float64).eps] = 1.0
        return cls(center=low, scale=_measurable(low, scale))

    @classmethod
    def standard(cls, values: Floats) -> Self:
        """Map each column to mean 0 and variance 1, as scikit-learn's StandardScaler does.

        Args:
            values: (rows, features), the training rows; NaN is left out.

        Raises:
            ValueError: a column without a finite value, or a spread beyond the reach of doubles.
        """
        _check_columns(values)
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = np.nanmean(values, axis=0), np.nanvar(values, axis=0)  # (features,)
            count = (~np.isnan(values)).sum(axis=0)  # (features,)
            eps = np.finfo(np.float64).eps
            # The error bound of the two-pass variance (Chan, Golub & LeVeque 1983), by which
            # scikit-learn recognises a constant column.
            bound = count * eps * variance + (count * mean * eps) ** 2  # (features,)
            constant = np.isfinite(variance) & (variance <= bound)
            scale = np.where(constant, 1.0, np.sqrt(variance))  # (features,)
        return cls(center=mean, scale=_measurable(mean, scale))

    def transform(self, values: Floats) -> Floats:
        """Return scaled values, with the shape (..., features) of the input."""
        return (values - self.center) / self.scale

    def inverse(self, values: Floats) -> Floats:
        """Return values in their own unit again, with the shape (..., features) of the input."""
        return values * self.scale + self.center

    def column(self, index: int) -> Self:
        """Return the scaling of one column, such as the target's, for values (..., 1)."""
        chosen = slice(index, index + 1)
        return type(self)(center=self.center[chosen], scale=self.scale[chosen])


@dataclass(frozen=True, kw_only=True)
class WindowScaling:
    """A scaling measured separately on each window, so that the level of a series does not matter.

    With x the values of one window in one column,

        center = the last value
        scale = max(mean |x - center|, FLOOR * max |x| + TINY)

    A scaled window has a mean absolute value of at most 1, no value beyond the window's length and
    never a NaN, whatever the numbers (up to 1e300). Its last value is 0, so a network that returns
    0 forecasts the last value.
    """

    center: Floats  # (n, 1, features)
    scale: Floats  # (n, 1, features), above 0
    # (n, features): whether the floor applied, so that the window has no unit for changes
    flat: Mask

    @classmethod
    def of(cls, inputs: Floats) -> Self:
        """Measure windows (n, window, features).

        Raises:
            ValueError: a window has only one step, which has no spread to measure.
        """
        if inputs.ndim != 3 or inputs.shape[1] < SHORTEST_SCALED_WINDOW:
            raise ValueError(
                f"window scaling needs windows (n, 2 or more steps, features), not {inputs.shape}"
            )
        center = inputs[:, -1:, :]  # (n, 1, features)
        spread = np.abs(inputs - center).mean(axis=1, keepdims=True)  # (n, 1, features)
        floor = FLOOR * np.abs(inputs).max(axis=1, keepdims=True) + TINY  # (n, 1, features)
        return cls(center=center, scale=np.maximum(spread, floor), flat=(spread <= floor)[:, 0, :])

    def transform(self, inputs: Floats) -> Floats:
        """Return scaled windows, (n, window, features)."""
        return (inputs - self.center) / self.scale

    def transform_targets(self, targets: Floats, *, feature: int) -> Floats:
        """Return scaled targets (n, horizon) of the column `feature`.

        After a flat window a change is huge in this unit, so leave out such windows in training.
        """
        return (targets - self.center[:, :, feature]) / self.scale[:, :, feature]

    def inverse(self, values: Floats, *, feature: int) -> Floats:
        """Return values (n, horizon) of the column `feature` in their own unit again."""
        return values * self.scale[:, :, feature] + self.center[:, :, feature]


def _check_columns(values: Floats) -> None:
    if values.ndim != 2:
        raise ValueError(f"values have shape {values.shape}; (rows, features) needed")
    if np.isinf(values).any():
        raise ValueError("values must be finite or missing (NaN), not infinite")
    empty = np.flatnonzero(np.isnan(values).all(axis=0))
    if len(empty):
        raise ValueError(f"column {empty[0]} has no value in the training rows")


def _measurable(center: Floats, scale: Floats) -> Floats:
    """Return the scale, or raise if doubles cannot represent it."""
    beyond = ~(np.isfinite(center) & np.isfinite(scale))
    if beyond.any():
        raise ValueError(
            f"column {np.flatnonzero(beyond)[0]} spreads beyond what double precision can measure"
        )
    return scale
