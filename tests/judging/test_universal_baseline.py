"""Test the baseline that needs no training, with the shipped network."""

import numpy as np
import pytest

from app.judging.forecasts import Floats, JudgedSeries
from app.judging.universal_baseline import universal_forecasts

WEEK = np.array([10.0, 12, 15, 14, 20, 30, 25])


def judged(values: Floats, first: list[int]) -> JudgedSeries:
    return JudgedSeries(
        label="",
        inputs=np.zeros((len(first), 1, 1)),
        values=values,
        first=np.array(first),
        training=values[: first[0]],
        times=(None,) * len(first),
    )


def weeks(rows: int) -> Floats:
    return np.resize(WEEK, rows) + np.random.default_rng(4).normal(0, 0.2, rows)


@pytest.mark.parametrize("frequency", ["D", None])
def test_the_season_is_that_of_the_frequency_or_found(frequency: str | None) -> None:
    series = judged(weeks(91), [70, 77])
    (found,) = universal_forecasts([series], horizon=7, frequency=frequency)
    assert found == pytest.approx(np.tile(WEEK, (2, 1)), abs=1.5)


def test_nothing_after_the_origin_is_seen() -> None:
    values = weeks(80)
    (before,) = universal_forecasts([judged(values, [60])], horizon=3, frequency="D")
    values[60:] = 1000.0
    (after,) = universal_forecasts([judged(values, [60])], horizon=3, frequency="D")
    assert (before == after).all()


def test_a_horizon_beyond_its_own_is_fed_back() -> None:
    (found,) = universal_forecasts([judged(weeks(140), [100])], horizon=80, frequency="D")
    assert found[0, 70:77] == pytest.approx(np.roll(WEEK, -2), abs=2.5)


def test_with_fewer_than_three_values_there_is_no_forecast() -> None:
    values = np.array([np.nan, 1.0, 2.0, np.nan, 3.0, 4.0])
    (found,) = universal_forecasts([judged(values, [3, 5])], horizon=1, frequency=None)
    assert np.isfinite(found).tolist() == [[False], [True]]


def test_of_very_many_rows_evenly_spaced_ones_are_forecast() -> None:
    parts = [judged(weeks(40), list(range(20, 27))), judged(weeks(40), list(range(20, 25)))]
    found = universal_forecasts(parts, horizon=1, frequency="D", most=6)
    forecast = np.isfinite(np.concatenate(found))[:, 0]
    assert forecast.tolist() == [True, False] * 6
