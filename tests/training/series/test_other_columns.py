"""Columns that are not known ahead: tried by default, and kept where they help on later rows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.artifact.files import MODEL
from app.artifact.onnx_session import forecasts
from app.artifact.series_records import ColumnUse
from app.reading.content import Category
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.series.task import SeriesTask
from tests.training.runs import SMALL, Train, series_of

ROWS, HORIZON = 300, 3
CHANCE = np.random.default_rng(5)
ORDERS, NOISE = CHANCE.normal(size=ROWS), CHANCE.normal(size=ROWS)
# What is ordered is delivered two rows later.
DELIVERED = 100 + 10 * np.concatenate(([0, 0], ORDERS[:-2])) + CHANCE.normal(size=ROWS)
RECIPE = {**SMALL, "anchor": "auto", "window": None, "horizon": HORIZON, "epochs": 1}
COLUMNS = ("delivered", "orders", "noise")
CONTENT = series_of(np.column_stack((DELIVERED, ORDERS, NOISE)), columns=COLUMNS)


def uses_of(columns: dict[str, Any], **given: Any) -> dict[str, ColumnUse]:  # noqa: ANN401
    content = series_of(
        np.column_stack((DELIVERED, *columns.values())), columns=("delivered", *columns)
    )
    recipe = resolve_recipe("series", {**RECIPE, **given})
    assert isinstance(recipe, SeriesRecipe)
    task = SeriesTask.prepare(content, recipe, target="delivered", test=None)
    return {use.name: use for use in task.data.uses}


def test_a_column_that_leads_the_target_is_used_and_noise_is_not(train: Train) -> None:
    trained = train(CONTENT, RECIPE)
    described, score = trained.manifest.series, trained.scorecard.series
    assert described is not None
    assert score is not None
    assert [(use.name, use.role) for use in described.columns[: len(COLUMNS)]] == [
        ("delivered", "target"),
        ("orders", "input"),
        ("noise", "unused"),
    ]
    assert "acts 2 steps later" in described.columns[1].why
    assert "no gain beyond noise" in described.columns[2].why
    assert described.expected == ("orders",)
    assert any("orders: used" in note for note in trained.scorecard.notes)
    assert any("noise: not used" in note for note in trained.scorecard.notes)
    assert score.model.rmse == pytest.approx(1.0, abs=0.3)  # 10 without the column

    window = trained.manifest.window
    assert window is not None
    history = np.column_stack((DELIVERED, ORDERS))[None, -window:]
    before = forecasts(trained.bytes_of(MODEL), history)
    history[0, -1, 1] += 1
    change = forecasts(trained.bytes_of(MODEL), history) - before
    # The newest order is delivered on the second step; those to come are forecast as usual.
    assert change[0] == pytest.approx([0, 10, 0], abs=1.0)


def test_a_column_that_cannot_be_used_is_listed_with_the_reason() -> None:
    sparse = np.where(np.arange(ROWS) % 10 == 0, np.nan, NOISE)
    uses = uses_of({"same": np.ones(ROWS), "sparse": sparse})
    assert uses["same"] == ColumnUse(name="same", role="unused", why="it never changes")
    assert uses["sparse"].why == f"it has no value in {ROWS // 10} of {ROWS} rows"


def test_the_columns_that_a_recipe_names_are_used_and_no_others() -> None:
    uses = uses_of({"orders": ORDERS, "noise": NOISE}, features=["delivered", "noise"])
    assert uses["orders"].role == "unused"
    assert uses["orders"].why == "the recipe names the columns to use"
    assert (uses["noise"].role, uses["noise"].why) == ("input", "named by the recipe")


def test_words_that_the_recipe_names_are_inputs_unless_they_never_change() -> None:
    words = (
        Category(name="place", levels=("north", "south")),
        Category(name="kind", levels=("mall",)),
    )
    places = (ORDERS > 0).astype(float)
    content = replace(
        series_of(DELIVERED, columns=("delivered",)),
        values=np.column_stack((DELIVERED, places, np.zeros(ROWS))),
        categories=words,
    )
    features = ["delivered", "place", "kind"]
    recipe = resolve_recipe("series", {**RECIPE, "features": features})
    assert isinstance(recipe, SeriesRecipe)
    data = SeriesTask.prepare(content, recipe, target="delivered", test=None).data
    assert data.features == ("delivered", "place=south")
    uses = {use.name: use for use in data.uses}
    assert uses["place"].role == "input"
    assert uses["kind"] == ColumnUse(name="kind", role="unused", why="it never changes")
