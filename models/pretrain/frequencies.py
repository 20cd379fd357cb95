"""Draw the periods of made-up series, and those that the network is told.

Periods of a frequency are known in advance in practice; the season itself may be weak or absent. A
share of series has its periods withheld or a wrong one given, so that the network does not trust
them blindly.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Chance = np.random.Generator
Floats = npt.NDArray[np.float32]

# Period, longer period (0: none), share among long series, share among short ones.
FREQUENCIES = (
    (12, 0, 0.20, 0.33),  # monthly
    (4, 0, 0.07, 0.17),  # quarterly
    (0, 0, 0.10, 0.17),  # yearly, or nothing to repeat
    (52, 0, 0.13, 0.06),  # weekly
    (7, 0, 0.07, 0.07),  # daily
    (7, 365, 0.05, 0.0),
    (0, 365, 0.02, 0.0),
    (5, 0, 0.03, 0.03),  # business days
    (24, 0, 0.06, 0.06),  # hourly
    (24, 168, 0.14, 0.0),
    (48, 336, 0.04, 0.0),  # half-hourly
    (48, 0, 0.01, 0.02),
    (96, 0, 0.02, 0.0),
    (13, 0, 0.01, 0.01),
    (-1, 0, 0.05, 0.08),  # odd: anything
    (-1, -1, 0.02, 0.0),  # odd, and a multiple of it
)
WITHHELD, WRONG = 0.12, 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Periods:
    """Per series, (count, 2): the shorter and the longer period; 0: none."""

    true: Floats
    told: Floats


def draw_periods(chance: Chance, count: int, *, short: bool) -> Periods:
    """Draw periods for `count` series."""
    shares = np.array([row[3 if short else 2] for row in FREQUENCIES])
    kinds = chance.choice(len(FREQUENCIES), count, p=shares / shares.sum())
    true = np.array([row[:2] for row in FREQUENCIES], np.float32)[kinds]
    odd = np.floor(np.exp(chance.uniform(np.log(2.0), np.log(40.0 if short else 200.0), count)))
    true[:, 1] = np.where(true[:, 1] < 0, odd * chance.integers(2, 8, count), true[:, 1])
    true[:, 0] = np.where(true[:, 0] < 0, odd, true[:, 0])
    told = true.copy()
    told[chance.random(count) < WITHHELD] = 0
    drop_longer = (told[:, 1] > 0) & (chance.random(count) < WITHHELD)
    told[drop_longer, 1] = 0
    wrong = chance.random(count) < WRONG
    told[wrong] = np.stack([odd, np.zeros(count)], axis=1)[wrong]
    return Periods(true=true, told=_sorted(told))


def _sorted(told: Floats) -> Floats:
    """Put a single period first, whichever it is."""
    alone = (told[:, 0] < 2) & (told[:, 1] >= 2)
    told[alone] = told[alone][:, ::-1]
    return told
