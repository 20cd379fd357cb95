"""Which anchor a run settles on, and what it forecasts: no network is trained here."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.artifact.manifest import Manifest, SeriesInput
from app.artifact.series_records import SeriesAnchor
from app.errors import Unprocessable
from app.forecasting.metrics import rmse
from app.judging.notes import anchor_note
from app.reading.content import SeriesContent
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.series import anchors, universal
from app.training.series.anchors import SeriesAnchors, Settled, fit_anchors, settle_anchor
from app.training.series.data import read_series
from tests.artifacts import COMMON
from tests.training.runs import long_file, series_of, wave

ROWS = 300
CUT = 240


def recipe_of(**given: object) -> SeriesRecipe:
    recipe = resolve_recipe("series", {"preset": "default", "horizon": 1, **given})
    assert isinstance(recipe, SeriesRecipe)
    return recipe


def settled(
    content: SeriesContent,
    *,
    start_from: Manifest | None = None,
    **given: Any,  # noqa: ANN401
) -> Settled | None:
    recipe = recipe_of(**given)
    data = read_series(content, recipe, target=None, has_test=False)
    return settle_anchor(data, recipe, start_from=start_from)


def fitted(
    content: SeriesContent,
    *,
    start_from: Manifest | None = None,
    has_test: bool = False,
    **given: Any,  # noqa: ANN401
) -> SeriesAnchors:
    recipe = recipe_of(**given)
    data = read_series(content, recipe, target=None, has_test=has_test)
    found = settle_anchor(data, recipe, start_from=start_from)
    assert found is not None
    data = replace(data, reach=found.reach)
    return fit_anchors(data, recipe, found)


def errors_of(record: SeriesAnchor) -> dict[str, float]:
    return {each.name: each.error for each in record.candidates if each.error is not None}


def walk(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=ROWS).cumsum() + 50.0


def test_an_autoregression_is_given_most_of_the_weight_where_it_is_one() -> None:
    chance = np.random.default_rng(1).normal(size=ROWS)
    swinging = np.zeros(ROWS)
    for row in range(2, ROWS):
        swinging[row] = 1.6 * swinging[row - 1] - 0.8 * swinging[row - 2] + chance[row]
    record = fitted(series_of(swinging)).record
    assert (record.name, record.season) == ("average", None)
    assert record.members[0].name == "autoregression"
    errors = errors_of(record)
    # Its noise has a deviation of 1; the last value misses by more than that.
    assert errors["average"] == pytest.approx(1.0, rel=0.2)
    assert errors["persistence"] > 1.3
    assert "autoregression" in anchor_note(record)
    assert "against persistence" in anchor_note(record)


def test_a_growing_season_is_forecast_in_logarithms() -> None:
    chance = np.random.default_rng(0)
    rows = np.arange(144)
    values = np.exp(4 + 0.01 * rows + 0.3 * np.sin(2 * np.pi * rows / 12))
    values *= np.exp(chance.normal(0, 0.02, 144))
    record = fitted(series_of(values, start=None)).record
    assert record.logarithmic == 1
    assert "in logarithms" in anchor_note(record)
    assert fitted(series_of(values - 300, start=None)).record.logarithmic == 0


def test_the_window_of_the_anchor_holds_seasons_and_that_of_the_network_stays() -> None:
    pattern = np.random.default_rng(3).normal(size=90)
    content = series_of(
        np.tile(pattern, 10) + np.random.default_rng(4).normal(0.0, 0.3, 900), start=None
    )
    found = settled(content)
    assert found is not None
    assert found.reach.window == 180
    assert found.seasons == (90,)
    assert found.reach.least == 91
    shorter = settled(content, window=60)
    assert shorter is not None
    assert (shorter.reach.window, shorter.reach.least, shorter.seasons) == (60, 60, ())
    missing = {each.name: each.missing for each in fitted(content, window=60).record.candidates}
    assert "no season was found before the cut that fits into the window" in str(missing["season"])


def test_holes_are_filled_so_that_the_season_stays() -> None:
    values = np.where(np.random.default_rng(0).random(ROWS) < 0.2, np.nan, wave(ROWS))
    found = fitted(series_of(values))
    errors = errors_of(found.record)
    # The noise of the wave is 0.1; what was filled before an origin adds a little.
    assert errors["average"] < 0.4
    assert errors["persistence"] > 3


def test_what_comes_after_the_cut_changes_neither_weights_nor_coefficients() -> None:
    values = wave(ROWS)
    first, other = (
        fitted(series_of(each)) for each in (values, np.where(np.arange(ROWS) < CUT, values, -1e6))
    )
    assert first.record == other.record
    for phase in ("calibrating", "training", "judging"):
        one, two = first.by_phase[phase], other.by_phase[phase]
        np.testing.assert_array_equal(one.weights, two.weights)
        np.testing.assert_array_equal(one.intercept, two.intercept)
    assert (first.by_phase["refitting"].weights != other.by_phase["refitting"].weights).any()


def test_too_few_rows_stay_with_persistence_and_say_so() -> None:
    record = fitted(series_of(wave(12)), horizon=10).record
    assert record.name == "persistence"
    assert "too few rows" in anchor_note(record)


def test_several_series_have_an_anchor_each_and_any_other_their_average() -> None:
    one, other = wave(ROWS, seed=1), 1e5 - 1e4 * wave(ROWS, seed=2)
    found = fitted(long_file([one, other]))
    record = found.record
    assert (record.pooled, record.own) == (True, True)
    assert errors_of(record)["persistence"] == pytest.approx(1.2, abs=0.2)  # in mean changes
    assert "in units of each series' mean change" in anchor_note(record)
    anchor = found.by_phase["judging"]
    assert anchor.series == 3
    view = np.lib.stride_tricks.sliding_window_view
    for number, (values, unit) in enumerate(((one, 1.0), (other, 1e4)), start=1):
        rows = view(values, anchor.window + 1)[CUT - anchor.window :]
        shown, came = rows[:, :-1], rows[:, -1:]
        own = anchor.forecasts(shown, np.full(len(shown), number))
        average = anchor.forecasts(shown)
        assert rmse(own, came) < 0.2 * unit
        # Of the same nature, they share even the average: it knows no level.
        assert rmse(average, came) < 0.2 * unit


def test_too_many_series_for_an_anchor_each_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchors, "MOST_WEIGHTS", 10)
    found = fitted(long_file([wave(ROWS, seed=1), 10 * wave(ROWS, seed=2)]))
    assert not found.record.own
    assert found.by_phase["judging"].series == 1


def test_anchors_that_a_recipe_names_are_taken_or_refused_with_the_reason() -> None:
    seasonal = settled(series_of(wave(ROWS)), anchor="season")
    assert seasonal is not None
    assert seasonal.record == SeriesAnchor(name="season", season=12, chosen=False)
    assert seasonal.names == ("season",)
    assert settled(series_of(walk(0)), anchor="none") is None
    for values, given, words in (
        (walk(0), {"anchor": "season"}, "recipe.anchor: season: no season was found"),
        (wave(ROWS), {"anchor": "season", "window": 12}, "season of 12 rows that was found needs"),
    ):
        with pytest.raises(Unprocessable, match=words):
            settled(series_of(values), **given)


@pytest.mark.parametrize("name", ["persistence", "season", "theta", "smoothing", "autoregression"])
def test_an_anchor_that_is_named_is_the_only_one(name: str) -> None:
    found = fitted(series_of(wave(ROWS)), anchor=name)
    assert (found.record.name, found.record.chosen) == (name, False)
    assert {each.name for each in found.record.members} <= {name}


def short_and_noisy(rows: int = 40) -> np.ndarray[Any, Any]:
    """Return a season with a moving level, of which few cycles are known."""
    time, chance = np.arange(rows), np.random.default_rng(rows)
    level = 50 + 0.3 * time + 1.6 * np.cumsum(chance.normal(size=rows))
    season = 10 * np.sin(2 * np.pi * time / 12)
    return np.asarray(level + season + chance.normal(0, 4, rows))


def test_universal_gets_a_share_where_it_forecasts_better_than_what_was_fitted() -> None:
    found = fitted(series_of(short_and_noisy()), horizon=6)
    part, errors = found.record.universal, errors_of(found.record)
    assert part is not None
    assert part.error is not None
    assert part.share > 0.2
    assert errors["average"] < part.error
    assert f"with {100 * part.share:.0f} % universal@1;" in anchor_note(found.record)
    for phase in ("calibrating", "training", "judging", "refitting"):
        assert found.by_phase[phase].universal.tolist() == [part.share]
    plain = fitted(series_of(short_and_noisy()), horizon=6, anchor="average")
    assert plain.record.universal is None
    assert errors["average"] < errors_of(plain.record)["average"]


def test_universal_is_left_out_where_it_does_not_help_or_would_take_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = fitted(series_of(wave(120)), horizon=4).record
    assert record.universal is not None
    assert record.universal.share == 0
    assert "without universal, which did not help" in anchor_note(record)
    monkeypatch.setattr(universal, "MOST_ROWS", 30)
    record = fitted(series_of(short_and_noisy()), horizon=6).record
    assert "without universal: 40 rows are more than the 30" in anchor_note(record)
    monkeypatch.undo()
    record = fitted(series_of(wave(160)), horizon=65).record
    assert "without universal: the horizon of 65 is past the 64 steps" in anchor_note(record)


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
    content = series_of(wave(ROWS))
    seasonal = version(name="season", season=30, chosen=True)
    record = fitted(content, start_from=seasonal).record
    assert (record.name, record.season) == ("season", 30)
    with pytest.raises(Unprocessable, match=r"recipe.anchor: .*trained with season"):
        settled(content, start_from=seasonal, anchor="persistence")
    older = version(recipe="persistence")
    assert fitted(content, start_from=older).record.name == "persistence"
    with pytest.raises(Unprocessable, match="trained with persistence"):
        settled(content, start_from=older, anchor="autoregression")
    # Window scaling is centred on the last value: no anchor and persistence are one.
    unanchored = version(recipe="none")
    assert settled(content, start_from=unanchored) is None
    record = fitted(content, start_from=unanchored, anchor="persistence").record
    assert record.name == "persistence"
