import numpy as np
import pytest

from app.forecasting.anchors import PREFIX, Anchor, Scale, persistence
from app.forecasting.autoregression import LinearAutoregression
from app.forecasting.linear_maps import LinearMap, season_change_map
from app.forecasting.mixture import lags_for, ridge_map
from app.forecasting.windows import Floats, windows

VALUES = np.random.default_rng(3).normal(0.0, 1.0, 200).cumsum() + 50.0
SHAPE = {"window": 6, "horizon": 2}


def examples(values: Floats, *, window: int, horizon: int) -> tuple[Floats, Floats]:
    every = windows(values[:, None], values, window=window, horizon=horizon)
    return every.inputs[:, :, 0], every.targets


def regression(values: Floats, *, lags: int, level: bool = False, **shape: int) -> LinearMap:
    found = ridge_map(values, lags=lags, level=level, **{**SHAPE, **shape})
    assert found is not None
    return found


def anchor_of(*maps: LinearMap, scale: Scale | None = None) -> Anchor:
    return Anchor.of_maps(maps, [scale or Scale()] * len(maps), name="autoregression")


def test_persistence_repeats_the_last_value() -> None:
    given, _ = examples(VALUES, window=4, horizon=3)
    forecasts = persistence(window=4, horizon=3).forecasts(given)
    np.testing.assert_array_equal(forecasts, np.repeat(given[:, -1:], 3, axis=1))


def test_an_anchor_forecasts_as_its_map_does() -> None:
    given, _ = examples(VALUES, **SHAPE)
    for level in (False, True):
        linear = regression(VALUES, lags=5, level=level)
        np.testing.assert_allclose(anchor_of(linear).forecasts(given), linear.forecasts(given))


def test_in_logarithms_a_map_multiplies() -> None:
    grown = np.geomspace(100.0, 100 * 1.05**39, 40)
    doubled = LinearMap(weights=np.array([[0.0], [0.0], [-1.0], [2.0]]), intercept=np.zeros(1))
    given, came = examples(grown, window=4, horizon=1)
    anchor = anchor_of(doubled, scale=Scale(log=True, floor=1.0))
    np.testing.assert_allclose(anchor.forecasts(given), came)
    # What is below the floor is read as the floor.
    below = np.array([[1.0, 1.0, 1.0, 0.0]])
    np.testing.assert_allclose(anchor.forecasts(below), 1.0)


def test_each_series_has_a_map_of_its_own() -> None:
    given, _ = examples(VALUES, **SHAPE)
    first, second = regression(VALUES, lags=3), season_change_map(season=5, **SHAPE)
    anchor = anchor_of(first, second)
    numbers = np.arange(len(given)) % 2
    expected = np.where(numbers[:, None] == 0, first.forecasts(given), second.forecasts(given))
    np.testing.assert_allclose(anchor.forecasts(given, numbers), expected)
    np.testing.assert_allclose(anchor.forecasts(given), first.forecasts(given))


def test_small_changes_at_a_high_level_are_not_lost() -> None:
    low, _ = examples(VALUES - 50.0, window=5, horizon=1)
    anchor, expected = (
        Anchor.of_maps(
            [regression((VALUES - 50) * 1e-3 + at, lags=5, level=True, window=5, horizon=1)],
            [Scale()],
            name="autoregression",
            centers=[at],
        )
        for at in (1e9, 0.0)
    )
    # Doubles near 1e9 are 1e-7 apart.
    np.testing.assert_allclose(
        anchor.forecasts(low * 1e-3 + 1e9) - 1e9, expected.forecasts(low * 1e-3), atol=1e-5
    )


@pytest.mark.parametrize("level", [False, True])
def test_the_regression_on_the_window_is_the_baseline_of_scorecards(*, level: bool) -> None:
    given, _ = examples(VALUES, window=6, horizon=3)
    baseline = LinearAutoregression(lags=6, horizon=3, level=level).fit(VALUES)
    expected = baseline.forecasts(VALUES, np.arange(6, 6 + len(given)), horizon=3)
    linear = regression(VALUES, lags=6, level=level, horizon=3)
    np.testing.assert_allclose(linear.forecasts(given), expected)


def test_a_regression_sees_its_lags_and_no_more() -> None:
    given, _ = examples(VALUES, window=9, horizon=1)
    linear = regression(VALUES, lags=4, window=9, horizon=1)
    changed = given.copy()
    changed[:, :5] += 100.0
    np.testing.assert_allclose(linear.forecasts(changed), linear.forecasts(given))
    assert ridge_map(VALUES[:6], lags=4, level=False, window=9, horizon=1) is None


def test_lags_are_at_most_a_quarter_of_the_examples() -> None:
    assert (lags_for(400), lags_for(120)) == (100, 30)
    # With few, half: a season of 12 months is seen in 24 examples.
    assert (lags_for(24), lags_for(60)) == (12, 24)


def test_arrays_give_the_same_anchor_again() -> None:
    given, _ = examples(VALUES, **SHAPE)
    linear = regression(VALUES, lags=6, level=True)
    for anchor in (anchor_of(linear), anchor_of(linear, scale=Scale(log=True, floor=2.0))):
        again = Anchor.of_arrays(anchor.arrays(), name=anchor.name, season=None)
        np.testing.assert_array_equal(again.forecasts(given), anchor.forecasts(given))
    assert persistence(**SHAPE).arrays() == {}
    with pytest.raises(ValueError, match="lacks its array"):
        Anchor.of_arrays({}, name="season", season=5)


def test_arrays_of_a_table_are_read_in_single_precision() -> None:
    given, _ = examples(VALUES, **SHAPE)
    anchor = anchor_of(regression(VALUES, lags=6), regression(VALUES[50:], lags=4))
    again = Anchor.of_arrays(anchor.arrays(), name=anchor.name, season=None)
    numbers = np.ones(len(given), dtype=np.int64)
    np.testing.assert_allclose(
        again.forecasts(given, numbers), anchor.forecasts(given, numbers), atol=1e-5
    )


def test_arrays_of_older_versions_have_one_row_and_no_scale() -> None:
    weights = np.random.default_rng(1).normal(0.0, 0.3, (6, 2))  # differences to the last value
    older = {
        f"{PREFIX}weights": weights,
        f"{PREFIX}intercept": np.array([0.5, -0.25]),
        f"{PREFIX}level": np.array([-0.1, -0.3]),
        f"{PREFIX}center": np.array([50.0]),
    }
    given, _ = examples(VALUES, **SHAPE)
    last = given[:, -1:]
    expected = last + (given - last) @ weights + (last - 50) * [-0.1, -0.3] + [0.5, -0.25]
    anchor = Anchor.of_arrays(older, name="autoregression", season=None)
    np.testing.assert_allclose(anchor.forecasts(given), expected)
