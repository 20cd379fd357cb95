"""Columns known ahead: a promotion that is planned."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.artifact.files import JUDGED, MODEL
from app.artifact.onnx_session import forecasts
from app.errors import Unprocessable
from app.reading.content import SeriesContent
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.series.data import SeriesData
from app.training.series.inputs import prepare_inputs
from app.training.series.task import SeriesTask
from tests.training.runs import SMALL, Artifact, Train, evaluated, series_of

ROWS, HORIZON = 240, 6
PROMO = (np.random.default_rng(3).random(ROWS + HORIZON) < 0.2).astype(float)
UNITS = 100 + 80 * PROMO + np.random.default_rng(4).normal(0, 4, ROWS + HORIZON)
DAY = np.timedelta64(1, "D")
RECIPE = {**SMALL, "anchor": "auto", "horizon": HORIZON, "epochs": 1}


def shop(*, planned: int = HORIZON) -> SeriesContent:
    """Units sold up to now, promotions for some days more."""
    units = np.where(np.arange(ROWS + planned) < ROWS, UNITS[: ROWS + planned], np.nan)
    return series_of(np.column_stack((units, PROMO[: ROWS + planned])), columns=("units", "promo"))


def chosen(content: SeriesContent, **given: Any) -> SeriesData:  # noqa: ANN401
    recipe = resolve_recipe("series", {"preset": "default", "horizon": HORIZON, **given})
    assert isinstance(recipe, SeriesRecipe)
    return SeriesTask.prepare(content, recipe, target="units", test=None).data


def known_of(content: SeriesContent, **given: Any) -> tuple[str, ...]:  # noqa: ANN401
    data = chosen(content, **given)
    return tuple(data.features[place] for place in data.known)


@pytest.fixture
def trained(train: Train) -> Artifact:
    return train(shop(), RECIPE)


def test_a_promotion_is_forecast_as_far_as_chance_allows(trained: Artifact) -> None:
    score = trained.scorecard.series
    assert score is not None
    assert score.all_steps is not None
    assert score.all_steps.model.rmse == pytest.approx(4.0, abs=0.6)
    described = trained.manifest.series
    assert described is not None
    assert described.known == ("promo",)
    assert described.anchor is not None
    (effect,) = described.anchor.effects
    assert (effect.name, effect.series) == ("promo", 1)
    assert effect.effect == pytest.approx(80.0, abs=2.0)
    assert any("effect of promo (+" in note for note in trained.scorecard.notes)


@pytest.mark.parametrize("name", [MODEL, JUDGED])
def test_what_is_planned_moves_the_steps_it_is_planned_for(trained: Artifact, name: str) -> None:
    window = trained.manifest.window
    assert window is not None
    history = np.column_stack((UNITS, PROMO))[None, ROWS - window : ROWS]
    planned = np.zeros((1, HORIZON, 1))
    without = forecasts(trained.bytes_of(name), history, future=planned)
    planned[0, 2] = 1
    given = forecasts(trained.bytes_of(name), history, future=planned) - without
    assert given[0, 2] == pytest.approx(80.0, abs=2.0)
    assert np.delete(given[0], 2) == pytest.approx(0.0, abs=1e-9)


def test_an_evaluation_knows_the_promotions_of_its_rows(trained: Artifact) -> None:
    card = evaluated(trained, shop(), shop(), "judged")
    assert card.series is not None
    assert card.series.all_steps is not None
    assert card.series.all_steps.model.rmse == pytest.approx(4.0, abs=0.6)


def test_columns_that_go_on_for_a_horizon_are_known_and_others_are_not() -> None:
    assert known_of(shop()) == ("promo",)
    # One day more may be a row that is not complete yet.
    assert known_of(shop(planned=1)) == ()
    assert known_of(shop(planned=0), known=["promo"]) == ("promo",)
    assert known_of(shop(), anchor="none", scaling="minmax") == ()
    with pytest.raises(Unprocessable, match=r"recipe.known: no column 'price'"):
        known_of(shop(), known=["price"])
    with pytest.raises(Unprocessable, match=r"recipe.known: 'units' is the target"):
        known_of(shop(), known=["units"])


def test_a_column_without_effect_is_left_out_and_said_so(train: Train) -> None:
    noise = np.random.default_rng(8).normal(size=ROWS)
    content = series_of(np.column_stack((UNITS[:ROWS], noise)), columns=("units", "noise"))
    trained = train(content, {**RECIPE, "known": ["noise"]})
    assert trained.manifest.series is not None
    assert trained.manifest.series.anchor is not None
    (effect,) = trained.manifest.series.anchor.effects
    assert (effect.effect, effect.series) == (0.0, 0)
    assert any(
        "without an effect of noise, which did not help" in note for note in trained.scorecard.notes
    )


def test_a_series_that_was_not_trained_on_has_effects_in_shares_of_its_level() -> None:
    levels = 50.0 * np.arange(1, 7)
    days = np.tile(np.datetime64("2024-01-01", "us") + np.arange(ROWS) * DAY, len(levels))
    units = levels[:, None] * UNITS[:ROWS] / 100  # (series, rows)
    content = replace(
        series_of(np.column_stack((units.ravel(), np.tile(PROMO[:ROWS], len(levels))))),
        columns=("units", "promo"),
        times=days,
        labels=tuple(f"shop {level:03.0f}" for level in levels),
        series=np.repeat(np.arange(len(levels), dtype=np.int32), ROWS),
    )
    recipe = resolve_recipe(
        "series",
        {**RECIPE, "anchor": "average", "known": ["promo"], "calendar_inputs": []},
    )
    assert isinstance(recipe, SeriesRecipe)
    _, data, anchors = prepare_inputs(content, recipe, target="units", test=None, start_from=None)
    assert anchors is not None
    for level in (10.0, 1000.0):
        window = level * UNITS[ROWS - data.window : ROWS] / 100
        given = anchors.by_phase["refitting"].forecasts(
            window[None],
            columns=PROMO[None, ROWS - data.window : ROWS, None],
            future=np.array([1.0, 0, 0, 0, 0, 1])[None, :, None],
        )
        expected = level * np.array([1.8, 1, 1, 1, 1, 1.8])
        assert given[0] == pytest.approx(expected, rel=0.08)
