import numpy as np
import pytest
from numpy.typing import NDArray

from app.forecasting.season import detect_season, season_strength, season_strengths

Floats = NDArray[np.float64]
PATTERN = {period: np.random.default_rng(period).normal(size=period) for period in (4, 7, 12, 24)}


def seasonal(period: int, *, rows: int, noise: float = 0.3, slope: float = 0.05) -> Floats:
    generator = np.random.default_rng(1)
    pattern = np.tile(PATTERN[period], rows // period + 1)[:rows]
    return pattern + slope * np.arange(rows) + noise * generator.normal(size=rows)


@pytest.mark.parametrize("period", PATTERN)
@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_a_season_is_found_in_any_unit(period: int, unit: float) -> None:
    season = detect_season(unit * seasonal(period, rows=12 * period))
    assert season is not None
    assert season.period == period
    assert 0.5 < season.strength <= 1


def test_gaps_are_bridged() -> None:
    values = seasonal(12, rows=240)
    values[np.random.default_rng(0).integers(0, 240, 10)] = np.nan
    values[:5] = np.nan
    season = detect_season(values)
    assert season is not None
    assert season.period == 12


def test_random_walks_and_noise_have_no_season() -> None:
    generator = np.random.default_rng(0)
    found = [
        detect_season(values)
        for _ in range(50)
        for values in (generator.normal(size=300), generator.normal(size=300).cumsum())
    ]
    assert sum(season is not None for season in found) <= 2


@pytest.mark.parametrize(
    "values",
    [np.empty(0), np.ones(1), np.ones(100), np.arange(100.0), np.full(50, np.nan), np.zeros(100)],
    ids=["empty", "one row", "constant", "line", "missing", "zeros"],
)
def test_what_has_no_pattern_has_no_season(values: Floats) -> None:
    assert detect_season(values, candidates=(7,)) is None


def test_a_period_may_be_given_where_few_cycles_would_not_show_it() -> None:
    time = np.arange(4 * 365)
    values = np.sin(2 * np.pi * time / 365) + 0.35 * np.random.default_rng(0).normal(size=len(time))
    season = detect_season(values, candidates=(7, 365))
    assert season is not None
    assert season.period == 365


def test_strength_is_the_share_of_the_variance_that_the_season_explains() -> None:
    # A pattern of variance 4 and noise of variance 1 around a line: 4/5.
    pattern = 2 * (PATTERN[12] - PATTERN[12].mean()) / PATTERN[12].std()
    noise = np.random.default_rng(0).normal(size=12 * 400)
    values = np.tile(pattern, 400) + noise + 0.01 * np.arange(len(noise))
    assert season_strength(values, period=12) == pytest.approx(0.8, abs=0.02)
    assert season_strength(noise, period=12) == pytest.approx(0.0, abs=0.02)
    assert np.isnan(season_strength(values[:30], period=12))
    assert np.isnan(season_strength(np.arange(100.0), period=12))


@pytest.mark.parametrize("years", [4, 5, 10])
def test_a_yearly_wave_under_weather_is_found_where_it_is(years: int) -> None:
    generator = np.random.default_rng(years)
    weather = generator.normal(0, 2, years * 365)
    for row in range(1, len(weather)):
        weather[row] += 0.7 * weather[row - 1]
    values = weather - 10 * np.cos(2 * np.pi * np.arange(len(weather)) / 365.25)
    # On their own, the peaks of the autocorrelation gave 344 to 360.
    searched, given = detect_season(values), detect_season(values, candidates=(7, 365))
    assert searched is not None
    assert abs(searched.period - 365) <= 40 / years
    assert given is not None
    assert given.period == 365


def test_a_given_period_does_not_stand_in_for_one_that_is_clearly_another() -> None:
    season = detect_season(seasonal(12, rows=240), candidates=(11, 13, 24))
    assert season is not None
    assert season.period == 12


def decomposed(values: Floats, period: int) -> float:
    """Return the strength of a season, term by term as in the book."""
    weights = np.ones(period + 1 - period % 2)
    if not period % 2:
        weights[[0, -1]] = 0.5
    trend = np.convolve(values, weights / period, mode="valid")
    margin = len(weights) // 2
    around = values[margin : len(values) - margin] - trend
    season = np.array([around[phase::period].mean() for phase in range(period)])
    remainder = around - season[np.arange(len(around)) % period]
    left = (remainder**2).sum() / (len(around) - period)
    return float(1 - left / around.var(ddof=1))


@pytest.mark.parametrize("rows", [40, 41, 500])
def test_strengths_are_those_of_a_classical_decomposition(rows: int) -> None:
    generator = np.random.default_rng(rows)
    pattern = np.tile(PATTERN[12], rows)[:rows]
    for values in (generator.normal(size=rows).cumsum(), pattern + generator.normal(size=rows)):
        periods = range(2, rows // 3)
        expected = [decomposed(values, period) for period in periods]
        np.testing.assert_allclose(
            season_strengths(1000 + values, periods=periods), expected, rtol=1e-9, atol=1e-9
        )
