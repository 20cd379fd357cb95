import numpy as np
import pytest
import sklearn

from app.judging.forecasts import SCORED_LEVELS
from app.judging.interval_score import level_scores


def test_figures_of_intervals_equal_an_independent_computation() -> None:
    chance = np.random.default_rng(0)
    actual = chance.normal(50, 5, (40, 3))
    half = np.array([2.0, 5.0, 7.0, 10.0])
    bounds = np.stack([50 - half, 50 + half], axis=-1) * np.ones((40, 2, 1, 1))
    counted = np.ones((40, 3), dtype=bool)
    counted[:4] = False
    unit = np.where(np.arange(40) < 20, 1.0, 10.0)
    scores = level_scores(bounds, actual, counted=counted, unit=unit)
    assert [score.level for score in scores] == list(SCORED_LEVELS)
    came = actual[4:, :2].ravel()
    weights = np.repeat(1 / unit[4:], 2)
    for score, width in zip(scores, half, strict=True):
        assert score.rows == 72
        assert score.coverage == pytest.approx((np.abs(came - 50) <= width).mean())
        assert score.width == pytest.approx((2 * width * weights).mean())
        tail = (1 - score.level / 100) / 2
        losses = [
            sklearn.metrics.mean_pinball_loss(
                came, np.full(72, end), alpha=alpha, sample_weight=weights
            )
            * weights.mean()
            for end, alpha in ((50 - width, tail), (50 + width, 1 - tail))
        ]
        assert score.pinball == pytest.approx(np.mean(losses))


def test_without_a_place_that_has_intervals_there_are_no_figures() -> None:
    nothing = np.empty((3, 0, 4, 2))
    actual, counted = np.ones((3, 1)), np.ones((3, 1), dtype=bool)
    assert level_scores(nothing, actual, counted=counted, unit=np.ones(3)) == ()
