"""The forecast of a series that a run has not seen: an average of those that it has.

What other columns add is a share of its level. An effect of 40 units on a shop that sells 80 says
little about one that sells 800, where 400 are more likely. So what each known series adds is taken
by its own level, and averaged in logarithms.
"""

from collections.abc import Sequence

import numpy as np

from app.forecasting.linear_maps import LinearMap, homogeneous
from app.training.series.data import Floats, Group
from app.training.series.fitted_anchor import FittedAnchor
from app.training.task import Phase

LEAST_FACTOR = 0.1  # by which one unit of a column changes a value, at least


def effects_in_shares(fitted: Sequence[FittedAnchor], phase: Phase) -> Floats | None:
    """Return the mean effects in logarithms (columns,) of series whose effects are in their unit.

    None without effects, and for series that are not positive.
    """
    effects = np.stack([each.effects[phase] for each in fitted])  # (series, columns)
    if not effects.any() or min(least_of(each.group) for each in fitted) <= 0:
        return None
    levels = np.array([np.nanmean(each.group.target[: _cut(each.group)]) for each in fitted])
    factors = np.maximum(1 + effects / levels[:, None], LEAST_FACTOR)
    mean: Floats = np.log(factors).mean(axis=0)
    return mean


def least_of(group: Group) -> float:
    """Return the smallest value of a series before the cut; 0 if none is known."""
    known = group.target[: _cut(group)]
    known = known[np.isfinite(known)]
    return float(known.min(initial=np.inf)) if len(known) else 0.0


def keeping_level(weights: Floats) -> LinearMap:
    """Return a map of values (window, horizon) as one of logarithms.

    Where weights do not add up to 1, the mean of the window stands in: a share of a logarithm is
    not a share of the value.
    """
    return homogeneous(weights + (1 - weights.sum(axis=0)) / len(weights))


def _cut(group: Group) -> int:
    return group.split.test_start
