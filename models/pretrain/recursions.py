"""Generate random processes step by step, for many series at once; all arrays (count, length)."""

from typing import Any

import numpy as np
import numpy.typing as npt

Chance = np.random.Generator
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.floating[Any]]  # of either precision
WARM_UP = 50


def log_uniform(chance: Chance, low: float, high: float, count: int) -> Floats:
    """Draw (count, 1) values whose logarithms are uniform."""
    return np.exp(chance.uniform(np.log(low), np.log(high), (count, 1))).astype(np.float32)


def normal(chance: Chance, count: int, length: int) -> Floats:
    """Draw standard normal noise."""
    return chance.standard_normal((count, length), np.float32)


def heavy_tailed(chance: Chance, count: int, length: int) -> Floats:
    """Draw Student's t noise with 2.5 to 8 degrees of freedom, of about unit size."""
    freedom = chance.uniform(2.5, 8.0, (count, 1))
    divisor = chance.standard_gamma(np.broadcast_to(freedom / 2, (count, length)), dtype=np.float64)
    noise = normal(chance, count, length) / np.sqrt(np.maximum(divisor * 2 / freedom, 1e-3))
    return np.clip(noise, -30, 30).astype(np.float32)


def autoregressive(noise: Numbers, first: Numbers, second: Numbers | float = 0.0) -> Floats:
    """Return y_t = first y_(t-1) + second y_(t-2) + noise_t; coefficients (count, 1)."""
    rows = np.array(noise.T, np.float32, order="C")
    one = np.ravel(first).astype(np.float32)
    two = np.broadcast_to(np.ravel(second), one.shape).astype(np.float32)
    for t in range(1, len(rows)):
        rows[t] += one * rows[t - 1]
        if t > 1:
            rows[t] += two * rows[t - 2]
    return np.ascontiguousarray(rows.T)


def clustered(chance: Chance, count: int, length: int) -> Floats:
    """Return sizes of volatility around 1 that come in clusters: log-AR(1) (Taylor 1982)."""
    memory = chance.uniform(0.8, 0.995, (count, 1)).astype(np.float32)
    strength = chance.uniform(0.1, 0.8, (count, 1)).astype(np.float32)
    noise = normal(chance, count, length + WARM_UP) * np.sqrt(1 - memory**2)
    sizes: Floats = np.exp(strength * autoregressive(noise, memory)[:, WARM_UP:])
    return sizes


def stepwise(chance: Chance, count: int, length: int, rate: Numbers) -> npt.NDArray[np.bool_]:
    """Draw where events happen, at a rate per value, (count, 1)."""
    happens: npt.NDArray[np.bool_] = chance.random((count, length), np.float32) < rate
    return happens


def coloured(chance: Chance, count: int, length: int, low: float, high: float) -> Floats:
    """Return smooth random functions: noise with spectrum f^-power, power from low to high.

    Their standard deviation is 1. They are not periodic: twice the length is generated and half of
    it kept.
    """
    power = chance.uniform(low, high, (count, 1))
    frequency = np.maximum(np.fft.rfftfreq(2 * length), 0.5 / length)[None]
    spectrum = np.fft.rfft(chance.standard_normal((count, 2 * length)), axis=1)
    cut = np.exp(chance.uniform(np.log(2.0 / length), np.log(0.5), (count, 1)))
    shaped = spectrum * frequency ** (-power / 2) / (1 + (frequency / cut) ** 4)
    shaped[:, 0] = 0
    return unit(np.fft.irfft(shaped, axis=1)[:, :length])


def unit(x: Numbers) -> Floats:
    """Standardise rows to mean 0 and standard deviation 1."""
    centered = x - x.mean(axis=1, keepdims=True)
    scaled = centered / np.maximum(centered.std(axis=1, keepdims=True), 1e-6)
    return np.asarray(scaled, np.float32)
