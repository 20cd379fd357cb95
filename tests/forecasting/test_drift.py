import math

import numpy as np
import pytest

from app.forecasting.drift import binned, inner_deciles, population_stability


def test_the_same_data_have_an_index_of_zero() -> None:
    values = np.random.default_rng(1).normal(size=10_000)
    deciles = inner_deciles(values)
    counts = binned(values, deciles)
    assert counts.tolist() == [1000] * 10
    assert population_stability(counts.tolist(), deciles, highest=values.max()) == pytest.approx(
        0.0, abs=1e-6
    )


def test_the_index_is_the_sum_it_is_defined_as() -> None:
    counts = [200, 50, *[100] * 7, 50]
    shares = [count / 1000 for count in counts]
    by_hand = sum((share - 0.1) * math.log(share / 0.1) for share in shares)
    assert population_stability(counts, range(9), highest=10.0) == pytest.approx(by_hand)


def test_nothing_was_trained_above_a_highest_value_that_is_a_quantile() -> None:
    # A fifth of the training values are at most 8, the largest, and above 7.
    by_hand = -0.1 * math.log(0.1 / 0.2) + (0.1 - 1e-4) * math.log(0.1 / 1e-4)
    assert population_stability([10] * 10, range(9), highest=8.0) == pytest.approx(by_hand)


def test_values_beyond_the_training_data_stand_out() -> None:
    trained = np.linspace(0, 1, 1001)
    deciles = inner_deciles(trained)
    counts = binned(trained + 2, deciles)
    assert counts.tolist() == [0] * 9 + [1001]
    assert population_stability(counts.tolist(), deciles, highest=1.0) > 5


@pytest.mark.parametrize(
    "values",
    [
        np.array([0.0] * 80 + list(range(1, 21))),  # intermittent
        np.array([0.0] * 20 + list(range(1, 21)) + [30.0] * 60),  # full to the brim
        np.full(50, 7.0),
        np.array([1.0, 2.0] * 50),
    ],
)
def test_frequent_values_are_no_drift(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    deciles = inner_deciles(values)
    counts = binned(values, deciles).tolist()
    assert 0 <= population_stability(counts, deciles, highest=values.max()) < 0.1
    moved = binned(values + 100, deciles).tolist()
    assert population_stability(moved, deciles, highest=values.max()) > 0.25


def test_nothing_counted_is_not_no_drift() -> None:
    assert math.isnan(population_stability([0] * 10, range(9), highest=10.0))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="9 quantiles bound 10 bins, not 3"):
        population_stability([1, 2, 3], range(9), highest=10.0)
    with pytest.raises(ValueError, match="no finite value"):
        inner_deciles(np.array([np.nan]))
