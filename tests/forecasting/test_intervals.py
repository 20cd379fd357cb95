"""Compare intervals with independent sources: textbook ranks, SciPy's t, random samples."""

import numpy as np
import pytest
import scipy

from app.forecasting.intervals import (
    LEVELS,
    Intervals,
    Misses,
    Volatility,
    _interval_score,
    calibrate,
    ends_of,
)
from app.forecasting.student import two_sided_quantile


def misses(errors: np.ndarray, windows: np.ndarray | None = None) -> Misses:
    errors = np.asarray(errors, dtype=np.float64).reshape(len(errors), -1)
    return Misses(windows=np.empty((len(errors), 0)) if windows is None else windows, errors=errors)


def ends_at(level: int, scores: np.ndarray) -> tuple[float, float]:
    low, high = ends_of(np.asarray(scores, dtype=np.float64))
    return low[level - 50], high[level - 50]


def held_at(level: int, intervals: Intervals | None, came: np.ndarray) -> float:
    """Return the share of errors `came` inside intervals around 0; the windows are empty."""
    assert intervals is not None
    bounds = intervals.bounds(np.zeros((1, 1)), np.empty((1, 0)), (level,))[0, 0, 0]
    return float(((bounds[0] <= came) & (came <= bounds[1])).mean())


def test_with_few_scores_the_rank_of_the_absolute_ones_is_that_of_the_finite_sample() -> None:
    scores = np.array([-5.0, 1.0, -2.0, 3.0, 4.0, -6.0, 7.0, 8.0, 9.0])  # n = 9
    # ceil(10 · 0.8) = 8, ceil(10 · 0.9) = 9: the largest
    assert ends_at(80, scores) == (-8.0, 8.0)
    assert ends_at(90, scores) == (-9.0, 9.0)


def test_with_many_scores_each_end_has_its_own_rank() -> None:
    scores = np.arange(-19.0, 80.0)  # n = 99, most of them above
    # 80 %: ranks 100 · 0.1 = 10 and 100 · 0.9 = 90 of -19, -18 …
    assert ends_at(80, scores) == (-10.0, 70.0)


def test_beyond_what_the_scores_can_tell_the_width_is_students() -> None:
    scores = np.array([1.0, -2.0, 0.5, -0.5, 1.5])  # n = 5: no rank for 95
    t = scipy.stats.t.ppf(0.975, 5)
    assert ends_at(95, scores)[1] == pytest.approx(t * np.sqrt((scores**2).mean()))
    for p, freedom in [(0.5, 1), (0.05, 5), (0.01, 40)]:
        expected = scipy.stats.t.isf(p / 2, freedom)
        assert two_sided_quantile(p, freedom=freedom) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [5, 12, 30, 60, 200])
def test_wider_levels_hold_narrower_ones_and_all_hold_the_forecast(n: int) -> None:
    low, high = ends_of(np.random.default_rng(n).normal(3.0, 1.0, n))
    assert (np.diff(low) <= 0).all()
    assert (np.diff(high) >= 0).all()
    assert (low <= 0).all()
    assert (high >= 0).all()


@pytest.mark.parametrize("n", [10, 25, 100, 400])
def test_the_coverage_of_samples_that_could_be_swapped_is_the_level_or_more(n: int) -> None:
    chance = np.random.default_rng(1)
    fresh = chance.gamma(2.0, size=4000) - 2
    for level in (50, 80, 95):
        held = [
            held_at(level, calibrate(misses(chance.gamma(2.0, size=n) - 2), usual=7.0), fresh)
            for _ in range(60)
        ]
        # The mean of 60: their deviation is that of a Beta(level n, (1 - level) n).
        deviation = np.sqrt(level / 100 * (1 - level / 100) / n / 60)
        assert level / 100 - 4 * deviation <= np.mean(held) <= level / 100 + 2 / n + 0.09


def test_widths_follow_the_window_where_its_changes_tell_of_the_errors() -> None:
    chance = np.random.default_rng(2)
    size = np.exp(chance.normal(0, 1, 600))[:, None]
    windows = (size * chance.normal(size=(600, 30))).cumsum(axis=1)
    told = calibrate(misses(size * chance.normal(size=(600, 1)), windows), usual=1.0)
    blind = calibrate(misses(chance.normal(size=(600, 1)), windows), usual=1.0)
    assert told is not None
    assert blind is not None
    assert (told.volatility.share, told.volatility.changes) == (1.0, 20)
    assert (blind.volatility.share, blind.volatility.changes) == (0.0, 0)


def test_a_quiet_window_has_60_percent_of_the_usual_width_and_none_has_no_width() -> None:
    flat = np.full((1, 40), 7.0)
    assert Volatility(changes=20, usual=3.0).of(flat) == pytest.approx([1.8])
    assert Volatility(changes=20, usual=3.0, share=0.5).of(flat) == pytest.approx([5.4**0.5])
    assert Volatility(changes=39, usual=None).of(flat) == pytest.approx([7e-6])
    # Values before the recent changes only matter for the size of the values.
    flat[0, :19:2] = -9.0
    assert Volatility(changes=20, usual=3.0).of(flat) == pytest.approx([1.8])
    assert Volatility(changes=20, usual=None).of(flat) == pytest.approx([9e-6])


@pytest.mark.parametrize(
    ("scores", "signed", "conformal"),
    # (n + 1) (100 - level) at least 400; ceil((n + 1) level / 100) at most n
    [(5, None, 83), (39, 90, 97), (38, 89, 97), (99, 96, 99), (98, 95, 98)],
)
def test_up_to_which_level_each_rule_goes(scores: int, signed: int | None, conformal: int) -> None:
    found = calibrate(misses(np.linspace(-5, 5, scores)), usual=1.0)
    assert found is not None
    assert (found.signed_to, found.conformal_to) == (signed, conformal)


def test_the_score_of_intervals_worked_by_hand() -> None:
    found = Intervals(
        volatility=Volatility(changes=0, usual=2.0),
        low=np.full((1, len(LEVELS)), -0.5),
        high=np.ones((1, len(LEVELS))),
        scores=3,
        at_least=None,
    )
    # From -1 to 2. Levels 50, 80, 90 and 95 leave 0.2125 outside on the mean: 3 · 0.2125, and
    # twice the distances 0, 1 and 2 of those outside.
    assert _interval_score(misses(np.array([0.0, 3.0, -3.0])), found) == pytest.approx(2.6375)


def test_several_series_have_widths_of_their_own_size() -> None:
    chance = np.random.default_rng(3)
    size = np.repeat([1.0, 1000.0], 200)[:, None]
    windows = size * (50 + chance.normal(size=(400, 30)).cumsum(axis=1))
    found = calibrate(misses(size * chance.normal(size=(400, 1)), windows), usual=None)
    assert found is not None
    assert found.volatility == Volatility(changes=29, usual=None)
    assert calibrate(misses(chance.normal(size=400), windows[:, :1]), usual=None) is None
    bounds = found.bounds(np.zeros((400, 1)), windows, (80,))[:, 0, 0]
    width = np.diff(bounds, axis=1)[:, 0]
    assert width[200:].mean() == pytest.approx(1000 * width[:200].mean(), rel=0.2)


def test_a_series_that_is_never_negative_has_no_interval_below_zero() -> None:
    found = calibrate(misses(np.linspace(-5, 5, 40)), usual=1.0, at_least=0.0)
    assert found is not None
    bounds = found.bounds(np.array([[2.0]]), np.empty((1, 0)), (50, 90))
    assert bounds[0, 0, :, 0].tolist() == [0.0, 0.0]
    assert (bounds[0, 0, :, 1] > 2).all()


def test_steps_with_too_few_forecasts_have_no_interval() -> None:
    errors = np.random.default_rng(4).normal(size=(9, 4))
    errors[-4:, 1] = np.nan
    errors[-5:, 2] = np.nan
    found = calibrate(misses(errors), usual=1.0)
    assert found is not None
    assert (found.steps, found.scores) == (2, 5)
    assert found.bounds(np.zeros((1, 3)), np.empty((1, 0)), (50,)).shape == (1, 2, 1, 2)
    assert calibrate(misses(errors[:4]), usual=1.0) is None
    with pytest.raises(ValueError, match="whole numbers from 50 to 99"):
        found.bounds(np.zeros((1, 3)), np.empty((1, 0)), (100,))


def test_errors_of_zero_give_intervals_of_no_width() -> None:
    found = calibrate(misses(np.zeros(8)), usual=1.0)
    assert found is not None
    assert not found.low.any()
    assert found.high.shape == (1, len(LEVELS))
