import numpy as np
import pytest

from app.forecasting.smoothing import Smoother, smoothers, smoothing_map, smoothing_maps

CHANCE = np.random.default_rng(0)


def smoothed(values: np.ndarray, smoother: Smoother, period: int, horizon: int) -> np.ndarray:
    """The textbook recursion, started from values far before the window."""
    level, trend, season = values[0], 0.0, np.zeros(max(period, 1))
    for row, value in enumerate(values):
        before = level + smoother.damping * trend
        error = value - before - season[row % len(season)]
        level = before + smoother.alpha * error
        trend = smoother.damping * trend + smoother.alpha * smoother.beta * error
        if period:
            season[row % period] += smoother.gammas[0] * (1 - smoother.alpha) * error
    steps = np.arange(1, horizon + 1)
    ahead = level + np.cumsum(smoother.damping**steps) * trend
    return np.asarray(ahead + season[(len(values) + steps - 1) % len(season)])


@pytest.mark.parametrize(
    "smoother",
    [
        Smoother(alpha=0.4),
        Smoother(alpha=1.0),
        Smoother(alpha=0.5, damping=0.9, beta=0.3),
        Smoother(alpha=0.5, damping=1.0, beta=0.3),
        Smoother(alpha=0.3, damping=0.9, beta=0.2, gammas=(0.4,)),
    ],
)
def test_a_map_forecasts_as_the_recursion_does_once_its_start_is_forgotten(
    smoother: Smoother,
) -> None:
    period = 4 if smoother.gammas else 0
    values = 50 + np.cumsum(CHANCE.normal(size=400)) + 3 * np.sin(np.arange(400) * np.pi / 2)
    window = 200  # whole seasons, so that both count them from the same row
    linear = smoothing_map(smoother, window=window, horizon=6, seasons=(period,) if period else ())

    expected = smoothed(values, smoother, period, 6)
    assert values[-window:] @ linear == pytest.approx(expected, abs=0.02)


def test_forecasts_move_with_the_values() -> None:
    for linear in smoothing_maps(30, 5, (7,)):
        assert linear.sum(axis=0) == pytest.approx(1.0, abs=1e-6)


def test_what_follows_the_model_exactly_is_continued_exactly() -> None:
    rows = np.arange(40)
    line = 5 + 0.5 * rows
    season = np.tile([3.0, -1.0, -2.0, 0.0], 11)
    trend = Smoother(alpha=0.2, damping=1.0, beta=0.1)
    seasonal = Smoother(alpha=0.2, damping=1.0, beta=0.1, gammas=(0.1,))

    plain = smoothing_map(trend, window=40, horizon=4)
    assert line @ plain == pytest.approx(5 + 0.5 * np.arange(40, 44), abs=1e-3)
    both = smoothing_map(seasonal, window=40, horizon=4, seasons=(4,))
    assert (line + season[:40]) @ both == pytest.approx(
        5 + 0.5 * np.arange(40, 44) + season[40:44], abs=1e-3
    )


def test_two_seasons_are_continued_side_by_side() -> None:
    rows = np.arange(60)
    values = 10 + np.sin(2 * np.pi * rows / 4) + 2 * np.cos(2 * np.pi * rows / 12)
    both = Smoother(alpha=0.1, gammas=(0.1, 0.1))
    linear = smoothing_map(both, window=48, horizon=12, seasons=(4, 12))
    assert values[:48] @ linear == pytest.approx(values[48:], abs=1e-3)


def test_long_seasons_are_tried_with_fewer_parameters() -> None:
    assert len(smoothers((168,))) < len(smoothers((24,)))
    assert {each.trend for each in smoothers(())} == {"level", "damped trend", "trend"}
    assert {len(each.gammas) for each in smoothers((24, 168))} == {0, 1, 2}
