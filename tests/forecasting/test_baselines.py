import numpy as np
import pytest
from numpy.typing import NDArray

from app.forecasting.autoregression import LinearAutoregression
from app.forecasting.baselines import Baseline, Drift, Persistence, SeasonalNaive

NAN = float("nan")
VALUES = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
ALL: list[Baseline] = [
    Persistence(),
    Drift(),
    SeasonalNaive(period=7),
    LinearAutoregression(lags=8, horizon=5),
]


def series(rows: int = 400) -> NDArray[np.float64]:
    time = np.arange(rows)
    noise = np.random.default_rng(0).normal(size=rows)
    return 10 + 0.01 * time + np.sin(2 * np.pi * time / 7) + 0.1 * noise


def origins(*places: int) -> NDArray[np.int64]:
    return np.array(places, dtype=np.int64)


@pytest.mark.parametrize("baseline", ALL, ids=lambda baseline: baseline.name)
class TestEveryBaseline:
    def test_gives_a_row_of_the_horizon_for_each_origin(self, baseline: Baseline) -> None:
        fitted = baseline.fit(series()[:300])
        forecasts = fitted.forecasts(series(), np.arange(300, 396), horizon=5)
        assert forecasts.shape == (96, 5)
        assert np.isfinite(forecasts).all()

    def test_a_poisoned_future_changes_nothing_before_it(self, baseline: Baseline) -> None:
        clean, poisoned = series(), series()
        poisoned[350:] = 1e6
        fitted = baseline.fit(clean[:300])
        places = np.arange(300, 351)
        np.testing.assert_array_equal(
            fitted.forecasts(clean, places, horizon=5),
            fitted.forecasts(poisoned, places, horizon=5),
        )

    def test_one_origin_alone_and_only_its_past_gives_the_same(self, baseline: Baseline) -> None:
        fitted = baseline.fit(series()[:300])
        together = fitted.forecasts(series(), origins(310, 333), horizon=3)
        alone = fitted.forecasts(series()[:333], origins(333), horizon=3)
        np.testing.assert_allclose(alone[0], together[1], rtol=1e-12)

    def test_too_little_before_the_origin_is_nan(self, baseline: Baseline) -> None:
        fitted = baseline.fit(series()[:300])
        enough = baseline.min_history
        forecasts = fitted.forecasts(series(), origins(0, enough - 1, enough), horizon=1)
        assert np.isnan(forecasts[:2]).all()
        assert np.isfinite(forecasts[2]).all()

    def test_an_empty_series_is_nan(self, baseline: Baseline) -> None:
        fitted = baseline.fit(series()[:300])
        assert np.isnan(fitted.forecasts(np.empty(0), origins(0, 1), horizon=2)).all()


def test_persistence_repeats_the_last_known_value() -> None:
    forecasts = Persistence().forecasts(VALUES, origins(1, 3, 6), horizon=2)
    np.testing.assert_array_equal(forecasts, [[1, 1], [4, 4], [32, 32]])
    gap = np.array([NAN, 1.0, NAN, NAN])
    np.testing.assert_array_equal(
        Persistence().forecasts(gap, origins(1, 2, 4), horizon=1), [[NAN], [1], [1]]
    )


def test_drift_carries_on_the_line_from_first_to_last() -> None:
    forecasts = Drift().forecasts(VALUES, origins(3, 6), horizon=2)
    np.testing.assert_allclose(forecasts, [[5.5, 7], [38.2, 44.4]])
    # The last known value is two rows before the origin: three steps to the first forecast.
    gap = np.array([NAN, 1.0, 3.0, NAN, NAN])
    np.testing.assert_allclose(Drift().forecasts(gap, origins(5), horizon=2), [[9, 11]])


def test_seasonal_naive_repeats_the_last_season() -> None:
    forecasts = SeasonalNaive(period=3).forecasts(VALUES, origins(2, 4, 6), horizon=4)
    np.testing.assert_array_equal(forecasts, [[NAN, 1, 2, NAN], [2, 4, 8, 2], [8, 16, 32, 8]])
    # A missing value is taken from the season before if that has one.
    gap = np.array([1.0, 2.0, NAN, 4.0, NAN, NAN, 7.0])
    np.testing.assert_array_equal(
        SeasonalNaive(period=3).forecasts(gap, origins(6), horizon=3), [[4, 2, NAN]]
    )


@pytest.mark.parametrize("period", [1, 2, 7, 12])
def test_seasonal_naive_equals_a_loop(period: int) -> None:
    values = series(100)
    places = np.arange(period, 100)
    expected = [[values[place - period + step % period] for step in range(15)] for place in places]
    np.testing.assert_array_equal(
        SeasonalNaive(period=period).forecasts(values, places, horizon=15), expected
    )


def test_a_season_has_at_least_one_row() -> None:
    with pytest.raises(ValueError, match="season of 0 rows"):
        SeasonalNaive(period=0)
