"""What a series run reads: its grid, its columns, its calendar inputs, and its anchors."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from app.artifact.manifest import Manifest
from app.reading.calendar_inputs import PREFIX
from app.reading.content import DatasetContent
from app.recipes.recipe import SeriesRecipe
from app.training.series.anchors import SeriesAnchors, Settled, settle_anchor
from app.training.series.calendar_choice import calendar_trial
from app.training.series.column_choice import choose_columns, like_start
from app.training.series.data import SeriesData, check_varies, read_series


def prepare_inputs(
    content: DatasetContent,
    recipe: SeriesRecipe,
    *,
    target: str | None,
    test: DatasetContent | None,
    start_from: Manifest | None,
) -> tuple[SeriesRecipe, SeriesData, SeriesAnchors | None]:
    """Read a dataset for a recipe, settle the anchor and choose the inputs.

    Args:
        content: the dataset.
        recipe: what to train.
        target: column to forecast; None for the first.
        test: rows to judge on, if not the last part.
        start_from: the manifest of the version whose weights are the start, if any.

    Returns:
        The recipe, with the columns of `start_from`, the series and their anchors.

    Raises:
        Unprocessable: the dataset cannot be trained on like this; the message says why and what
            would be right.
    """
    start = None if start_from is None else start_from.series
    encodings = None
    if start is not None:
        recipe, encodings = like_start(recipe, start)
    read = partial(read_series, content, recipe, target=target, has_test=test is not None)
    read = partial(read, encodings=encodings)
    on_grid = start is not None and start.closed_on_grid
    data, settled = _settled(read(closed_on_grid=on_grid), recipe, start_from)
    check_varies(data)
    kept = None if start is None else start.calendar_columns
    calendar = calendar_trial(data, recipe, settled, test=test, start=kept)
    data, anchors = choose_columns(data, recipe, settled, test=test, calendar=calendar)
    if start is None and settled is not None and data.may_have_closed_on_grid:
        data, anchors = _on_grid(read, data, anchors, recipe, test=test)
    return recipe, data, anchors


def _on_grid(
    read: Callable[..., SeriesData],
    data: SeriesData,
    anchors: SeriesAnchors | None,
    recipe: SeriesRecipe,
    *,
    test: DatasetContent | None,
) -> tuple[SeriesData, SeriesAnchors | None]:
    """Return the series with closed days on their grid, if they have a weekly season.

    No column of the file was chosen without them, and on closed days those have no values; the
    calendar inputs are chosen again.
    """
    gridded, settled = _settled(read(closed_on_grid=True), recipe, None)
    if not gridded.has_weekly_season or settled is None:
        return data, anchors
    alone = recipe.model_copy(update={"features": (data.target,)})
    calendar = calendar_trial(gridded, recipe, settled, test=test, start=None)
    chosen, anchors = choose_columns(gridded, alone, settled, test=test, calendar=calendar)
    uses = [use for use in data.uses if not use.name.startswith(PREFIX)]
    uses += [use for use in chosen.uses if use.name.startswith(PREFIX)]
    return replace(chosen, uses=tuple(uses)), anchors


def _settled(
    data: SeriesData, recipe: SeriesRecipe, start_from: Manifest | None
) -> tuple[SeriesData, Settled | None]:
    """Return the data with the reach that its anchor takes, and what the anchor is mixed from."""
    settled = settle_anchor(data, recipe, start_from=start_from)
    return (data if settled is None else replace(data, reach=settled.reach)), settled
