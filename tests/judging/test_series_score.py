import math
from dataclasses import replace

import numpy as np
import pytest
import scipy
import sklearn

from app.judging.forecasts import Floats, Forecasts
from app.judging.series_score import score_series
from app.judging.series_verdict import notes_of, verdict_of
from app.judging.simple_forecasts import simple_forecasts
from tests.judging.series import judged_series, seasonal


def test_the_figures_equal_an_independent_computation() -> None:
    values, start = seasonal(140), 100
    score = score_series([judged_series(values, start)])

    actual = values[start:]
    own = [(values[row - 1] + values[row - 2]) / 2 for row in range(start, 140)]
    last = values[start - 1 : -1]
    season = values[start - 7 : -7]
    assert score.rows == 40
    assert score.season == 7
    assert score.model.rmse == pytest.approx(sklearn.metrics.root_mean_squared_error(actual, own))
    assert score.model.mae == pytest.approx(sklearn.metrics.mean_absolute_error(actual, own))
    assert score.model.bias == pytest.approx(np.mean(own) - actual.mean())
    naive = sklearn.metrics.mean_absolute_error(values[1:start], values[: start - 1])
    assert score.model.mase == pytest.approx(
        sklearn.metrics.mean_absolute_error(actual, own) / naive
    )
    terms = [200 * abs(f - a) / (abs(a) + abs(f)) for a, f in zip(actual, own, strict=True)]
    assert score.model.smape == pytest.approx(sum(terms) / 40)
    right = [(a > p) == (f > p) for a, f, p in zip(actual, own, last, strict=True)]
    assert score.model.directional_accuracy == pytest.approx(sum(right) / 40)
    assert score.baselines["persistence"].rmse == pytest.approx(
        sklearn.metrics.root_mean_squared_error(actual, last)
    )
    assert score.baselines["seasonal_naive"].rmse == pytest.approx(
        sklearn.metrics.root_mean_squared_error(actual, season)
    )
    slopes = [(values[row - 1] - values[0]) / (row - 1) for row in range(start, 140)]
    assert score.baselines["drift"].rmse == pytest.approx(
        sklearn.metrics.root_mean_squared_error(actual, last + slopes)
    )


def test_a_difference_is_tested_against_every_baseline() -> None:
    values, start = seasonal(140), 100
    score = score_series([judged_series(values, start)])

    own = (values[start - 1 : -1] + values[start - 2 : -2]) / 2
    loss = (own - values[start:]) ** 2 - (values[start - 7 : -7] - values[start:]) ** 2
    # One step ahead the corrected test is the t test of the mean difference.
    expected = scipy.stats.ttest_1samp(loss, 0.0)
    against = score.against["seasonal_naive"]
    assert against.statistic == pytest.approx(expected.statistic)
    assert against.p_value == pytest.approx(expected.pvalue)
    assert against.verdict == "worse"
    assert set(score.against) == {
        "persistence",
        "drift",
        "seasonal_naive",
        "linear_autoregression",
    }


def test_poisoning_the_future_changes_no_figure_before_it() -> None:
    values, start, poisoned_from = seasonal(160), 100, 130
    poisoned = np.where(np.arange(160) < poisoned_from, values, 1e9)
    clean, dirty = (judged_series(each, start, horizon=3) for each in (values, poisoned))

    before = slice(0, poisoned_from - start + 1)  # up to the forecast of its first row
    assert clean.season == dirty.season
    assert clean.scale == dirty.scale
    assert (clean.model[before] == dirty.model[before]).all()
    for name, given in clean.baselines.items():
        assert (given[before] == dirty.baselines[name][before]).all(), name
    # Rows that end before the poisoned value have the figures of a series that ends there.
    ended = score_series([judged_series(values[:poisoned_from], start)])
    assert score_series([_first_origins(judged_series(poisoned, start), 30)]) == ended


def _first_origins(told: Forecasts, count: int) -> Forecasts:
    return replace(
        told,
        judged=replace(
            told.judged,
            inputs=told.judged.inputs[:count],
            first=told.judged.first[:count],
            times=told.judged.times[:count],
        ),
        model=told.model[:count],
        baselines={name: given[:count] for name, given in told.baselines.items()},
    )


def test_each_step_of_the_horizon_and_all_together_are_measured() -> None:
    values, start = seasonal(140), 100
    score = score_series([judged_series(values, start, horizon=3)])

    own = (values[start - 1 : -1] + values[start - 2 : -2]) / 2  # from each of the 40 origins
    errors = [own[: 40 - step] - values[start + step :] for step in range(3)]
    assert [(each.step, each.rows) for each in score.steps] == [(1, 40), (2, 39), (3, 38)]
    for each, expected in zip(score.steps, errors, strict=True):
        assert each.model.rmse == pytest.approx(np.sqrt(np.mean(expected**2)))
        assert "linear_autoregression" in each.against
    assert score.all_steps is not None
    together = np.concatenate(errors)
    assert score.all_steps.rows == 117
    assert score.all_steps.model.rmse == pytest.approx(np.sqrt(np.mean(together**2)))
    assert score.model == score.steps[0].model


def test_where_rows_are_too_many_the_last_of_every_series_are_measured_per_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = [
        judged_series(seasonal(rows, seed=rows), 100, label=str(rows), horizon=3)
        for rows in (140, 150, 160)
    ]
    whole = score_series(parts)
    monkeypatch.setattr("app.judging.series_score.MOST_NUMBERS", 3 * 60)
    score = score_series(parts)

    last = [judged_series(seasonal(r, seed=r), r - 20, horizon=3) for r in (140, 150, 160)]
    errors = [
        (part.model[:, 0] - part.judged.actual(1)[:, 0]) / every.scale
        for part, every in zip(last, parts, strict=True)
    ]
    assert score.rows == whole.rows == 150
    assert score.steps[0].rows == 60
    assert score.steps[0].model.rmse == pytest.approx(np.sqrt(np.mean(np.square(errors))))


def test_several_series_are_pooled_in_units_of_their_own_scale() -> None:
    small, large = seasonal(140), seasonal(140, seed=1) * 1000.0
    parts = [judged_series(small, 100, label="small"), judged_series(large, 100, label="large")]
    score = score_series(parts)

    scales = [np.abs(np.diff(each[:100])).mean() for each in (small, large)]
    errors = [
        ((each[99:-1] + each[98:-2]) / 2 - each[100:]) / scale
        for each, scale in zip((small, large), scales, strict=True)
    ]
    assert score.pooled
    assert score.rows == 80
    assert score.model.rmse == pytest.approx(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
    assert score.model.mae == pytest.approx(score.model.mase)
    assert [each.series for each in score.each] == ["small", "large"]
    assert score.each[1].model.rmse == pytest.approx(np.sqrt(np.mean(errors[1] ** 2)) * scales[1])
    # The two move together, so the test sees 40 times, not 80 rows.
    last = [
        (each[99:-1] - each[100:]) / scale
        for each, scale in zip((small, large), scales, strict=True)
    ]
    loss = sum(own**2 - other**2 for own, other in zip(errors, last, strict=True))
    assert score.against["persistence"].p_value == pytest.approx(
        scipy.stats.ttest_1samp(loss, 0.0).pvalue
    )


def test_what_is_not_defined_is_null_with_the_reason() -> None:
    values = np.concatenate([np.full(40, 5.0), np.zeros(10)])
    score = score_series([judged_series(values, 40)])

    assert score.model.mase is None
    assert "no scale" in score.model.missing["mase"]
    assert score.baselines["persistence"].directional_accuracy is None
    assert "no change" in score.baselines["persistence"].missing["directional_accuracy"]
    assert score.missing["seasonal_naive"].startswith("no season was found")
    assert math.isfinite(score.model.rmse)
    assert type(score).model_validate_json(score.model_dump_json()) == score


def test_a_difference_within_noise_is_called_so() -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(size=160)) + 100
    told = judged_series(walk, 141)
    noisy = type(told)(
        judged=told.judged,
        model=told.baselines["persistence"] + 0.01,
        baselines={"persistence": told.baselines["persistence"]},
    )
    sentence = verdict_of(score_series([noisy]), "days", "test")

    assert sentence.startswith("no better than repeating the last value: RMSE ")
    assert sentence.endswith(" over 19 days, a difference within noise")


def test_the_best_baseline_is_named_and_universal_recommended_where_it_is_as_good() -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(size=160)) + 100
    told = judged_series(walk, 60)
    last, actual = told.baselines["persistence"], told.judged.actual(1)

    def verdict(model: Floats, **baselines: Floats) -> str:
        given = type(told)(
            judged=told.judged, model=model, baselines={"persistence": last, **baselines}
        )
        return verdict_of(score_series([given]), "days", "test")

    half, tenth = (last + actual) / 2, (last + 9 * actual) / 10
    assert verdict(half).startswith("better than repeating the last value: RMSE ")
    assert verdict(half, drift=tenth).startswith(
        "worse than continuing the average change, the best baseline: RMSE "
    )
    assert verdict(tenth, universal=half).endswith(" days")
    assert verdict(half, universal=tenth).endswith("; use `universal`, which needs no training")
    assert verdict(half, universal=half + 1e-9, drift=tenth).endswith("use it, without training")


def test_a_copy_of_the_last_value_is_reported_in_the_notes() -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(size=160)) + 100
    told = judged_series(walk, 120)
    copy = type(told)(
        judged=told.judged, model=told.baselines["persistence"] + 0.01, baselines=told.baselines
    )
    (note,) = notes_of(score_series([copy]))
    assert note.startswith("the forecasts mostly copy the previous value (RMSE")


def test_rows_at_which_universal_was_not_asked_are_reported_in_the_notes() -> None:
    told = judged_series(seasonal(140), 100)
    every_other = told.model.copy()
    every_other[1::2] = np.nan
    baselines = {**told.baselines, "universal": every_other}
    score = score_series([replace(told, baselines=baselines)])

    assert notes_of(score)[-1].startswith("`universal` is compared on 20 of 40 judged rows: it ")


def test_steps_past_the_last_row_are_not_there() -> None:
    score = score_series([judged_series(seasonal(103), 100, horizon=5)])

    assert [each.step for each in score.steps] == [1, 2, 3]
    assert score.all_steps is not None
    assert score.all_steps.rows == 6
    assert type(score).model_validate_json(score.model_dump_json()) == score


def test_series_that_never_changed_before_are_left_out_of_the_pooled_figures() -> None:
    flat = np.concatenate([np.full(100, 7.0), seasonal(40)])
    pairs = ((seasonal(140), "a"), (flat, "b"))
    told = [judged_series(each, 100, label=name) for each, name in pairs]
    score = score_series(told)

    assert score.rows == 40
    assert [each.rows for each in score.each] == [40, 40]
    assert "1 series, 'b' for one, have no rows or no changes" in notes_of(score)[-1]


def test_of_very_many_series_none_is_fitted_one_by_one() -> None:
    judged = judged_series(seasonal(140), 100).judged
    simple = simple_forecasts(judged, horizon=1, frequency="D", window=2, series_count=5000)

    assert set(simple.forecasts) == {"persistence", "drift"}
    assert simple.missing["seasonal_naive"].endswith("up to 1000 series, not to 5000")


def test_without_training_rows_only_what_needs_none_is_measured() -> None:
    told = judged_series(seasonal(60), 20)
    bare = replace(told.judged, training=np.empty(0))
    simple = simple_forecasts(bare, horizon=1, frequency=None, window=2)

    assert set(simple.forecasts) == {"persistence", "drift"}
    assert "at least 3 needed" in simple.missing["linear_autoregression"]
    assert np.isnan(replace(told, judged=bare).scale)
