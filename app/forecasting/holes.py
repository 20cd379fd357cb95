"""Filling holes in a history, and the rows before its start: by season, then interpolation."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROWS_FOR_A_SLOPE = 10  # at the start of a series without a season


def filled(values: Floats, *, season: int | None) -> Floats:
    """Return values with the missing ones, NaN, filled in.

    The season is removed first, the rest is interpolated linearly, and the season is added again.
    The season is the mean at each of its positions, relative to the centred mean of a season.

    Args:
        values: (rows,), oldest first; missing values before the first and after the last known one
            take its value.
        season: rows in the season; None if there is none.

    Raises:
        ValueError: no value is known.
    """
    known = np.isfinite(values)
    if known.all():
        return values
    if not known.any():
        raise ValueError("no value is known")
    profile = _profile(values, season)  # (rows,)
    rows = np.arange(len(values))
    without = np.interp(rows, rows[known], (values - profile)[known])
    return np.where(known, values, without + profile)


def holes(values: Floats) -> list[tuple[int, int]]:
    """Return the first row and the length of every run of missing values, oldest first."""
    missing = np.concatenate(([False], ~np.isfinite(values), [False]))
    edges = np.flatnonzero(missing[1:] != missing[:-1])
    return [(int(start), int(stop - start)) for start, stop in edges.reshape(-1, 2)]


def led(values: Floats, rows: int, *, season: int | None) -> Floats:
    """Return values with some rows put before them, (rows + values,).

    These continue the first season backwards, with the change from it to the next. Without a season
    they continue the line through the first values or, if there are few, repeat their mean.

    Args:
        values: (n,), n at least 1, without missing values.
        rows: how many to put before them.
        season: rows in the season; if None or more than half of the values, there is none.
    """
    if not rows:
        return values
    before = np.arange(-rows, 0)
    if season is not None and 2 * season <= len(values):
        change = values[season : 2 * season].mean() - values[:season].mean()
        lead = values[before % season] + before // season * change
    else:
        first = values[:ROWS_FOR_A_SLOPE]
        time = np.arange(len(first)) - (len(first) - 1) / 2
        has_slope = len(first) == ROWS_FOR_A_SLOPE
        slope = float(time @ first) / float(time @ time) if has_slope else 0.0
        lead = first.mean() + (before - (len(first) - 1) / 2) * slope
    return np.concatenate((lead, values))


def _profile(values: Floats, season: int | None) -> Floats:
    """Return the season at each row, (rows,); zeros if too little of it is known."""
    nothing = np.zeros(len(values))
    if season is None or season < 2 or len(values) < 2 * season:
        return nothing
    place = np.arange(len(values)) % season
    mean = _centred_mean(values, season)  # (rows,)
    usable = np.isfinite(mean)
    if not usable.any():
        return nothing
    # With few means known, rows towards the ends take the nearest one.
    nearest = np.interp(np.arange(len(values)), np.flatnonzero(usable), mean[usable])
    for around in (values - mean, values - nearest):
        there = np.isfinite(around)
        counts = np.bincount(place[there], minlength=season)
        if counts.all():
            means = np.bincount(place[there], weights=around[there], minlength=season) / counts
            profile: Floats = (means - means.mean())[place]
            return profile
    return nothing


def _centred_mean(values: Floats, season: int) -> Floats:
    """Return the mean of the season around each row, (rows,), NaN where half of it is unknown."""
    known = np.isfinite(values)
    sums = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0.0))))
    counts = np.concatenate(([0], np.cumsum(known)))
    first = np.arange(len(values)) - season // 2
    start, stop = first.clip(0), (first + season).clip(max=len(values))
    inside = counts[stop] - counts[start]
    enough = (inside * 2 > season) & (stop - start == season)
    mean = np.full(len(values), np.nan)
    mean[enough] = (sums[stop] - sums[start])[enough] / inside[enough]
    return mean
