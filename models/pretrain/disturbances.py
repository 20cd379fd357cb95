"""Disturb series: outliers, shifts, gaps, a late start."""

import numpy as np

from models.pretrain.recursions import Chance, Floats, normal, stepwise

OUTLIERS, SHIFTS, DIPS, GAPS = 0.10, 0.08, 0.04, 0.08  # shares of series


def disturb(chance: Chance, values: Floats) -> Floats:
    """Return the series with outliers, level shifts and passing changes in some of them."""
    count, length = values.shape
    size = values.std(axis=1, keepdims=True) + np.abs(np.diff(values, axis=1)).mean(
        axis=1, keepdims=True
    )
    hit = chance.random((count, 1)) < OUTLIERS
    places = hit & stepwise(chance, count, length, chance.uniform(0.001, 0.03, (count, 1)))
    changed = values + places * size * chance.uniform(1, 6, (count, 1)) * normal(
        chance, count, length
    )
    for share, lasts in ((SHIFTS, length), (DIPS, 20)):
        rows = np.flatnonzero(chance.random(count) < share)
        start = chance.integers(0, length, (len(rows), 1))
        end = start + (length if lasts == length else chance.integers(2, lasts, (len(rows), 1)))
        time = np.arange(length)[None]
        inside = (time >= start) & (time < end)
        changed[rows] += inside * size[rows] * chance.normal(0, 1.2, (len(rows), 1))
    return np.asarray(changed, np.float32)


def leave_gaps(chance: Chance, values: Floats) -> Floats:
    """Return the series with missing values, alone or in runs, in some of them."""
    count, length = values.shape
    rows = np.flatnonzero(chance.random(count) < GAPS)
    if not len(rows):
        return values
    begins = stepwise(chance, len(rows), length, chance.uniform(0.002, 0.05, (len(rows), 1)))
    missing = begins.copy()
    runs = chance.integers(1, 15, (len(rows), 1)) * (chance.random((len(rows), 1)) < 0.5)
    for back in range(1, 15):
        missing[:, back:] |= begins[:, :-back] & (runs >= back)
    changed = values.copy()
    changed[rows] = np.where(missing, np.nan, changed[rows])
    return changed


def start_late(values: Floats, starts: np.ndarray) -> Floats:
    """Return the series with nothing before each one's start, (count,)."""
    before = np.arange(values.shape[1])[None] < starts[:, None]
    return np.where(before, np.float32(np.nan), values)
