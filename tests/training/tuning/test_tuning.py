"""What `universal` is trained further on, and the version that comes of it."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from app.artifact.onnx_session import forecasts
from app.artifact.series_records import SeriesAnchor, Tuning, UniversalShare
from app.errors import Unprocessable
from app.judging.notes import anchor_note
from app.judging.universal_baseline import shipped_universal
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.keras_network import initial_weights
from app.training.series.task import SeriesTask
from app.training.tuning.examples import (
    Tunable,
    form_for,
    training_histories,
    validation_histories,
)
from app.training.universal.form import HORIZON, Form
from app.training.universal.network import GAPS, Quantiles
from app.training.universal.objective import losses_by_series
from tests.training.runs import series_of, wave

ROWS, START, CUT = 200, 140, 170
SERIES = Tunable(values=np.arange(ROWS, dtype=np.float64), validation_start=START, test_start=CUT)


def test_histories_for_training_see_nothing_after_their_stop() -> None:
    form = form_for(START)
    found = training_histories([SERIES], [START], form)
    assert np.nanmax(found.series) == START - 1
    ends = {int(own[form.context - 1]) for own in found.series}  # the newest value of each
    assert {50, START - 1} <= ends


def test_only_validation_rows_count_as_targets_of_validation() -> None:
    form = form_for(START)
    found = validation_histories([SERIES], form)
    counted = {
        value
        for own, first in zip(found.series, found.counted, strict=True)
        for value in own[first:][np.isfinite(own[first:])]
    }
    assert counted == set(range(START, CUT))
    assert np.nanmax(found.series) == CUT - 1


def test_a_series_without_validation_rows_gives_none() -> None:
    whole = Tunable(values=SERIES.values, validation_start=ROWS, test_start=ROWS)
    assert not len(validation_histories([whole], form_for(ROWS)))


def test_only_targets_within_the_horizon_count() -> None:
    form, chosen = Form(context=128, steps=16), slice(7, 16, 8)  # two origins, 64 rows apart
    flat = Quantiles(
        median=tf.zeros((3, 2, HORIZON)),
        gaps=tf.ones((3, 2, HORIZON, GAPS)),
        scale=tf.ones((3, 16, 1))[:, chosen],
    )
    series = np.random.default_rng(0).normal(0, 1, 128 + HORIZON).astype(np.float32)
    far, near = series.copy(), series.copy()
    far[128 + 8 :] += 50
    near[128 + 7] += 50
    values = tf.constant(np.stack((series, far, near)))
    losses, weights = losses_by_series(
        flat,
        tf.fill((3, 16, 1), 100.0),
        values[:, :128],
        values[:, 128:],
        chosen=chosen,
        form=form,
        horizon=8,
    )
    mean = (losses / weights).numpy()
    assert mean[2] > 2 * mean[0]
    assert mean[1] < mean[2]
    assert float(weights[0]) == pytest.approx(
        2 * sum(h**-0.5 / (1 + h / 4) ** 0.2 for h in range(1, 9)), rel=1e-5
    )


def recipe_of(**given: Any) -> SeriesRecipe:  # noqa: ANN401
    recipe = resolve_recipe("series", {"preset": "tune", "horizon": 6, **given})
    assert isinstance(recipe, SeriesRecipe)
    return recipe


def test_before_training_a_version_forecasts_what_universal_does() -> None:
    values = wave(150)
    task = SeriesTask.prepare(series_of(values), recipe_of(), target=None, test=None)
    weights = initial_weights(task.architecture("training"), seed=0)
    window = values[-task.data.window :]
    given = forecasts(task.graph("training", weights), window[None, :, None])
    universal = shipped_universal()
    whole = np.full((1, universal.window), np.nan)
    whole[0, -len(window) :] = window
    alone = universal.forecasts(whole, np.array([[7, 365]]), horizon=6)
    np.testing.assert_allclose(given, alone, rtol=1e-6)


def test_other_columns_keep_their_effects() -> None:
    chance = np.random.default_rng(1)
    promo = (chance.random(158) < 0.2).astype(float)
    units = 100 + 40 * promo + chance.normal(0, 4, 158)
    units[150:] = np.nan
    content = series_of(np.column_stack((units, promo)), columns=("units", "promo"))
    task = SeriesTask.prepare(content, recipe_of(), target="units", test=None)
    assert task.anchors is not None
    assert task.anchors.record.name == "universal"
    (effect,) = task.anchors.record.effects
    assert effect.effect == pytest.approx(40, abs=2)
    assert task.anchors.by_phase["training"].universal.tolist() == [1.0]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"anchor": "auto"}, "recipe.tune_epochs"), ({"horizon": 65}, "recipe.horizon")],
)
def test_what_universal_cannot_do_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        recipe_of(**changes)
    assert [each.field for each in refused.value.errors] == [field]


@pytest.mark.parametrize(
    ("tuning", "told"),
    [
        (None, "as it is shipped"),
        (Tuning(epochs=0, before=2.0, after=2.0), "no epoch of training on these rows helped"),
        (Tuning(epochs=4, before=2.0, after=1.5), "for 4 epochs, which reduced its validation "),
    ],
)
def test_the_scorecard_says_how_far_it_was_trained(tuning: Tuning | None, told: str) -> None:
    share = UniversalShare(version=1, share=1.0, series=1, tuning=tuning)
    anchor = SeriesAnchor(name="universal", chosen=False, universal=share)
    assert told in anchor_note(anchor)
