"""Draw counts: small whole numbers, and intermittent demand."""

import numpy as np

from models.pretrain.recursions import Chance, Floats, log_uniform


def poisson(chance: Chance, relative: Floats) -> Floats:
    """Return Poisson counts around a mean that follows `relative` (of unit size)."""
    rows = len(relative)
    mean = log_uniform(chance, 0.3, 200.0, rows)
    swing = chance.uniform(0.05, 0.8, (rows, 1)).astype(np.float32)
    rate = np.minimum(mean * np.exp(swing * np.clip(relative, -4, 4)), 1e5)
    shape = log_uniform(chance, 1.0, 100.0, rows)
    spread = np.where(
        chance.random((rows, 1)) < 0.5,
        1.0,
        chance.standard_gamma(np.broadcast_to(shape, rate.shape)) / shape,
    )
    return chance.poisson(rate * spread).astype(np.float32)


def intermittent(chance: Chance, relative: Floats) -> Floats:
    """Return zeros with occasional demand, more often where `relative` is high."""
    rows = len(relative)
    often = chance.uniform(-2.5, 1.0, (rows, 1)) + chance.uniform(0, 1, (rows, 1)) * relative
    occurs = chance.random(relative.shape) < 1 / (1 + np.exp(-np.clip(often, -20, 20)))
    size = log_uniform(chance, 1.0, 50.0, rows)
    shape = log_uniform(chance, 0.7, 20.0, rows)
    demand = size * chance.standard_gamma(np.broadcast_to(shape, relative.shape)) / shape
    return np.where(occurs, np.ceil(demand), 0).astype(np.float32)
