from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.errors import Unprocessable
from app.jobs.compatibility import Shape, check_content, check_names
from app.reading.content import SeriesContent, TextContent
from app.recipes.resolve import resolve_recipe


def series(*values: float, labels: int = 1) -> SeriesContent:
    column = np.array(values, dtype=np.float64)[:, None]
    return SeriesContent(
        columns=("Open",),
        values=np.tile(column, (labels, 1)),
        times=None,
        offsets=None,
        time_form=None,
        frequency=None,
        labels=tuple(map(str, range(labels))),
        series=np.repeat(np.arange(labels, dtype=np.int32), len(column)),
    )


def counted(rows: int) -> SeriesContent:
    return series(*range(rows))


def check(content: SeriesContent, *, test: SeriesContent | None = None, **recipe: Any) -> None:  # noqa: ANN401
    resolved = resolve_recipe("series", {"preset": "chapter", "refit": False, **recipe})
    check_content(content, resolved, target="Open", test=test, field="dataset")


@pytest.mark.parametrize(
    ("rows", "recipe"),
    [
        (2, {"test_fraction": 0.0}),
        (3, {"window": 2, "test_fraction": 0.0}),
        # 8 before the cut, which leaves 4 of the 5 that are needed
        (12, {"window": 5, "horizon": 3}),
        (10, {"window": 4, "validation_fraction": 0.5, "test_fraction": 0.0}),
    ],
)
def test_as_many_rows_as_a_window_and_its_targets_take_are_enough(
    rows: int, recipe: dict[str, Any]
) -> None:
    check(counted(rows), **recipe)
    with pytest.raises(Unprocessable, match="too short") as refused:
        check(counted(rows - 1), **recipe)
    assert refused.value.errors[0].field == "dataset"


def test_rows_with_gaps_do_not_make_a_window() -> None:
    nan = float("nan")
    with pytest.raises(Unprocessable, match="needs 3 consecutive rows"):
        check(series(1, 2, nan, 4, nan, 6, 7), window=2, test_fraction=0.0)
    check(series(1, 2, nan, 4, 5, 6, nan), window=2, test_fraction=0.0)


def test_one_long_series_among_many_is_enough() -> None:
    def of_lengths(*lengths: int) -> SeriesContent:
        numbers = np.repeat(np.arange(3, dtype=np.int32), lengths)
        return replace(counted(len(numbers)), labels=("a", "b", "c"), series=numbers)

    check(of_lengths(1, 3, 2), window=2, test_fraction=0.0, scaling="window")
    with pytest.raises(Unprocessable, match="too short: 2 rows are left"):
        check(of_lengths(2, 2, 2), window=2, test_fraction=0.0, scaling="window")


def test_a_test_set_may_reach_back_into_the_training_rows() -> None:
    check(counted(100), test=counted(2), window=20)
    with pytest.raises(Unprocessable, match="20 together") as refused:
        check(series(*range(100), float("nan")), test=counted(2), window=20)
    assert refused.value.errors[0].field == "test"


def test_a_test_set_holds_a_row_and_the_next_one() -> None:
    check(counted(100), test=counted(2))
    with pytest.raises(Unprocessable, match="longest run of complete rows is 1"):
        check(counted(100), test=counted(1))


def test_a_target_that_never_changes_is_refused() -> None:
    with pytest.raises(Unprocessable, match="5 in every row"):
        check(series(*[5.0] * 50))


def test_early_stopping_needs_something_to_watch() -> None:
    recipe: dict[str, Any] = {"early_stopping": 3, "horizon": 4, "test_fraction": 0.0}
    check(counted(10), validation_fraction=0.1, **recipe)
    with pytest.raises(Unprocessable, match="to validate on"):
        check(counted(9), validation_fraction=0.1, **recipe)


PRICES = Shape(kind="series", columns=("Open", "High"), series_count=1)
TEXT = Shape(kind="text", columns=(), series_count=1)


@pytest.mark.parametrize(
    ("recipe", "given", "field", "words"),
    [
        ({}, {"target": "Low"}, "target", "no numeric column 'Low'; there are Open, High"),
        ({}, {"target": None}, "target", "there are Open, High"),
        ({"features": ["Open", "Low"]}, {}, "recipe.features", "no column 'Low' to use"),
        (
            {"features": ["High"], "anchor": "persistence"},
            {},
            "recipe.features",
            "contain the target",
        ),
        (
            {"features": ["High"], "scaling": "window", "window": 2},
            {},
            "recipe.features",
            "contain the target",
        ),
        ({}, {"test": TEXT}, "test", "is a text, but the dataset is a series"),
        ({}, {"test": replace(PRICES, columns=("High",))}, "test", "no column 'Open'; there are H"),
        (
            {"features": ["Open", "High"]},
            {"test": replace(PRICES, columns=("Open",))},
            "test",
            "has no column 'High'; there are Open",
        ),
    ],
)
def test_names_that_do_not_go_together_are_reported_at_their_place(
    recipe: dict[str, Any], given: dict[str, Any], field: str, words: str
) -> None:
    resolved = resolve_recipe("series", {"preset": "chapter", **recipe})
    with pytest.raises(Unprocessable) as refused:
        check_names(PRICES, resolved, **{"target": "Open", "test": None, **given})
    (error,) = refused.value.errors
    assert error.field == field
    assert words in error.message


def test_names_that_go_together_are_taken() -> None:
    other_inputs = resolve_recipe("series", {"preset": "chapter", "features": ["High"]})
    check_names(PRICES, other_inputs, target="Open", test=PRICES)
    text = resolve_recipe("text", None)
    check_names(TEXT, text, target=None, test=TEXT)
    with pytest.raises(Unprocessable, match="target"):
        check_names(TEXT, text, target="Open", test=None)


def test_several_series_need_window_scaling() -> None:
    shape = Shape(kind="series", columns=("Open",), series_count=2)
    with pytest.raises(Unprocessable, match="2 series"):
        check_names(
            shape, resolve_recipe("series", {"preset": "chapter"}), target="Open", test=None
        )
    check_names(shape, resolve_recipe("series", None), target="Open", test=None)


def test_a_text_must_hold_a_context_and_what_follows() -> None:
    recipe = resolve_recipe("text", {"preset": "chapter"})
    check_content(TextContent(text="a b c d"), recipe, target=None, test=None, field="file")
    with pytest.raises(Unprocessable, match="3 tokens"):
        check_content(TextContent(text="a b c"), recipe, target=None, test=None, field="file")
    with pytest.raises(Unprocessable, match="'e'"):
        check_content(
            TextContent(text="a b c d"),
            recipe,
            target=None,
            test=TextContent(text="a b c e"),
            field="file",
        )
