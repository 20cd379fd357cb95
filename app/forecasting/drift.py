"""Measure whether a version's inputs still resemble its training data."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

BINS = 10
# A share of zero would make the index infinite; this floor is common practice.
SMALLEST_SHARE = 1e-4


def inner_deciles(values: Floats) -> tuple[float, ...]:
    """Return the nine deciles between the lowest and the highest value.

    Args:
        values: any shape; NaN is left out.

    Raises:
        ValueError: there is no number.
    """
    numbers = values[np.isfinite(values)]
    if not len(numbers):
        raise ValueError("no finite value to take deciles of")
    shares = np.arange(1, BINS) / BINS
    # Actual values: an interpolated quantile would expect a share between values that do not occur.
    return tuple(np.quantile(numbers, shares, method="inverted_cdf").tolist())


def binned(values: Floats, quantiles: Sequence[float]) -> Counts:
    """Count the values in each bin: up to the first quantile, …, above the last.

    Args:
        values: (values,) finite.
        quantiles: (bins - 1,) rising; equal adjacent ones leave the bin between them empty.

    Returns:
        Counts, (bins,).
    """
    # "left": a value equal to a quantile belongs to the bin that ends there.
    bins = np.searchsorted(np.asarray(quantiles), values, side="left")
    return np.bincount(bins, minlength=len(quantiles) + 1).astype(np.int64)


def population_stability(
    counts: Sequence[int], quantiles: Sequence[float], *, highest: float
) -> float:
    """Return the population stability index of binned values against even training quantiles.

    It is the sum over the bins of (shown - trained) * ln(shown / trained), of shares; 0 if they
    agree. Source: Siddiqi, Credit Risk Scorecards (2006), chapter 9, where 0.1 calls for a check
    and 0.25 for action. Bins between equal quantiles (a frequent value in the training data) are
    merged.

    Args:
        counts: (bins,) from `binned`.
        quantiles: (bins - 1,) rising, at evenly spaced shares of the training values.
        highest: the largest training value; if it is the last quantile, no value was above.

    Returns:
        The index, at least 0; NaN if nothing was counted.

    Raises:
        ValueError: the number of bins is not that of the quantiles plus 1.
    """
    bins = len(quantiles) + 1
    if len(counts) != bins:
        raise ValueError(f"{len(quantiles)} quantiles bound {bins} bins, not {len(counts)}")
    total = sum(counts)
    if total == 0:
        return float("nan")
    edges = np.asarray(quantiles, dtype=np.float64)
    # A bin with two equal ends is empty; its training values count to the bin before it.
    starts = np.concatenate([[True], edges[1:] != edges[:-1], [edges[-1] < highest]])
    group = np.cumsum(starts) - 1
    trained = np.bincount(group) / bins
    shown = np.bincount(group, weights=counts) / total
    if not starts[-1]:
        # No training value was above the last quantile, so all values there are new.
        above = counts[-1] / total
        trained = np.append(trained, 0.0)
        shown = np.append(shown, above)
        shown[-2] -= above
    shown, trained = np.maximum(shown, SMALLEST_SHARE), np.maximum(trained, SMALLEST_SHARE)
    return float(np.sum((shown - trained) * np.log(shown / trained)))
