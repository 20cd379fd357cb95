"""Generate families on which `universal` is expected to fail, each with a simple forecast.

- Demand that is zero on most days: an event with a fixed chance, of 1 plus a Poisson number. The
  simple forecast is the mean of the history.
- A level that shifts by eight deviations of the noise, three rows before the end. The simple
  forecast is the last value.
- A season of 600 rows, a smooth random shape, longer than the 512 that `universal` is told of, in
  1,800 rows. The simple forecast is the value one season before.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HORIZON = 24
DEMAND_ROWS, SHIFT_ROWS, SEASON_ROWS = 200, 120, 1800
SHIFT, ROWS_AFTER_SHIFT = 8.0, 3
LONG_SEASON, WAVES = 600, 6
SEASON_NOISE = 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Hard:
    """Series of one kind, cut where the forecast starts."""

    name: str
    simple_name: str
    histories: tuple[Floats, ...]
    actual: tuple[Floats, ...]  # (HORIZON,) each
    simple: tuple[Floats, ...]  # likewise


def hard_families(*, count: int, seed: int = 11) -> list[Hard]:
    """Return the families, with as many series each."""
    chance = np.random.default_rng(seed)
    demand = [_demand(chance) for _ in range(count)]
    shifted = [_shifted(chance) for _ in range(count)]
    seasonal = [_seasonal(chance) for _ in range(count)]
    return [
        _hard("intermittent demand", "the history's mean", demand, _mean),
        _hard("level shifted 3 rows ago", "the last value", shifted, _last),
        _hard("season of 600 rows", "the season before", seasonal, _season),
    ]


def _hard(
    name: str, simple_name: str, series: list[Floats], simple: Callable[[Floats], Floats]
) -> Hard:
    histories = tuple(each[:-HORIZON] for each in series)
    return Hard(
        name=name,
        simple_name=simple_name,
        histories=histories,
        actual=tuple(each[-HORIZON:] for each in series),
        simple=tuple(simple(each) for each in histories),
    )


def _demand(chance: np.random.Generator) -> Floats:
    rows = DEMAND_ROWS + HORIZON
    happens = chance.random(rows) < chance.uniform(0.05, 0.3)
    return np.where(happens, 1.0 + chance.poisson(chance.uniform(0.5, 5.0), rows), 0.0)


def _shifted(chance: np.random.Generator) -> Floats:
    values = chance.normal(0.0, 1.0, SHIFT_ROWS + HORIZON)
    values[SHIFT_ROWS - ROWS_AFTER_SHIFT :] += SHIFT * chance.choice([-1.0, 1.0])
    return values


def _seasonal(chance: np.random.Generator) -> Floats:
    time = np.arange(SEASON_ROWS + HORIZON)[:, None]
    wave = np.arange(1, WAVES + 1)
    phase = 2 * np.pi * (wave * time / LONG_SEASON + chance.random(WAVES))
    shape: Floats = np.sin(phase) @ chance.normal(0.0, 1.0, WAVES)
    return shape + chance.normal(0.0, SEASON_NOISE, len(shape))


def _mean(history: Floats) -> Floats:
    return np.full(HORIZON, history.mean())


def _last(history: Floats) -> Floats:
    return np.full(HORIZON, history[-1])


def _season(history: Floats) -> Floats:
    return history[-LONG_SEASON : len(history) - LONG_SEASON + HORIZON]
