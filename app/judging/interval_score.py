"""Compute figures of prediction intervals: their coverage and their width. No I/O."""

import numpy as np
from numpy.typing import NDArray

from app.artifact.scorecard import LevelScore
from app.forecasting.metrics import coverage, pinball
from app.judging.forecasts import SCORED_LEVELS, Floats


def level_scores(
    bounds: Floats, actual: Floats, *, counted: NDArray[np.bool_], unit: Floats
) -> tuple[LevelScore, ...]:
    """Return coverage, mean width and mean pinball loss of each scored level.

    Args:
        bounds: (n, steps, levels, 2), low and high of the first steps.
        actual: (n, horizon), actual values; at least as many steps.
        counted: (n, horizon), whether a place counts.
        unit: (n,), the divisor of widths and losses.

    Returns:
        The scores, or nothing if no place that counts has an interval.
    """
    steps = bounds.shape[1]
    there = counted[:, :steps] & np.isfinite(bounds).all(axis=(2, 3))  # (n, steps)
    if not there.any():
        return ()
    came = actual[:, :steps][there]  # (places,)
    sizes = np.repeat(unit[:, None], steps, axis=1)[there]
    ends = bounds[there]  # (places, levels, 2)
    zero = np.zeros(len(came))
    scores = []
    for place, level in enumerate(SCORED_LEVELS):
        low, high = ends[:, place, 0], ends[:, place, 1]
        tail = (1 - level / 100) / 2
        scores.append(
            LevelScore(
                level=level,
                rows=len(came),
                coverage=coverage(came, low, high),
                width=float(((high - low) / sizes).mean()),
                pinball=(
                    pinball((came - low) / sizes, zero, tail)
                    + pinball((came - high) / sizes, zero, 1 - tail)
                )
                / 2,
            )
        )
    return tuple(scores)
