"""Generate series of different nature for the accuracy table, from formulas with fixed seeds.

N is the standard normal distribution, t the row. Each formula is given beside its name. `structure`
means that the past of a series predicts its next row more than 10 % better than any naive forecast
(last value, last season, drift). Where the formula allows it, this was decided by the formula.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.reading.content import SeriesContent

Floats = NDArray[np.float64]
Maker = Callable[[np.random.Generator], Floats]

WARM_UP = 200  # rows of a recursion that are discarded
UNITS = {"h": np.timedelta64(1, "h"), "D": np.timedelta64(1, "D")}


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """A series of the table."""

    name: str
    content: SeriesContent
    structure: bool  # whether there is structure to learn
    target: str | None = None  # column; None: the first
    test: SeriesContent | None = None  # judged on these instead of the last fifth
    # False: nothing before the judged rows could predict them. Shown, but not counted.
    foreseeable: bool = True


def made_series() -> list[Series]:
    """Return every series that needs no file."""
    return [
        _series("random walk", 1500, "D", _walk(1500, 100.0)),
        _series("random walk, short", 168, "D", _walk(168, 100.0)),
        _series("walk with drift", 1000, "D", _walk(1000, 100.0, drift=0.3)),
        _series("trend", 1200, "D", _trend(1200, 0.03), structure=True),
        _series("trend, short", 100, "D", _trend(100, 0.1), structure=True),
        _series("season of 24", 1440, "h", _season(1440, 24), structure=True),
        _series("season of 12, short", 120, "MS", _season(120, 12), structure=True),
        _series("trend and season, grows", 1000, "D", _growing(1000, 7), structure=True),
        _series("trend and season, 144 months", 144, "MS", _growing(144, 12), structure=True),
        _series("yearly wave", 1825, "D", _yearly),
        _series("noise", 1200, "D", lambda chance: chance.normal(50, 3, 1200), structure=True),
        _series("noise, 60 rows", 60, "D", lambda chance: chance.normal(50, 3, 60), structure=True),
        _series("level shifts", 1500, "D", _shifts, structure=True),
        _series("one shift, the first", 1200, "D", _first_shift, foreseeable=False),
        _series("intermittent", 1000, "D", _intermittent, structure=True),
        _series("gaps", 1300, "D", _gaps, structure=True),
        _series("never negative", 900, "D", _counts, structure=True),
        _series("autoregression of 3", 1500, "D", _autoregression, structure=True),
        _series("threshold, not linear", 2000, "D", _threshold, structure=True),
    ]


def _series(
    name: str,
    rows: int,
    frequency: str,
    maker: Maker,
    *,
    structure: bool = False,
    foreseeable: bool = True,
) -> Series:
    """Generate values with a seed from the name, so that adding a series changes no other."""
    values = maker(np.random.default_rng(list(name.encode())))
    return Series(
        name=name,
        content=content_of(values, times(rows, frequency), frequency),
        structure=structure,
        foreseeable=foreseeable,
    )


def times(rows: int, frequency: str) -> NDArray[np.datetime64]:
    """Return times from 2015 on, (rows,)."""
    if frequency == "MS":
        return np.arange("2005-01", rows, dtype="datetime64[M]").astype("datetime64[us]")
    return np.datetime64("2015-01-01", "us") + np.arange(rows) * UNITS[frequency]


def content_of(
    values: Floats, moments: NDArray[np.datetime64] | None, frequency: str | None
) -> SeriesContent:
    """Return one column of values as a dataset."""
    return SeriesContent(
        columns=("value",),
        values=values[:, None],
        times=moments,
        offsets=None,
        time_form=None if moments is None else "local" if frequency == "h" else "date",
        frequency=frequency,
        labels=("",),
        series=np.zeros(len(values), np.int32),
    )


def _walk(rows: int, start: float, *, drift: float = 0.0) -> Maker:
    """Generate y(t) = y(t-1) + drift + N."""
    return lambda chance: start + (drift + chance.normal(size=rows)).cumsum()


def _trend(rows: int, slope: float) -> Maker:
    """Generate y = 50 + slope t + N."""
    return lambda chance: 50 + slope * np.arange(rows) + chance.normal(size=rows)


def _season(rows: int, period: int) -> Maker:
    """Generate y = 100 + 10 sin(2 pi t / p) + 4 sin(4 pi t / p + 1) + 1.5 N."""

    def make(chance: np.random.Generator) -> Floats:
        turn = 2 * np.pi * np.arange(rows) / period
        wave = 10 * np.sin(turn) + 4 * np.sin(2 * turn + 1)
        return np.asarray(100 + wave + chance.normal(0, 1.5, rows))

    return make


def _growing(rows: int, period: int) -> Maker:
    """Generate y = level (1 + pattern(t mod p)) exp(0.03 N); level rises from 100 to 300."""

    def make(chance: np.random.Generator) -> Floats:
        pattern = chance.normal(0, 0.2, period)[np.arange(rows) % period]
        level = np.linspace(100, 300, rows)
        return np.asarray(level * (1 + pattern) * np.exp(chance.normal(0, 0.03, rows)))

    return make


def _yearly(chance: np.random.Generator) -> Floats:
    """Generate y = 15 - 10 cos(2 pi t / 365.25) + weather, weather(t) = 0.7 weather(t-1) + 2 N."""
    wave = 15 - 10 * np.cos(2 * np.pi * np.arange(1825) / 365.25)
    return np.asarray(wave + _recursion(chance, 1825, (0.7,), 2.0))


def _shifts(chance: np.random.Generator) -> Floats:
    """Generate y = level + N; in one row of 60 the level changes by 4 N, starting at 50."""
    moves = np.where(chance.random(1500) < 1 / 60, 4 * chance.normal(size=1500), 0.0)
    return np.asarray(50 + moves.cumsum() + chance.normal(size=1500))


def _first_shift(chance: np.random.Generator) -> Floats:
    """Generate y = 20 + N, and 30 + N from row 1,050 on."""
    return np.asarray(np.where(np.arange(1200) < 1050, 20, 30) + chance.normal(size=1200))


def _intermittent(chance: np.random.Generator) -> Floats:
    """Generate y = 0 four times out of five, otherwise 1 + Poisson(4)."""
    return np.where(chance.random(1000) < 0.2, 1.0 + chance.poisson(4, 1000), 0.0)


def _gaps(chance: np.random.Generator) -> Floats:
    """Generate y = 40 + 6 sin(2 pi t / 7) + weather, weather = 0.8 of the last + N; 2 % gaps."""
    values = 40 + 6 * np.sin(2 * np.pi * np.arange(1300) / 7) + _recursion(chance, 1300, (0.8,), 1)
    return np.where(chance.random(1300) < 0.02, np.nan, values)


def _counts(chance: np.random.Generator) -> Floats:
    """Generate y = Poisson(1.5 + 1.4 sin(2 pi t / 7))."""
    return chance.poisson(1.5 + 1.4 * np.sin(2 * np.pi * np.arange(900) / 7)).astype(np.float64)


def _autoregression(chance: np.random.Generator) -> Floats:
    """Generate y - 50 = 0.5, 0.3, -0.4 times the three values before + N."""
    return 50 + _recursion(chance, 1500, (0.5, 0.3, -0.4), 1.0)


def _threshold(chance: np.random.Generator) -> Floats:
    """Generate y(t) = 0.9 y(t-1) + 2 if y(t-2) <= 0, otherwise -0.9 y(t-1) + 1; plus 0.5 N."""
    noise = chance.normal(0, 0.5, 2000 + WARM_UP)
    values = np.zeros(2000 + WARM_UP)
    for t in range(2, len(values)):
        low = values[t - 2] <= 0
        values[t] = (0.9 * values[t - 1] + 2 if low else 1 - 0.9 * values[t - 1]) + noise[t]
    return values[WARM_UP:]


def _recursion(
    chance: np.random.Generator, rows: int, weights: tuple[float, ...], noise: float
) -> Floats:
    """Generate an autoregression around 0 with normal noise of this standard deviation."""
    values = chance.normal(0, noise, rows + WARM_UP)
    for t in range(len(weights), len(values)):
        values[t] += sum(w * values[t - 1 - lag] for lag, w in enumerate(weights))
    return values[WARM_UP:]
