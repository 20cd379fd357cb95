"""Test files in which some series are much shorter than others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from app.reading.content import SeriesContent
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.series.data import typical_rows
from app.training.series.judged_rows import held_out_rows
from app.training.series.task import SeriesTask
from tests.training.runs import SMALL, Train, evaluated, long_file, wave

ROWS = 160
GROWN = [wave(ROWS, seed=seed) * 10.0**seed for seed in range(3)]
LEFT_OUT = (
    "1 of 4 series is too short for the window of {window} and was not trained on; an example "
    "needs {needed} complete consecutive rows: 's3' has {rows}; a smaller recipe.window needs fewer"
)


def prepared(content: SeriesContent, **given: Any) -> SeriesTask:  # noqa: ANN401
    recipe = resolve_recipe("series", {"preset": "default", "horizon": 1, **given})
    assert isinstance(recipe, SeriesRecipe)
    return SeriesTask.prepare(content, recipe, target=None, test=None)


def with_young(rows: int) -> SeriesContent:
    return long_file([*GROWN, wave(rows, seed=9)], to_one_end=True)


@pytest.mark.parametrize("young", [9, 12])
def test_a_young_series_shortens_no_window_and_is_named(train: Train, young: int) -> None:
    alone = train(long_file(GROWN), {**SMALL, "window": None, "epochs": 1})
    artifact = train(with_young(young), {**SMALL, "window": None, "epochs": 1})

    for each in (artifact, alone):
        assert each.manifest.series is not None
        assert each.manifest.series.network_window == 26
        assert each.manifest.min_history == 13  # a season and one row; earlier ones are made up
    told = LEFT_OUT.format(window=13, needed=14, rows=young)
    assert told in artifact.scorecard.notes
    assert artifact.scorecard.skill == pytest.approx(alone.scorecard.skill, abs=0.05)
    assert " of 3 series, in units" in artifact.scorecard.verdict


def test_a_series_that_was_not_trained_on_widens_no_range(train: Train) -> None:
    content = long_file([*GROWN, wave(12) * 1e9], to_one_end=True)
    described = train(content, {**SMALL, "window": 20, "epochs": 1}).manifest.series
    assert described is not None
    assert described.features[0].high < 1e5


def test_an_explicit_window_names_those_too_short_for_it(train: Train) -> None:
    artifact = train(with_young(40), {**SMALL, "window": 50, "epochs": 1})
    assert LEFT_OUT.format(window=50, needed=51, rows=40) in artifact.scorecard.notes


def test_a_young_series_with_a_window_is_trained_on_when_the_network_is_fitted_again() -> None:
    assert not prepared(with_young(14))._notes()[0].startswith("1 of 4")
    (first, *_) = prepared(with_young(33), refit=False)._notes()
    assert first == LEFT_OUT.format(window=13, needed=14, rows=7).replace(
        "rows:", "rows before the cut:"
    )


@pytest.mark.parametrize(
    ("rows", "typical"),
    [
        ([100, 100, 100], 68),  # 80 before the cut, 12 of them for validation
        ([100, 100, 100, 10], 68),
        ([10, 10, 10, 100], 6),
        ([20, 100], 40),
    ],
)
def test_the_window_follows_the_series_of_median_length(rows: Sequence[int], typical: int) -> None:
    content = long_file([wave(each) for each in rows], to_one_end=True)
    assert typical_rows(prepared(content).data.groups) == pytest.approx(typical, abs=1)


def test_a_young_series_does_not_forbid_a_season() -> None:
    months = [wave(90, seed=seed) for seed in range(3)]
    task = prepared(long_file([*months, wave(8)], to_one_end=True))
    assert task.anchors is not None
    missing = {each.name: each.missing for each in task.anchors.record.candidates}
    assert missing["season"] is None


def test_where_all_are_short_so_is_the_window() -> None:
    task = prepared(long_file([wave(rows) for rows in (20, 22, 24)]))
    assert (task.data.network_window, task.data.reach.least) == (3, 3)
    assert not any("not trained on" in note for note in task._notes())


def test_what_is_judged_of_a_young_series_teaches_no_baseline() -> None:
    task = prepared(with_young(20), window=5)
    parts = {part.label: part for part in held_out_rows(task.data, 1).parts}
    assert len(parts["s3"]) == 15
    assert len(parts["s3"].training) == 0
    assert len(parts["s0"].training) == task.data.groups[0].split.test_start


def test_another_dataset_names_the_series_that_it_cannot_be_measured_on(train: Train) -> None:
    content = with_young(12)
    artifact = train(content, {**SMALL, "window": 20, "epochs": 1})
    card = evaluated(artifact, content, content, "judged")
    assert (
        "1 of 4 series has no row to forecast from a complete window of 20 before it: 's3' has 12"
    ) in card.notes


def test_short_holes_are_filled_and_long_ones_end_the_rows_in_a_row() -> None:
    short, long = wave(ROWS, seed=9), wave(ROWS, seed=9)
    short[::15] = np.nan
    long[np.arange(ROWS) % 35 >= 14] = np.nan
    assert not prepared(long_file([*GROWN, short]), window=20)._notes()[0].startswith("1 of 4")
    (first, *_) = prepared(long_file([*GROWN, long]), window=20)._notes()
    assert first == LEFT_OUT.format(window=20, needed=21, rows=14)
