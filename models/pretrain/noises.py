"""Draw noise of unit size, which no forecast predicts, or only one step ahead."""

import numpy as np

from models.pretrain.levels import Maker, draw_kinds
from models.pretrain.recursions import (
    WARM_UP,
    Chance,
    Floats,
    autoregressive,
    clustered,
    heavy_tailed,
    normal,
    stepwise,
    unit,
)


def white(chance: Chance, count: int, length: int) -> Floats:
    """Return normal noise."""
    return normal(chance, count, length)


def first_order(chance: Chance, count: int, length: int) -> Floats:
    """Return an autoregression of order 1."""
    memory = chance.uniform(-0.6, 0.97, (count, 1))
    return unit(autoregressive(normal(chance, count, length + WARM_UP), memory)[:, WARM_UP:])


def mixed_orders(chance: Chance, count: int, length: int) -> Floats:
    """Return an ARMA(2, 2) from partial autocorrelations, so that it is stationary."""
    partial = chance.uniform(-0.9, 0.95, (2, count, 1))
    first, second = partial[0] * (1 - partial[1]), partial[1]
    noise = normal(chance, count, length + WARM_UP + 2)
    one, two = chance.uniform(-0.8, 0.8, (2, count, 1)).astype(np.float32)
    averaged = noise[:, 2:] + one * noise[:, 1:-1] + two * noise[:, :-2]
    return unit(autoregressive(averaged, first, second)[:, WARM_UP:])


def changing(chance: Chance, count: int, length: int) -> Floats:
    """Return noise whose size comes in clusters."""
    return unit(normal(chance, count, length) * clustered(chance, count, length))


def spiky(chance: Chance, count: int, length: int) -> Floats:
    """Return little noise with an occasional peak to one side."""
    peaks = stepwise(chance, count, length, chance.uniform(0.01, 0.15, (count, 1)))
    size = chance.standard_exponential((count, length), np.float32) * 4
    return unit(normal(chance, count, length) * 0.5 + peaks * size)


NOISES: tuple[tuple[Maker, float], ...] = (
    (white, 0.40),
    (first_order, 0.22),
    (mixed_orders, 0.13),
    (heavy_tailed, 0.10),
    (changing, 0.10),
    (spiky, 0.05),
)


def draw_noise(chance: Chance, count: int, length: int) -> Floats:
    """Draw noise of all kinds, (count, length)."""
    return draw_kinds(chance, NOISES, count, length)
