"""Draw levels and trends: a series without season and noise. Of about unit size."""

from collections.abc import Callable

import numpy as np

from models.pretrain.recursions import (
    Chance,
    Floats,
    autoregressive,
    coloured,
    heavy_tailed,
    log_uniform,
    normal,
    stepwise,
    unit,
)

Maker = Callable[[Chance, int, int], Floats]


def constant(_: Chance, count: int, length: int) -> Floats:
    """Return a constant."""
    return np.zeros((count, length), np.float32)


def line(chance: Chance, count: int, length: int) -> Floats:
    """Return a straight line."""
    slope = chance.normal(0, 1.5, (count, 1))
    return (slope * np.linspace(-1, 1, length)[None]).astype(np.float32)


def walk(chance: Chance, count: int, length: int) -> Floats:
    """Return a random walk, with a drift in half of the series."""
    steps = normal(chance, count, length)
    drift = log_uniform(chance, 0.01, 0.5, count) * chance.choice([-1, 1, 1], (count, 1))
    steps += drift * (chance.random((count, 1)) < 0.5)
    return unit(np.cumsum(steps, axis=1))


def local_line(chance: Chance, count: int, length: int) -> Floats:
    """Return a local linear trend: the slope is a slow, often damped walk (Holt; Gardner 1985)."""
    damping = 1 - log_uniform(chance, 1e-3, 0.3, count)
    slope_noise = normal(chance, count, length)
    sudden = stepwise(chance, count, length, log_uniform(chance, 0.003, 0.1, count))
    rare = chance.random((count, 1)) < 0.4
    slope = autoregressive(np.where(rare, slope_noise * sudden, slope_noise), damping)
    level_noise = normal(chance, count, length) * log_uniform(chance, 1e-3, 3.0, count)
    return unit(np.cumsum(slope + level_noise, axis=1))


def pieces(chance: Chance, count: int, length: int) -> Floats:
    """Return lines that bend, and sometimes jump, at a few places."""
    rate = log_uniform(chance, 0.5 / length, 12.0 / length, count)
    bends = stepwise(chance, count, length, rate) * normal(chance, count, length)
    start = normal(chance, count, 1) * (0.3 / np.sqrt(rate * length))
    slope = start + np.cumsum(bends, axis=1)
    breaks = stepwise(chance, count, length, rate) * normal(chance, count, length)
    breaks *= (chance.random((count, 1)) < 0.3) * length * 0.1
    return unit(np.cumsum(slope + breaks, axis=1))


def plateaus(chance: Chance, count: int, length: int) -> Floats:
    """Return a level that jumps occasionally."""
    rate = log_uniform(chance, 1.0 / length, 0.3, count)
    jumps = stepwise(chance, count, length, rate) * heavy_tailed(chance, count, length)
    return unit(np.cumsum(jumps, axis=1))


def growth(chance: Chance, count: int, length: int) -> Floats:
    """Return exponential growth, decay or saturation."""
    rate = chance.normal(0, 2.5, (count, 1))
    time = np.linspace(0, 1, length)[None]
    exponential = np.exp(rate * time)
    middle = chance.uniform(-0.2, 1.2, (count, 1))
    logistic = 1 / (1 + np.exp(-rate * 4 * (time - middle)))
    chosen = np.where(chance.random((count, 1)) < 0.5, exponential, logistic)
    direction = chance.choice([-1.0, 1.0, 1.0], (count, 1))
    return unit(chosen * direction)


def smooth(chance: Chance, count: int, length: int) -> Floats:
    """Return a smooth random function."""
    return coloured(chance, count, length, 1.0, 4.0)


def reverting(chance: Chance, count: int, length: int) -> Floats:
    """Return a slow return to a mean."""
    memory = 1 - log_uniform(chance, 0.005, 0.3, count)
    return unit(autoregressive(normal(chance, count, length), memory))


def cycle(chance: Chance, count: int, length: int) -> Floats:
    """Return waves without a fixed period: a stochastic cycle (Harvey 1989)."""
    period = log_uniform(chance, 6.0, 150.0, count)
    damping = 1 - log_uniform(chance, 0.002, 0.1, count)
    first = 2 * damping * np.cos(2 * np.pi / period)
    return unit(autoregressive(normal(chance, count, length), first, -(damping**2)))


# Kind and share.
LEVELS: tuple[tuple[Maker, float], ...] = (
    (constant, 0.16),
    (line, 0.12),
    (walk, 0.18),
    (local_line, 0.18),
    (pieces, 0.08),
    (plateaus, 0.05),
    (growth, 0.08),
    (smooth, 0.07),
    (reverting, 0.05),
    (cycle, 0.03),
)


def draw_levels(chance: Chance, count: int, length: int) -> Floats:
    """Draw levels of all kinds, (count, length)."""
    return draw_kinds(chance, LEVELS, count, length)


def draw_kinds(
    chance: Chance, kinds: tuple[tuple[Maker, float], ...], count: int, length: int
) -> Floats:
    """Draw the rows from the kinds, according to their shares."""
    shares = np.array([share for _, share in kinds])
    chosen = chance.choice(len(kinds), count, p=shares / shares.sum())
    rows = np.empty((count, length), np.float32)
    for index, (make, _) in enumerate(kinds):
        places = np.flatnonzero(chosen == index)
        if len(places):
            rows[places] = make(chance, len(places), length)
    return rows
