"""Effects of columns known ahead on a series: what a promotion or a price adds to a value."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# How effects are estimated: from changes of the columns and the target, which no trend disturbs, or
# from their levels around a line, which noise disturbs less.
Estimate = Literal["none", "changes", "levels"]
ESTIMATES: tuple[Estimate, ...] = ("none", "changes", "levels")
ROWS_PER_COLUMN = 4


def effects(values: Floats, columns: Floats, estimate: Estimate) -> Floats:
    """Return how much one unit of each column adds, (known,), by least squares.

    Args:
        values: (rows,), in the scale in which effects add up, without missing values.
        columns: (rows, known), without missing values.
        estimate: from changes or from levels.

    Returns:
        0 for columns that never change, and for all if there are too few rows.
    """
    rows, count = columns.shape
    if estimate == "none" or rows < ROWS_PER_COLUMN * (count + 2):
        return np.zeros(count)
    if estimate == "changes":
        target, seen = np.diff(values), np.diff(columns, axis=0)
        design = seen
    else:
        time = np.linspace(-1.0, 1.0, rows)
        target, seen = values - values.mean(), columns - columns.mean(axis=0)
        design = np.column_stack((seen, time))
    spread = np.sqrt((design**2).mean(axis=0))
    spread[spread == 0] = 1.0
    found, *_ = np.linalg.lstsq(design / spread, target, rcond=1e-8)
    own: Floats = (found / spread)[:count]
    return own
