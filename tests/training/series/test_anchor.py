"""Test which anchor a run chooses; no network is trained."""

from typing import Any

import numpy as np
import pytest

from app.artifact.manifest import Manifest, SeriesInput
from app.artifact.series_records import SeriesAnchor
from app.errors import Unprocessable
from app.forecasting.windows import windows
from app.judging.notes import anchor_note
from app.reading.content import SeriesContent
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.series.anchor import Settled, fit_anchor, settle_anchor
from app.training.series.data import read_series
from tests.artifacts import COMMON
from tests.training.runs import long_file, series_of, wave

ROWS = 300


def recipe_of(**given: object) -> SeriesRecipe:
    recipe = resolve_recipe("series", {"preset": "default", "horizon": 1, **given})
    assert isinstance(recipe, SeriesRecipe)
    return recipe


def settled(
    content: SeriesContent,
    *,
    start_from: Manifest | None = None,
    has_test: bool = False,
    **given: Any,  # noqa: ANN401
) -> Settled | None:
    recipe = recipe_of(**given)
    data = read_series(content, recipe, target=None, has_test=has_test)
    return settle_anchor(data, recipe, start_from=start_from)


def chosen(content: SeriesContent, **given: Any) -> SeriesAnchor:  # noqa: ANN401
    found = settled(content, **given)
    assert found is not None
    return found.record


def walk(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=ROWS).cumsum() + 50.0


def test_walks_stay_with_persistence_and_an_autoregression_finds_its_own() -> None:
    names = [chosen(series_of(walk(seed))).name for seed in range(10)]
    assert names.count("persistence") >= 7
    chance = np.random.default_rng(1).normal(size=ROWS)
    swinging = np.zeros(ROWS)
    for row in range(2, ROWS):
        swinging[row] = 1.6 * swinging[row - 1] - 0.8 * swinging[row - 2] + chance[row]
    record = chosen(series_of(swinging))
    assert (record.name, record.season) == ("autoregression", None)
    errors = {each.name: each.error for each in record.candidates}
    # Its noise has a standard deviation of 1; the last value misses by more.
    assert errors["autoregression"] == pytest.approx(1.0, rel=0.2)
    assert errors["persistence"] is not None
    assert errors["persistence"] > 1.3


def test_a_season_within_a_trend_chooses_its_change() -> None:
    chance = np.random.default_rng(0)
    pattern = np.tile(chance.normal(0.0, 20.0, 12), 6)
    values = pattern + chance.normal(0.0, 1.0, 72).cumsum() + 300.0
    record = chosen(series_of(values, start=None))
    assert (record.name, record.season) == ("season-change", 12)


def test_the_window_left_open_grows_for_a_season_that_was_chosen_and_for_no_other() -> None:
    pattern = np.random.default_rng(3).normal(size=90)
    noise = np.random.default_rng(4).normal(0.0, 0.3, 900)
    found = settled(series_of(np.tile(pattern, 10) + noise, start=None))
    assert found is not None
    assert (found.record.name, found.record.season, found.window) == ("season", 90, 91)
    shorter = settled(series_of(np.tile(pattern, 10) + noise, start=None), window=60)
    assert shorter is not None
    assert shorter.window == 60
    missing = {each.name: each.missing for each in shorter.record.candidates}
    assert missing["season"] == "the season of 90 rows does not fit into the window of 60"
    assert missing["season"] in anchor_note(shorter.record)


def test_a_window_that_would_take_too_long_is_not_taken() -> None:
    rows = 2400
    year = 10 * np.sin(np.arange(rows) * 2 * np.pi / 365)
    found = settled(series_of(year + np.random.default_rng(0).normal(size=rows)))
    assert found is not None
    assert found.window == 60
    missing = {each.name: each.missing for each in found.record.candidates}
    assert (
        missing["season"] == "a window for the season of 365 rows would take too long to train on"
    )


def test_where_values_are_missing_a_season_must_leave_complete_windows() -> None:
    values = np.where(np.random.default_rng(0).random(ROWS) < 0.2, np.nan, wave(ROWS))
    found = settled(series_of(values))
    assert found is not None
    assert found.window < 13
    missing = {each.name: each.missing for each in found.record.candidates}
    assert "too few windows that hold the season of 12 rows" in (missing["season"] or "")


def test_what_comes_after_the_cut_changes_neither_choice_nor_coefficients() -> None:
    values = wave(ROWS)
    recipe, first = recipe_of(), None
    for after in (values, np.where(np.arange(ROWS) < 240, values, -1e6)):
        data = read_series(series_of(after), recipe, target=None, has_test=False)
        found = settle_anchor(data, recipe)
        first = first or found
        assert found == first


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ({}, 120),  # 36 validation rows are too few: half of the 240 before the cut
        ({"validation_fraction": 0.0, "early_stopping": None}, 120),
        ({"validation_fraction": 0.5, "test_fraction": 0.0}, 150),
        ({"has_test": True}, 120),
    ],
)
def test_rows_before_the_cut_are_chosen_on(given: dict[str, Any], origins: int) -> None:
    record = chosen(series_of(wave(ROWS)), **given)
    assert (record.name != "persistence", record.origins) == (True, origins)


def test_too_few_rows_stay_with_persistence_and_say_so() -> None:
    record = chosen(series_of(wave(12)))
    assert record.name == "persistence"
    assert "too few rows" in anchor_note(record) or "examples" in anchor_note(record)


def test_several_series_choose_together_whatever_their_size() -> None:
    one, other = wave(ROWS, seed=1), 1e5 - 1e4 * wave(ROWS, seed=2)
    found = settled(long_file([one, other]), window=24)
    assert found is not None
    record = found.record
    assert record.pooled
    assert record.name in {"autoregression", "season"}
    alone = chosen(series_of(one), window=24)
    pooled = {each.name: each.error for each in record.candidates}
    own = {each.name: each.error for each in alone.candidates}
    assert pooled["persistence"] == pytest.approx(1.2, abs=0.2)  # in mean changes
    assert own["persistence"] == pytest.approx(4.0, rel=0.2)  # in the series' unit
    assert "in units of each series' mean change" in anchor_note(record)
    recipe = recipe_of(window=24)
    data = read_series(long_file([one, other]), recipe, target=None, has_test=False)
    autoregression = SeriesAnchor(name="autoregression", chosen=False)
    assert settle_anchor(data, recipe_of(window=24, anchor="autoregression")) == Settled(
        record=autoregression, window=24
    )


def test_anchors_that_a_recipe_names_are_taken_or_refused_with_the_reason() -> None:
    seasonal = settled(series_of(wave(ROWS)), anchor="season", window=None)
    assert seasonal == Settled(
        record=SeriesAnchor(name="season", season=12, chosen=False), window=50
    )
    assert settled(series_of(walk(0)), anchor="none") is None
    for values, given, words in (
        (walk(0), {"anchor": "season"}, "recipe.anchor: season: no season was found"),
        (wave(ROWS), {"anchor": "season", "window": 12}, "recipe.window: 12 does not hold"),
    ):
        with pytest.raises(Unprocessable, match=words):
            settled(series_of(values), **given)


def version(**given: Any) -> Manifest:  # noqa: ANN401
    recipe = recipe_of(anchor=given.pop("recipe", "auto"))
    return Manifest(
        kind="series",
        recipe=recipe,
        window=60,
        min_history=60,
        horizon=1,
        series=SeriesInput(
            features=(),
            target="value",
            frequency="D",
            time_form="date",
            never_negative=True,
            anchor=SeriesAnchor(**given) if given else None,
        ),
        **COMMON,
    )


def test_a_warm_start_stays_with_the_anchor_its_network_was_trained_with() -> None:
    seasonal = version(name="season", season=30, chosen=True)
    record = chosen(series_of(wave(ROWS)), start_from=seasonal)
    assert (record.name, record.season) == ("season", 30)
    with pytest.raises(Unprocessable, match=r"recipe.anchor: .*trained with season"):
        settled(series_of(wave(ROWS)), start_from=seasonal, anchor="persistence")
    older = version(recipe="persistence")
    assert chosen(series_of(wave(ROWS)), start_from=older).name == "persistence"
    with pytest.raises(Unprocessable, match="trained with persistence"):
        settled(series_of(wave(ROWS)), start_from=older, anchor="autoregression")
    # Window scaling is centred on the last value, so no anchor and persistence are the same.
    unanchored = version(recipe="none")
    assert settled(series_of(wave(ROWS)), start_from=unanchored) is None
    record = chosen(series_of(wave(ROWS)), start_from=unanchored, anchor="persistence")
    assert record.name == "persistence"


def test_an_autoregression_that_cannot_be_fitted_is_named() -> None:
    recipe = recipe_of(anchor="autoregression", window=5)
    data = read_series(series_of(wave(20)), recipe, target=None, has_test=False)
    found = settle_anchor(data, recipe)
    assert found is not None
    (group,) = data.groups
    every = windows(group.inputs, group.target, window=5, horizon=1)
    with pytest.raises(Unprocessable, match=r"recipe.anchor: autoregression cannot be fitted"):
        fit_anchor(found.record, every, np.arange(7), target=0, alone=True)
