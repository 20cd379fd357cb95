import numpy as np
import pytest
import scipy

from app.forecasting.iterated import Differences, Floats, iterated_autoregression

NOISE = np.random.default_rng(0).normal(size=2000)
WINDOW = 40


def forecast(values: Floats, differences: Differences, *, season: int | None = None) -> Floats:
    found = iterated_autoregression(values, differences, window=WINDOW, horizon=5, season=season)
    assert found is not None
    return found.forecasts(values[None, -WINDOW:]).reshape(-1)


def test_the_coefficients_of_an_autoregression_are_found() -> None:
    values = 10 + scipy.signal.lfilter([1.0], [1.0, -0.6, 0.3], NOISE)
    expected = list(values[-2:] - 10)
    for _ in range(5):
        expected.append(0.6 * expected[-1] - 0.3 * expected[-2])
    given = forecast(values, Differences(constant=True))
    assert given == pytest.approx(np.array(expected[2:]) + 10, abs=0.15)


def test_changes_are_regressed_and_added_up() -> None:
    changes = scipy.signal.lfilter([1.0], [1.0, -0.8], NOISE)
    values = np.cumsum(changes)
    expected = values[-1] + np.cumsum(changes[-1] * 0.8 ** np.arange(1, 6))
    assert forecast(values, Differences(lags=(1,))) == pytest.approx(expected, abs=0.3)


def test_seasonal_changes_continue_season_and_drift() -> None:
    rows = np.arange(200)
    values = 0.5 * rows + np.tile([5.0, -3.0, 0.0, -2.0], 50)
    ahead = 0.5 * np.arange(200, 205) + np.tile([5.0, -3.0, 0.0, -2.0], 2)[:5]
    given = forecast(values, Differences(lags=(4,), constant=True), season=4)
    assert given == pytest.approx(ahead, abs=1e-4)
    twice = forecast(values, Differences(lags=(1, 4)), season=4)
    assert twice == pytest.approx(ahead, abs=1e-4)


def test_too_few_rows_or_a_window_shorter_than_the_changes_give_none() -> None:
    values = NOISE[:9]
    assert (
        iterated_autoregression(values, Differences(lags=(4,)), window=WINDOW, horizon=1, season=4)
        is None
    )
    assert (
        iterated_autoregression(NOISE, Differences(lags=(50,)), window=WINDOW, horizon=1, season=50)
        is None
    )
