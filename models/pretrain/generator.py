"""Generate the series that the universal network is trained on: all made up, none measured.

    series = make(seed=1, block=0, count=1024, layout=LONG)

A series consists of a level, up to two seasons and noise, in random shares, added or multiplied.
Some series are turned into counts, rounded, cut off at zero, disturbed or given gaps. Prices are
random walks of their logarithm. `python -m models.pretrain.pictures` draws a page of them.

The same seed and block give the same series, whatever was generated before.
"""

from dataclasses import dataclass

import numpy as np

from models.pretrain.counts import intermittent, poisson
from models.pretrain.disturbances import disturb, leave_gaps, start_late
from models.pretrain.frequencies import draw_periods
from models.pretrain.levels import draw_levels
from models.pretrain.noises import draw_noise
from models.pretrain.recursions import (
    Chance,
    Floats,
    clustered,
    heavy_tailed,
    log_uniform,
    normal,
    stepwise,
    unit,
)
from models.pretrain.seasonal import draw_days_and_weeks, draw_season

LARGEST = 1e7


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Lengths of a block of series."""

    context: int  # values before the last origin
    horizon: int
    short: bool
    shortest: int  # values of the shortest history


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Some made-up series."""

    values: Floats  # (count, context + horizon), NaN where missing or before the start
    periods: Floats  # (count, 2), as told to the network


def make(*, seed: int, block: int, count: int, layout: Layout) -> Block:
    """Generate a block of series."""
    chance = np.random.default_rng([seed, block, layout.context])
    length = layout.context + layout.horizon
    periods = draw_periods(chance, count, short=layout.short)
    values = np.empty((count, length), np.float32)
    kinds = chance.choice(4, count, p=[0.80, 0.10, 0.06, 0.04])
    for kind, maker in enumerate((_composed, _prices, _counted, _demand)):
        rows = np.flatnonzero(kinds == kind)
        if len(rows):
            values[rows] = maker(chance, periods.true[rows], length)
    values *= log_uniform(chance, 0.01, 10_000.0, count)
    values = leave_gaps(chance, np.clip(values, -LARGEST, LARGEST))
    values = start_late(values, _starts(chance, count, layout))
    return Block(values=values, periods=periods.told)


def _starts(chance: Chance, count: int, layout: Layout) -> np.ndarray:
    """Draw the starts of histories; half of the long ones fill the context."""
    shortest, longest = np.log(layout.shortest), np.log(layout.context)
    lengths = np.exp(chance.uniform(shortest, longest, count))
    full = chance.random(count) < 0.5
    starts = np.where(full, chance.integers(0, 32, count), layout.context - lengths)
    return np.clip(starts, 0, layout.context - 3).astype(np.int64)


def _structure(chance: Chance, periods: Floats, length: int) -> Floats:
    """Return the sum of level, seasons and noise in random shares, of about unit size."""
    count = len(periods)
    level, noise = draw_levels(chance, count, length), draw_noise(chance, count, length)
    total = level * log_uniform(chance, 0.1, 3.0, count)
    total += _seasons(chance, periods, length)
    uneven = chance.random((count, 1)) < 0.15  # noise that varies with the season
    swing = np.where(uneven, np.exp(0.5 * draw_season(chance, periods[:, 0], length)), 1.0)
    return total + noise * swing * log_uniform(chance, 0.005, 1.5, count)


def _seasons(chance: Chance, periods: Floats, length: int) -> Floats:
    """Return the sum of the seasons; a quarter of the series has none, in some they dominate."""
    count = len(periods)
    size = log_uniform(chance, 0.05, 2.5, count) * np.where(
        chance.random((count, 1)) < 0.25, log_uniform(chance, 1.0, 4.0, count), 1.0
    )
    total = np.zeros((count, length), np.float32)
    nested = (
        (periods[:, 0] > 1)
        & (periods[:, 1] > 0)
        & (periods[:, 1] % np.maximum(periods[:, 0], 1) == 0)
    )
    nested &= chance.random(count) < 0.7
    rows = np.flatnonzero(nested)
    if len(rows):
        total[rows] = draw_days_and_weeks(chance, periods[rows], length)
    rows = np.flatnonzero(~nested)
    for column in range(2):
        is_there = chance.random((len(rows), 1)) < 0.75
        share = log_uniform(chance, 0.3, 1.0, len(rows))
        total[rows] += is_there * share * draw_season(chance, periods[rows, column], length)
    return total * size * (chance.random((count, 1)) < 0.85)


def _composed(chance: Chance, periods: Floats, length: int) -> Floats:
    """Return structures added to, or multiplied with, a base."""
    structure = disturb(chance, _structure(chance, periods, length))
    count = len(structure)
    base = log_uniform(chance, 0.5, 50.0, count) * chance.choice([0, 1, 1, 1], (count, 1))
    added = base + structure
    strength = log_uniform(chance, 0.03, 0.8, count)
    multiplied = np.exp(np.clip(strength * structure, -8, 8))
    values = np.where(chance.random((count, 1)) < 0.55, added, multiplied)
    cut = chance.random((count, 1)) < 0.06
    values = np.where(
        cut, np.maximum(values - np.quantile(values, 0.2, axis=1, keepdims=True), 0), values
    )
    held = np.flatnonzero(chance.random(count) < 0.04)
    if len(held):
        values[held] = _held(chance, values[held])
    return _rounded(chance, values)


def _held(chance: Chance, values: Floats) -> Floats:
    """Return series whose value often repeats that of the step before, like fixed prices."""
    count, length = values.shape
    changes = stepwise(chance, count, length, chance.uniform(0.05, 0.7, (count, 1)))
    changes[:, 0] = True
    newest = np.maximum.accumulate(np.where(changes, np.arange(length), 0), axis=1)
    return np.take_along_axis(values, newest, axis=1)


def _rounded(chance: Chance, values: Floats) -> Floats:
    """Return series, a sixth of which are rounded to few digits."""
    chosen = chance.random((len(values), 1)) < 0.17
    unit_size = (
        values.std(axis=1, keepdims=True) * log_uniform(chance, 0.01, 0.3, len(values)) + 1e-9
    )
    return np.where(chosen, np.round(values / unit_size) * unit_size, values).astype(np.float32)


def _prices(chance: Chance, periods: Floats, length: int) -> Floats:
    """Return random walks of the logarithm with heavy tails, clusters, and often no drift."""
    count = len(periods)
    heavy = chance.random((count, 1)) < 0.6
    steps = np.where(heavy, heavy_tailed(chance, count, length), normal(chance, count, length))
    steps = steps * clustered(chance, count, length)
    drift = log_uniform(chance, 0.005, 0.2, count) * chance.choice([-1, 0, 1], (count, 1))
    size = log_uniform(chance, 0.002, 0.08, count)
    memory = chance.uniform(-0.2, 0.3, (count, 1))
    steps[:, 1:] += memory * steps[:, :-1]
    logarithm = np.cumsum((steps + drift) * size, axis=1)
    limit = 6.0
    logarithm = np.where(np.abs(logarithm) > limit, limit * np.tanh(logarithm / limit), logarithm)
    return _rounded(chance, np.exp(logarithm))


def _counted(chance: Chance, periods: Floats, length: int) -> Floats:
    return poisson(chance, unit(_structure(chance, periods, length)))


def _demand(chance: Chance, periods: Floats, length: int) -> Floats:
    return intermittent(chance, unit(_structure(chance, periods, length)))
