"""Generate an hourly family with a daily and a weekly season from a formula.

    y_t = size * exp(level_t + a day(t mod 24) (weekend share where t is in the weekend)
                     + b week(t div 24 mod 7) + noise_t)

day is a sum of two bumps over the hours, and week has a value for each day of the week; level is a
slow random walk; noise is an autoregression of order 1. Sizes and shapes are drawn per series, with
one seed.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
DAY, WEEK = 24, 168


def hourly_family(*, count: int, length: int, seed: int = 7) -> list[Floats]:
    """Return the series."""
    chance = np.random.default_rng(seed)
    return [_series(chance, length) for _ in range(count)]


def _series(chance: np.random.Generator, length: int) -> Floats:
    time = np.arange(length) + chance.integers(0, WEEK)
    hour, weekday = time % DAY, time // DAY % 7
    day = np.zeros(length)
    for middle in (chance.uniform(7, 11), chance.uniform(16, 21)):
        distance = np.abs(hour - middle)
        distance = np.minimum(distance, DAY - distance)
        day += chance.uniform(0.3, 1.0) * np.exp(-0.5 * (distance / chance.uniform(1.5, 4)) ** 2)
    share = np.where(weekday >= 5, chance.uniform(0.2, 0.9), 1.0)
    week = chance.normal(0, 0.08, 7)[weekday]
    level = np.cumsum(chance.normal(0, chance.uniform(0.0005, 0.004), length))
    noise = np.zeros(length)
    memory, size = chance.uniform(0.2, 0.9), chance.uniform(0.02, 0.12)
    for t, shock in enumerate(chance.normal(0, size, length)):
        noise[t] = shock + (memory * noise[t - 1] if t else 0.0)
    strength = chance.uniform(0.3, 1.2)
    values: Floats = np.exp(chance.uniform(0, 8) + level + strength * day * share + week + noise)
    return values
