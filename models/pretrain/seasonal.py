"""Generate seasonal patterns: one cycle per series, repeated and slowly changing."""

from collections.abc import Callable

import numpy as np

from models.pretrain.recursions import Chance, Floats, coloured, log_uniform, normal, unit

LONGEST = 1600
Shape = Callable[[Chance, Floats, Floats], Floats]


def harmonic(chance: Chance, phase: Floats, period: Floats) -> Floats:
    """Return a few sine waves, the higher ones weaker."""
    count = len(phase)
    total = np.zeros_like(phase)
    decay = chance.uniform(0.2, 1.5, (count, 1))
    for order in range(1, 7):
        allowed = (order <= period / 2) & (chance.random((count, 1)) < (1.0 if order < 3 else 0.5))
        size = chance.normal(0, 1, (count, 1)) * order**-decay * allowed
        shift = chance.uniform(0, 2 * np.pi, (count, 1))
        total += size * np.sin(2 * np.pi * order * phase / period + shift)
    return total


def each_its_own(chance: Chance, phase: Floats, _: Floats) -> Floats:
    """Return an independent value for each phase."""
    return normal(chance, *phase.shape)


def smoothed(chance: Chance, phase: Floats, period: Floats) -> Floats:
    """Return independent values, averaged over neighbouring phases."""
    width = np.maximum(period * chance.uniform(0.02, 0.2, (len(phase), 1)), 0.3)
    knots = 24
    total = np.zeros_like(phase)
    for _ in range(knots):
        center = chance.uniform(0, 1, (len(phase), 1)) * period
        distance = np.abs(phase - center)
        distance = np.minimum(distance, period - distance)
        total += chance.normal(0, 1, (len(phase), 1)) * np.exp(-0.5 * (distance / width) ** 2)
    return total


def spikes(chance: Chance, phase: Floats, period: Floats) -> Floats:
    """Return one to three narrow peaks."""
    total = np.zeros_like(phase)
    for number in range(3):
        center = np.floor(chance.uniform(0, 1, (len(phase), 1)) * period)
        width = np.maximum(period * chance.uniform(0.0, 0.05, (len(phase), 1)), 0.3)
        distance = np.abs(phase - center)
        distance = np.minimum(distance, period - distance)
        is_there = chance.random((len(phase), 1)) < (1.0, 0.5, 0.3)[number]
        size = chance.choice([-1, 1, 1, 1], (len(phase), 1)) * chance.uniform(
            0.3, 1.5, is_there.shape
        )
        total += size * is_there * np.exp(-0.5 * (distance / width) ** 2)
    return total


def on_off(chance: Chance, phase: Floats, period: Floats) -> Floats:
    """Return two levels: open and closed, week and weekend."""
    share = chance.uniform(0.1, 0.9, (len(phase), 1))
    start = np.floor(chance.uniform(0, 1, (len(phase), 1)) * period)
    within = np.mod(phase - start, period)
    steps = within < np.maximum(np.round(share * period), 1)
    bump = chance.uniform(0, 0.6, (len(phase), 1)) * np.sin(np.pi * within / (share * period + 1))
    return np.asarray(steps * (1 + bump), np.float32)


# Kind, share for a short cycle (up to 13 phases), share for a long one.
SHAPES: tuple[tuple[Shape, float, float], ...] = (
    (harmonic, 0.35, 0.45),
    (each_its_own, 0.35, 0.05),
    (smoothed, 0.05, 0.25),
    (spikes, 0.10, 0.10),
    (on_off, 0.15, 0.15),
)
SHORT_CYCLE = 13


def draw_season(chance: Chance, period: Floats, length: int) -> Floats:
    """Draw a season of each series' period, (count, length) of unit deviation; 0 without one.

    Args:
        chance: source of random numbers.
        period: (count,), 0 for none.
        length: number of values.
    """
    count = len(period)
    with_season = np.flatnonzero(period >= 2)
    season = np.zeros((count, length), np.float32)
    if len(with_season) == 0:
        return season
    cycles = period[with_season][:, None]
    table, other = (_tables(chance, cycles) for _ in range(2))
    time = np.arange(length)[None] + np.floor(chance.random((len(cycles), 1)) * cycles)
    places = np.mod(time, cycles).astype(np.int64)
    own = np.take_along_axis(table, places, axis=1)
    # A third changes shape over time, a third changes size.
    turned = np.flatnonzero(chance.random(len(cycles)) < 0.33)
    if len(turned):
        angle = coloured(chance, len(turned), length, 2.0, 4.0)
        angle *= log_uniform(chance, 0.05, 1.5, len(turned))
        second = np.take_along_axis(other[turned], places[turned], axis=1)
        own[turned] = np.cos(angle) * own[turned] + np.sin(angle) * second
    swelling = np.flatnonzero(chance.random(len(cycles)) < 0.33)
    if len(swelling):
        size = coloured(chance, len(swelling), length, 2.0, 4.0)
        own[swelling] *= np.exp(log_uniform(chance, 0.05, 0.6, len(swelling)) * size)
    season[with_season] = own
    return season


def draw_days_and_weeks(chance: Chance, periods: Floats, length: int) -> Floats:
    """Draw a short season whose cycles depend on their place in a longer one, of unit deviation.

    The days of a week are an example: weekends are quieter, and each day has its own level.

    Args:
        chance: source of random numbers.
        periods: (count, 2), the second a multiple of the first.
        length: number of values.
    """
    count = len(periods)
    short, long = periods[:, :1], periods[:, 1:]
    days = np.maximum(np.round(long / short), 1)
    day = draw_season(chance, periods[:, 0], length)
    day -= day.min(axis=1, keepdims=True) * (chance.random((count, 1)) < 0.7)
    widest = int(days.max())
    free = np.arange(widest)[None] >= days - np.round(days * chance.uniform(0.1, 0.4, (count, 1)))
    share = np.where(free, chance.uniform(0.1, 1.0, (count, 1)), 1.0)
    share = share * np.exp(log_uniform(chance, 0.01, 0.3, count) * normal(chance, count, widest))
    level = log_uniform(chance, 0.02, 0.7, count) * normal(chance, count, widest)
    time = np.arange(length)[None] + np.floor(chance.random((count, 1)) * long)
    place = (np.floor(time / short) % days).astype(np.int64)
    shares, levels = (np.take_along_axis(table, place, axis=1) for table in (share, level))
    return unit((day * shares + levels).astype(np.float32))


def _tables(chance: Chance, cycles: Floats) -> Floats:
    """Return one cycle per row, of unit deviation over its own phases."""
    width = int(min(cycles.max(), LONGEST))
    phase = np.broadcast_to(np.arange(width, dtype=np.float32)[None], (len(cycles), width))
    is_short = cycles[:, 0] <= SHORT_CYCLE
    shares = np.array([shape[1:] for shape in SHAPES])
    draws = chance.random(len(cycles))
    limits = np.cumsum(shares / shares.sum(axis=0), axis=0)  # (kinds, 2)
    chosen = np.where(
        is_short,
        np.searchsorted(limits[:, 0], draws),
        np.searchsorted(limits[:, 1], draws),
    )
    table = np.zeros((len(cycles), width), np.float32)
    for index, (make, *_) in enumerate(SHAPES):
        rows = np.flatnonzero(np.minimum(chosen, len(SHAPES) - 1) == index)
        if len(rows):
            longest = int(min(cycles[rows].max(), LONGEST))
            table[rows, :longest] = make(chance, phase[rows, :longest].copy(), cycles[rows])
    inside = phase < cycles
    mean = (table * inside).sum(axis=1, keepdims=True) / cycles
    table = (table - mean) * inside
    size = np.sqrt((table**2).sum(axis=1, keepdims=True) / cycles)
    return np.asarray(table / np.maximum(size, 1e-3), np.float32)
