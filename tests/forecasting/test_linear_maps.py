from collections.abc import Callable

import numpy as np
import pytest

from app.forecasting.baselines import SeasonalNaive
from app.forecasting.linear_maps import (
    LinearMap,
    mixed,
    persistence_map,
    season_change_map,
    season_drift_map,
    season_map,
    theta_map,
)
from app.forecasting.smoothing import Smoother, smoothing_map
from app.forecasting.windows import Floats, windows

VALUES = np.random.default_rng(3).normal(0.0, 1.0, 200).cumsum() + 50.0
PATTERN = np.array([0.0, 5.0, -2.0, 8.0, 1.0])


def examples(values: Floats, *, window: int, horizon: int) -> tuple[Floats, Floats]:
    every = windows(values[:, None], values, window=window, horizon=horizon)
    return every.inputs[:, :, 0], every.targets


@pytest.mark.parametrize(("season", "horizon"), [(5, 1), (5, 5), (5, 13), (2, 7), (8, 3)])
def test_last_season_is_the_seasonal_naive_forecast(season: int, horizon: int) -> None:
    window = 9
    given, _ = examples(VALUES, window=window, horizon=horizon)
    origins = np.arange(window, window + len(given))
    expected = SeasonalNaive(period=season).forecasts(VALUES, origins, horizon=horizon)
    linear = season_map(season=season, window=window, horizon=horizon)
    np.testing.assert_allclose(linear.forecasts(given), expected)


@pytest.mark.parametrize("horizon", [1, 4, 11])
def test_last_seasons_change_goes_on_with_its_own_forecasts(horizon: int) -> None:
    season, window = 4, 6
    given, _ = examples(VALUES, window=window, horizon=horizon)
    linear = season_change_map(season=season, window=window, horizon=horizon)
    for row, forecasts in zip(given[:5], linear.forecasts(given[:5]), strict=True):
        told = list(row)
        for _ in range(horizon):
            told.append(told[-season] + told[-1] - told[-1 - season])
        np.testing.assert_allclose(forecasts, told[window:])


@pytest.mark.parametrize(("make", "window"), [(season_change_map, 6), (season_drift_map, 13)])
def test_a_trend_with_a_season_is_continued_exactly(
    make: Callable[..., LinearMap], window: int
) -> None:
    values = 3.0 * np.arange(60) + np.tile(PATTERN, 12)
    given, ahead = examples(values, window=window, horizon=12)
    linear = make(season=5, window=window, horizon=12)
    np.testing.assert_allclose(linear.forecasts(given), ahead)


@pytest.mark.parametrize(
    ("make", "needed"), [(season_map, 7), (season_change_map, 8), (season_drift_map, 14)]
)
def test_a_season_longer_than_the_window_is_refused(
    make: Callable[..., LinearMap], needed: int
) -> None:
    assert make(season=7, window=needed, horizon=1).weights.shape == (needed, 1)
    with pytest.raises(ValueError, match=rf"{needed}.* not {needed - 1}"):
        make(season=7, window=needed - 1, horizon=1)


def test_theta_continues_a_smoothed_level_with_half_the_slope_of_the_line() -> None:
    window, alpha = 30, 0.4
    values = VALUES[:window]
    level = smoothing_map(Smoother(alpha=alpha), window=window, horizon=3)
    slope = np.polyfit(np.arange(window), values, 1)[0]
    expected = values @ level + 0.5 * slope * np.array([1, 2, 3])
    given = theta_map(level, season=None).forecasts(values[None])[0]
    np.testing.assert_allclose(given, expected)


def test_a_mixture_is_the_weighted_sum_of_its_forecasts() -> None:
    given, _ = examples(VALUES, window=6, horizon=2)
    shape = {"window": 6, "horizon": 2}
    maps = [persistence_map(**shape), season_map(season=5, **shape)]
    expected = 0.25 * maps[0].forecasts(given) + 0.75 * maps[1].forecasts(given)
    np.testing.assert_allclose(mixed(maps, [0.25, 0.75]).forecasts(given), expected)


def test_small_changes_at_a_high_level_are_not_lost() -> None:
    given, _ = examples(VALUES - 50, window=6, horizon=2)
    linear = season_change_map(season=4, window=6, horizon=2)
    low, high = linear.forecasts(1e-3 * given), linear.forecasts(1e9 + 1e-3 * given)
    np.testing.assert_allclose(high - 1e9, low, atol=1e-6)
