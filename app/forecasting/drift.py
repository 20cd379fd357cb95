"""Whether the values a version is shown are still like those it was trained on."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

BINS = 10
# A share of zero would make the index infinite; this floor is the usual one.
SMALLEST_SHARE = 1e-4


def inner_deciles(values: Floats) -> tuple[float, ...]:
    """The nine values between which a tenth of the others lies each.

    Args:
        values: any shape; NaN are left out.

    Raises:
        ValueError: there is no number.
    """
    numbers = values[np.isfinite(values)]
    if not len(numbers):
        raise ValueError("no finite value to take deciles of")
    shares = np.arange(1, BINS) / BINS
    # Values that are there: between them, a share that no value has would be expected.
    return tuple(np.quantile(numbers, shares, method="inverted_cdf").tolist())


def binned(values: Floats, quantiles: Sequence[float]) -> Counts:
    """How many of the values lie in each bin: up to the first quantile, …, above the last.

    Args:
        values: (values,) finite.
        quantiles: (bins - 1,) rising; equal neighbours leave the bin between them empty.

    Returns:
        (bins,) counts.
    """
    # "left": a value equal to a quantile belongs to the bin that it ends.
    bins = np.searchsorted(np.asarray(quantiles), values, side="left")
    return np.bincount(bins, minlength=len(quantiles) + 1).astype(np.int64)


def population_stability(
    counts: Sequence[int], quantiles: Sequence[float], *, highest: float
) -> float:
    """The population stability index of binned values against evenly spaced training quantiles.

    Sum over the bins of (shown - trained) * ln(shown / trained), of shares; 0 where they agree.
    Source: Siddiqi, Credit Risk Scorecards (2006), chapter 9, where 0.1 calls for a look and 0.25
    for action. Bins between equal quantiles (a value that is frequent in the training data) are
    taken together.

    Args:
        counts: (bins,) as `binned` gives them.
        quantiles: (bins - 1,) rising, at evenly spaced shares of the training values.
        highest: the largest training value; where it is the last quantile, nothing lay above.

    Returns:
        The index, at least 0; NaN if nothing was counted.

    Raises:
        ValueError: there is not one bin more than quantiles.
    """
    bins = len(quantiles) + 1
    if len(counts) != bins:
        raise ValueError(f"{len(quantiles)} quantiles bound {bins} bins, not {len(counts)}")
    total = sum(counts)
    if total == 0:
        return float("nan")
    edges = np.asarray(quantiles, dtype=np.float64)
    # A bin whose two ends are equal is empty; what was trained there counts to the bin before it.
    starts = np.concatenate([[True], edges[1:] != edges[:-1], [edges[-1] < highest]])
    group = np.cumsum(starts) - 1
    trained = np.bincount(group) / bins
    shown = np.bincount(group, weights=counts) / total
    if not starts[-1]:
        # Nothing was trained above the last quantile: what is shown there is all new.
        above = counts[-1] / total
        trained = np.append(trained, 0.0)
        shown = np.append(shown, above)
        shown[-2] -= above
    shown, trained = np.maximum(shown, SMALLEST_SHARE), np.maximum(trained, SMALLEST_SHARE)
    return float(np.sum((shown - trained) * np.log(shown / trained)))
