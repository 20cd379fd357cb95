"""The simple forecasts in the network, beside the same computed one series at a time."""

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from app.training.universal.continuations import Continuations, continue_series, profiles_ahead
from app.training.universal.form import HORIZON, SEASONS, TRENDS, Form
from app.training.universal.known import known
from app.training.universal.ops import TensorFlowOps

FORM = Form(context=128, steps=16)
LEADS = np.arange(1, HORIZON + 1, dtype=np.float32)
Floats = npt.NDArray[np.float64]


def forecast(history: Floats, season: str, trend: str, periods: tuple[int, int]) -> Floats:
    """Return one of the simple forecasts from the end of a history, on its own scale."""
    ops = TensorFlowOps()
    padded = np.full((1, FORM.context), np.nan)
    padded[0, -len(history) :] = history
    given = known(ops, tf.constant(padded), tf.constant([periods], tf.float32))
    parts: Continuations = continue_series(ops, given, FORM)
    last = slice(FORM.steps - 1, FORM.steps)
    profile = profiles_ahead(ops, parts, LEADS, last, FORM)
    j, k = SEASONS.index(season), TRENDS.index(trend)
    values = profile[0, j, :, 0] + parts.levels[0, j, k, -1] + parts.slopes[0, j, k, -1] * LEADS
    scaled = np.asarray(values, np.float64)
    scale, center = float(given.scale[0, 0]), float(given.center[0, 0])
    return scaled * scale + center


@pytest.fixture
def noisy() -> Floats:
    chance = np.random.default_rng(5)
    time = np.arange(100)
    season = np.array([5.0, -3, 8, 0, 2, -1, 4, 1, 0, -6, 3, 2])[time % 12]
    values: Floats = 100 + 0.2 * time + season + chance.normal(0, 1, 100)
    return values


def test_the_last_value_is_continued(noisy: Floats) -> None:
    # A hundredth of it is the value before.
    found = forecast(noisy, "none", "last value", (12, 0))
    np.testing.assert_allclose(found, noisy[-1], atol=0.1)


def test_the_last_season_is_copied_beyond_its_length(noisy: Floats) -> None:
    expected = np.tile(noisy[-12:], 6)[:HORIZON]

    copied = forecast(noisy, "last season", "zero", (12, 0))
    # A fiftieth of it is the season before.
    np.testing.assert_allclose(copied, expected, atol=0.2)


def test_the_mean_season_weighs_recent_cycles_more(noisy: Floats) -> None:
    weights = 0.75 ** np.arange(6)
    cycles = np.stack([noisy[-12 * k : len(noisy) - 12 * (k - 1)] for k in range(1, 7)])
    expected = (weights[:, None] * cycles).sum(axis=0) / weights.sum()

    profile = forecast(noisy, "mean season", "zero", (12, 0))
    np.testing.assert_allclose(profile[:12], expected, rtol=1e-4)
    np.testing.assert_allclose(profile[12:24], expected, rtol=1e-4)


def test_a_level_is_simple_exponential_smoothing(noisy: Floats) -> None:
    share = 0.5 ** (1 / 5)
    weights = share ** np.arange(len(noisy))[::-1]
    expected = (weights * noisy).sum() / weights.sum()

    np.testing.assert_allclose(forecast(noisy, "none", "level 5", (0, 0)), expected, rtol=1e-4)


def test_a_line_is_a_discounted_regression(noisy: Floats) -> None:
    time = np.arange(len(noisy)) - (len(noisy) - 1.0)
    weights = 0.5 ** (-time / 20)
    slope, level = np.polyfit(time, noisy, 1, w=np.sqrt(weights))

    found = forecast(noisy, "none", "line 20", (0, 0))
    np.testing.assert_allclose(found, level + slope * LEADS, rtol=2e-3)


def test_a_multiplied_season_continues_growing() -> None:
    time = np.arange(96)
    history = 10 * 1.3 ** (time // 12) * np.array([1.0, 2, 4, 3, 1, 1, 2, 2, 5, 1, 1, 1])[time % 12]

    found = forecast(history, "mean season, multiplied", "zero", (12, 0))
    np.testing.assert_allclose(found[:12], 1.3 * history[-12:], rtol=1e-3)


def test_both_seasons_follow_the_days_of_the_week_and_recent_days() -> None:
    time = np.arange(126)
    day, week = (
        np.array([0.0, 4, 1, 2, 0, 3])[time % 6],
        np.array([0.0, 9, 1, 5, 2, 0, 7])[time // 6 % 7],
    )
    history = day + week

    found = forecast(history, "both seasons", "zero", (6, 42))
    expected = np.concatenate([history, history])[126 - 42 : 126 - 42 + 6]
    np.testing.assert_allclose(found[:6], expected, atol=1e-3)


def test_a_gap_leaves_the_forecast_to_the_values_around_it(noisy: Floats) -> None:
    with_gap = noisy.copy()
    with_gap[-1] = np.nan
    with_gap[-13] = np.nan

    last = forecast(with_gap, "none", "last value", (12, 0))
    np.testing.assert_allclose(last, noisy[-2], atol=0.15)
    copied = forecast(with_gap, "last season", "zero", (12, 0))
    assert copied[11] == pytest.approx(noisy[-25], abs=0.2)


def test_without_a_period_every_season_is_the_last_value(noisy: Floats) -> None:
    for season in ("last season", "mean season", "both seasons", "smooth season"):
        found = forecast(noisy, season, "zero", (0, 0))
        np.testing.assert_allclose(found, noisy[-1], atol=0.1)
