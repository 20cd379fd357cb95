"""Files in which some series are much shorter than the others."""

from typing import Any

from app.datasets.content import SeriesContent
from app.recipes import SeriesRecipe, resolve_recipe
from app.training.series_judge import held_out_rows
from app.training.series_task import SeriesTask
from tests.training.runs import long_file, wave

ROWS = 160
GROWN = [wave(ROWS, seed=seed) * 10.0**seed for seed in range(3)]


def prepared(content: SeriesContent, **given: Any) -> SeriesTask:  # noqa: ANN401
    recipe = resolve_recipe("series", {"preset": "default", **given})
    assert isinstance(recipe, SeriesRecipe)
    return SeriesTask.prepare(content, recipe, target=None, test=None)


def with_young(rows: int) -> SeriesContent:
    return long_file([*GROWN, wave(rows, seed=9)], to_one_end=True)


def test_what_is_judged_of_a_young_series_teaches_no_baseline() -> None:
    task = prepared(with_young(20), window=5)
    parts = {part.label: part for part in held_out_rows(task.data).parts}
    assert len(parts["s3"]) == 15
    assert len(parts["s3"].training) == 0
    assert len(parts["s0"].training) == task.data.groups[0].split.test_start
