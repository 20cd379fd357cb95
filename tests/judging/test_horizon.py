import numpy as np
import pytest
import sklearn

from app.judging.horizon import horizon_of, rmse_over, skill_by_horizon
from app.judging.series_score import score_series
from app.judging.series_verdict import skill_of, verdict_of
from tests.judging.series import judged_series, seasonal


def test_errors_over_the_first_steps_are_those_of_these_steps_together() -> None:
    values, start = seasonal(140), 100
    score = score_series([judged_series(values, start, horizon=4)])
    own = (values[start - 1 : -1] + values[start - 2 : -2]) / 2  # from each of the 40 origins

    for steps in (1, 2, 3):
        squares = [np.mean((own[: 40 - h] - values[start + h :]) ** 2) for h in range(steps)]
        assert rmse_over(score, steps) == pytest.approx(np.sqrt(np.mean(squares)))
    assert score.all_steps is not None
    assert rmse_over(score, 4) == score.all_steps.model.rmse
    assert rmse_over(score, 5) is None
    assert horizon_of(score) == 4


def test_steps_that_a_scorecard_does_not_show_are_interpolated() -> None:
    score = score_series([judged_series(seasonal(900), 500, horizon=100)])
    assert len(score.steps) == 48

    exact = score_series([judged_series(seasonal(900), 500, horizon=30)])
    assert rmse_over(score, 30) == pytest.approx(rmse_over(exact, 30), rel=0.05)
    assert len(skill_by_horizon(score)) == 100


def test_a_baseline_that_was_not_measured_so_far_has_no_error() -> None:
    score = score_series([judged_series(seasonal(140), 100, horizon=3)])
    assert rmse_over(score, 2, "mlp") is None


def test_verdict_and_skill_are_over_the_whole_horizon() -> None:
    # One step ahead the last value is nearly right; five steps ahead the season has turned.
    values, start = np.sin(np.arange(400) * 2 * np.pi / 10) * 10 + 50, 300
    told = judged_series(values, start, horizon=5)
    from_season = np.stack([values[row - 10 : row - 5] for row in told.judged.first])
    model = from_season + np.array([8.0, 0.0, 0.0, 0.0, 0.0])  # only the first step is wrong
    only = {"persistence": told.baselines["persistence"]}
    score = score_series([type(told)(judged=told.judged, model=model, baselines=only)])

    actual = told.judged.actual(5)
    there = np.isfinite(actual)
    last = np.repeat(told.baselines["persistence"][:, :1], 5, axis=1)
    errors = [
        sklearn.metrics.root_mean_squared_error(actual[there], each[there])
        for each in (model, last)
    ]
    assert score.model.rmse > score.baselines["persistence"].rmse
    assert verdict_of(score, "days", "test", horizon=5).startswith(
        f"better than repeating the last value: RMSE {errors[0]:.3g} against {errors[1]:.3g} over "
        "the next 5 days, from 100 origins"
    )
    skill, _ = skill_of(score, "test")
    assert skill == pytest.approx(1 - errors[0] / errors[1], abs=0.01)


def test_each_row_of_the_curve_has_the_error_of_its_whole_forecast() -> None:
    values = seasonal(140)
    told = judged_series(values, 100, horizon=3)
    curve = score_series([told]).curve

    expected = np.sqrt(np.mean((told.model[7] - values[107:110]) ** 2))
    assert curve[7].horizon_rmse == pytest.approx(expected)
    assert [point.horizon_rmse for point in curve[-2:]] == [None, None]
