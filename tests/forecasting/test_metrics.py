import csv
import math
from pathlib import Path

import numpy as np
import pytest
import scipy
import sklearn
from numpy.typing import NDArray

from app.forecasting.metrics import (
    bias,
    coverage,
    diebold_mariano,
    directional_accuracy,
    lag_copy,
    mae,
    mase,
    pinball,
    rmse,
    skill,
    smape,
)

GOOGLE = Path(__file__).parents[3] / "shared" / "data" / "google_stock_test.csv"
NAN = float("nan")
NONE = np.array([])


def noisy(rows: int = 300) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(0)
    actual = generator.normal(size=rows).cumsum()
    return actual, actual + generator.normal(0.3, 1, size=rows)


def test_errors_equal_scikit_learn() -> None:
    actual, forecast = noisy()
    assert rmse(actual, forecast) == pytest.approx(
        sklearn.metrics.root_mean_squared_error(actual, forecast)
    )
    assert mae(actual, forecast) == pytest.approx(
        sklearn.metrics.mean_absolute_error(actual, forecast)
    )
    for quantile in (0.05, 0.5, 0.9):
        expected = sklearn.metrics.mean_pinball_loss(actual, forecast, alpha=quantile)
        assert pinball(actual, forecast, quantile) == pytest.approx(expected)


@pytest.mark.skipif(not GOOGLE.exists(), reason="the chapter's files are not next to this checkout")
def test_persistence_on_the_chapter_s_january_is_8_59() -> None:
    with GOOGLE.open() as file:
        opening = np.array([float(row["Open"]) for row in csv.DictReader(file)])
    assert rmse(opening[1:], opening[:-1]) == pytest.approx(8.587, abs=5e-4)


def test_errors_worked_by_hand() -> None:
    actual, forecast = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 2.0])
    assert rmse(actual, forecast) == pytest.approx(math.sqrt(5 / 3))
    assert mae(actual, forecast) == 1
    assert bias(actual, forecast) == pytest.approx(-1 / 3)
    # 200/3 + 0 + 400/6
    assert smape(actual, forecast) == pytest.approx((200 / 3 + 400 / 6) / 3)
    # The training rows change by 1, 2 and 3, and over two rows by 3 and 5.
    training = np.array([1.0, 2.0, 4.0, 7.0])
    assert mase(actual, forecast, training=training) == 0.5
    assert mase(actual, forecast, training=training, period=2) == 0.25
    # From 1.5: actual changes down, up, up; forecast up, up, up.
    assert directional_accuracy(actual, forecast, np.full(3, 1.5)) == pytest.approx(2 / 3)
    assert coverage(actual, np.array([0, 2, 5]), np.array([1, 3, 6])) == pytest.approx(2 / 3)
    assert skill(15.4, 8.6) == pytest.approx(-0.7907, abs=1e-4)
    # Also for small numbers.
    assert skill(0.1, 0.4) == 0.75
    assert smape(np.array([0.1, 0.2]), np.array([0.3, 0.2])) == pytest.approx(50)


def test_rows_without_a_value_are_left_out() -> None:
    actual, forecast = np.array([1.0, NAN, 3.0, 4.0]), np.array([2.0, 9.0, NAN, 4.0])
    assert rmse(actual, forecast) == pytest.approx(math.sqrt(0.5))
    assert mae(actual, forecast) == 0.5
    assert bias(actual, forecast) == 0.5
    assert smape(actual, forecast) == pytest.approx((200 / 3 + 0) / 2)
    assert coverage(actual, forecast - 1, forecast + 1) == 1.0
    assert directional_accuracy(actual, forecast, np.zeros(4)) == 1.0
    assert lag_copy(actual, forecast, np.zeros(4)).error == pytest.approx(math.sqrt(0.5))
    assert lag_copy(actual, forecast, np.array([0, 0, 0, NAN])).error == 1


def test_errors_of_huge_values_do_not_overflow() -> None:
    assert rmse(np.array([1e200, 1e200]), np.array([0.0, 0.0])) == pytest.approx(1e200)
    assert rmse(np.array([1e-200]), np.array([0.0])) == pytest.approx(1e-200)


def test_a_perfect_forecast_has_no_error() -> None:
    actual = np.array([1.0, 2.0])
    assert rmse(actual, actual) == mae(actual, actual) == bias(actual, actual) == 0


def test_what_is_not_defined_is_nan() -> None:
    for metric in (rmse, mae, bias, smape):
        assert math.isnan(metric(NONE, NONE))
        assert math.isnan(metric(np.array([NAN]), np.array([1.0])))
    assert math.isnan(smape(np.zeros(2), np.zeros(2)))
    one = np.array([1.0])
    assert math.isnan(mase(one, one, training=np.full(9, 3.0)))
    assert math.isnan(mase(one, one, training=np.arange(4.0), period=4))
    assert math.isnan(mase(one, one, training=NONE))
    assert math.isnan(coverage(NONE, NONE, NONE))
    assert math.isnan(pinball(NONE, NONE, 0.5))
    assert math.isnan(skill(1.0, 0.0))
    assert math.isnan(skill(1.0, NAN))
    assert lag_copy(NONE, NONE, NONE).copies is None


def test_persistence_has_no_direction() -> None:
    actual, previous = np.array([2.0, 1.0]), np.array([1.0, 2.0])
    assert math.isnan(directional_accuracy(actual, previous, previous))
    assert math.isnan(directional_accuracy(previous, actual, previous))


def test_a_forecast_one_step_late_is_told_from_one_that_knows() -> None:
    walk = np.random.default_rng(0).normal(size=500).cumsum()
    noise = 0.1 * np.random.default_rng(1).normal(size=499)
    late = lag_copy(walk[1:], walk[:-1] + noise, walk[:-1])
    assert late.copies is True
    assert late.error_to_previous == pytest.approx(0.1, rel=0.1)
    assert lag_copy(walk[1:], walk[1:] + noise, walk[:-1]).copies is False


def test_diebold_mariano_one_step_is_a_corrected_t_test() -> None:
    # For h = 1 the statistic is sqrt((n - 1) / n) mean / sqrt(g_0 / n): the one-sample t test.
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=40), 1.4 * generator.normal(size=40)
    result = diebold_mariano(one, other)
    expected = scipy.stats.ttest_1samp(one**2 - other**2, 0)
    assert result.statistic == pytest.approx(expected.statistic)
    assert result.p_value == pytest.approx(expected.pvalue)
    assert diebold_mariano(other, one).statistic == pytest.approx(-expected.statistic)


def test_diebold_mariano_two_steps_by_hand() -> None:
    # Absolute errors less 1: d = 3, 1, 2, 2; mean 2; centred 1, -1, 0, 0; g_0 = 1/2, g_1 = -1/4.
    # The variance 1/2 - 1/2 is 0, so that of one step is used: sqrt(3/4) 2 / sqrt(1/8).
    result = diebold_mariano(np.array([4.0, 2, 3, 3]), np.ones(4), horizon=2, power=1)
    assert result.statistic == pytest.approx(math.sqrt(0.75) * 2 / math.sqrt(0.125))
    # d = 1, 1, 3, 3, 2: mean 2; centred -1, -1, 1, 1, 0; g_0 = 4/5, g_1 = 1/5;
    # variance 6/5, correction (5 + 1 - 4 + 2/5) / 5 = 12/25.
    result = diebold_mariano(np.array([2.0, 2, 4, 4, 3]), np.ones(5), horizon=2, power=1)
    assert result.statistic == pytest.approx(math.sqrt(12 / 25) * 2 / math.sqrt(6 / 5 / 5))
    assert result.p_value == pytest.approx(2 * scipy.stats.t.sf(result.statistic, 4))
    small = diebold_mariano(
        np.array([0.2, 0.2, 0.4, 0.4, 0.3]), np.full(5, 0.1), horizon=2, power=1
    )
    assert small.statistic == pytest.approx(result.statistic)


def test_diebold_mariano_rejects_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    rejected = [
        diebold_mariano(generator.normal(size=50), generator.normal(size=50)).p_value < 0.05
        for _ in range(2000)
    ]
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.015)


def test_equal_or_too_few_errors_are_not_compared() -> None:
    for errors, other in [
        (np.ones(5), np.ones(5)),
        (np.full(5, 0.1), np.full(5, 0.3)),
        (np.ones(1), np.zeros(1)),
        (NONE, NONE),
        (np.array([1.0, NAN]), np.array([2.0, 1.0])),
    ]:
        assert math.isnan(diebold_mariano(errors, other).p_value)
    assert math.isnan(diebold_mariano(np.arange(5.0), np.ones(5), horizon=5).p_value)
    with pytest.raises(ValueError, match=r"errors \(3,\) and \(4,\)"):
        diebold_mariano(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match=r"errors \(3, 1\) and \(3, 1\)"):
        diebold_mariano(np.ones((3, 1)), np.ones((3, 1)))
