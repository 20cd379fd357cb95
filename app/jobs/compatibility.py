"""Whether a dataset, a recipe and a test set fit together, checked before anything is queued.

The trainer checks again, and more closely. What it would certainly refuse is refused here at once.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.errors import Unprocessable
from app.forecasting.windows import Split, complete_runs, split_rows
from app.language.tokenizer import Tokenizer, UnknownTokens
from app.reading.content import DatasetContent, SeriesContent, TextContent
from app.reading.holidays import canonical_calendar, with_calendar
from app.recipes.recipe import Kind, SeriesRecipe, TextRecipe

SHORTEST_SCALED_WINDOW = 2  # one value has no spread


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The form of a dataset, from its report; enough to check names without reading the content."""

    kind: Kind
    columns: tuple[str, ...]  # the numeric ones
    series_count: int
    words: tuple[str, ...] = ()  # columns of words

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the columns that can be inputs."""
        return (*self.columns, *self.words)


def check_names(
    data: Shape, recipe: SeriesRecipe | TextRecipe, *, target: str | None, test: Shape | None
) -> None:
    """Check kinds and columns.

    Raises:
        Unprocessable: they do not fit together; the error names the place.
    """
    if test is not None and test.kind != data.kind:
        raise Unprocessable.at("test", f"is a {test.kind}, but the dataset is a {data.kind}")
    if not isinstance(recipe, SeriesRecipe):
        if target is not None:
            raise Unprocessable.at("target", "applies to series only, but the dataset is a text")
        return
    _check_columns(data, recipe, target)
    _check_calendar(recipe, None)
    wanted = dict.fromkeys((*(recipe.features or ()), target))
    for name in wanted:
        if test is not None and name is not None and name not in test.inputs:
            raise Unprocessable.at("test", f"has no column {name!r}; {_there(test.inputs)}")
    if recipe.scaling != "window" and data.series_count > 1:
        raise Unprocessable.at(
            "recipe.scaling",
            f"must be window: the file holds {data.series_count} series, which differ in level",
        )


def check_content(
    content: DatasetContent,
    recipe: SeriesRecipe | TextRecipe,
    *,
    target: str | None,
    test: DatasetContent | None,
    field: str,
) -> None:
    """Check that there is enough to train on and to judge on; names have been checked.

    Args:
        content: of the dataset.
        recipe: to train with.
        target: column to predict.
        test: to judge on.
        field: name of the dataset in errors: file or dataset.

    Raises:
        Unprocessable: there is not enough; the error says how much there is and how much is needed.
    """
    if isinstance(content, SeriesContent) and isinstance(recipe, SeriesRecipe):
        _check_calendar(recipe, content)
        _check_rows(content, recipe, target, has_test=test is not None, field=field)
        if isinstance(test, SeriesContent):
            _check_test_rows(content, test, recipe, target)
    elif isinstance(content, TextContent) and isinstance(recipe, TextRecipe):
        _check_text(content, recipe, test if isinstance(test, TextContent) else None, field)


def _check_columns(data: Shape, recipe: SeriesRecipe, target: str | None) -> None:
    if target is None:
        raise Unprocessable.at(
            "target",
            f"no column looks like a measurement, so none is suggested; {_there(data.columns)}",
        )
    if target not in data.columns:
        raise Unprocessable.at("target", f"no numeric column {target!r}; {_there(data.columns)}")
    features = recipe.features or (target,)
    for field, names in (("recipe.features", features), ("recipe.known", recipe.known or ())):
        for name in names:
            if name not in data.inputs:
                there = _there(data.inputs)
                raise Unprocessable.at(field, f"no column {name!r} to use as an input; {there}")
    if len(set(features)) < len(features):
        raise Unprocessable.at("recipe.features", "names a column twice")
    if target not in features and (recipe.anchor != "none" or recipe.scaling == "window"):
        raise Unprocessable.at(
            "recipe.features", f"must contain the target {target!r}, whose last values are inputs"
        )


def _there(names: tuple[str, ...]) -> str:
    return f"there are {', '.join(names)}" if names else "there is none"


def _check_rows(
    content: SeriesContent,
    recipe: SeriesRecipe,
    target: str | None,
    *,
    has_test: bool,
    field: str,
) -> None:
    """Check that some series has a complete window with its targets before the cut."""
    window = _shortest_window(recipe)
    needed = window + recipe.steps_ahead
    trained = validated = False
    left = 0
    for inputs, known in _known_rows(content, recipe, target):
        cut = _cut(content, len(inputs), recipe, has_test=has_test)
        left = max(left, cut.validation_start)
        first = _first_targets(inputs, known, window=window, horizon=recipe.steps_ahead)
        trained |= bool((first + recipe.steps_ahead <= cut.validation_start).any())
        inside = (first >= cut.validation_start) & (first + recipe.steps_ahead <= cut.test_start)
        validated |= bool(inside.any())
    if not trained:
        raise Unprocessable.at(
            field,
            f"too short: {left} rows are left to train on, and none of them follows a complete "
            f"window of {window} with {recipe.steps_ahead} ahead, which needs {needed} consecutive "
            "rows without missing values; send more rows, or set a smaller recipe.window",
        )
    if recipe.early_stopping is not None and not validated and not _cut_by_time(content):
        raise Unprocessable.at(
            "recipe.validation_fraction",
            "leaves no complete window to validate on; send more rows, raise it, or set "
            "early_stopping to null",
        )
    values = content.column(target) if target is not None else content.values
    values = values[np.isfinite(values)]
    if np.ptp(values) == 0:
        raise Unprocessable.at(
            "target", f"{target!r} is {values[0]:g} in every row, so there is nothing to learn"
        )


def _check_calendar(recipe: SeriesRecipe, content: SeriesContent | None) -> None:
    """Check that the recipe's calendar is one and, if the content is known, that it fits."""
    if recipe.calendar is None:
        return
    try:
        if content is None:
            canonical_calendar(recipe.calendar)
        else:
            with_calendar(content, recipe.calendar)
    except ValueError as error:
        raise Unprocessable.at("recipe.calendar", str(error)) from error


def _check_test_rows(
    content: SeriesContent, test: SeriesContent, recipe: SeriesRecipe, target: str | None
) -> None:
    """Check that some test row can be judged: all but the last are origins.

    The window before the first test row may lie in the training rows.
    """
    before = max(_last_run(inputs) for inputs, _ in _known_rows(content, recipe, target))
    rows = _known_rows(test, recipe, target)
    pairs = any(bool((inputs[:-1] & known[1:]).any()) for inputs, known in rows)
    longest = max((_longest_run(inputs) for inputs, _ in rows), default=0)
    if not pairs or before + longest < _shortest_window(recipe):
        raise Unprocessable.at(
            "test",
            f"too short: its longest run of complete rows is {longest}; judging needs a row and "
            f"the next one, and {_shortest_window(recipe)} together with the rows before them",
        )


def _check_text(
    content: TextContent, recipe: TextRecipe, test: TextContent | None, field: str
) -> None:
    first = (recipe.window or 1) if recipe.reading == "window" else 1
    reader = Tokenizer(unit=recipe.tokenizer, vocabulary=("",))
    tokens = len(reader.tokens(content.text))
    if tokens <= first:
        raise Unprocessable.at(
            field,
            f"too short: {tokens} tokens; a context of {first} and its next token need {first + 1}",
        )
    if test is None:
        return
    test_tokens = len(reader.tokens(test.text))
    if test_tokens <= first:
        raise Unprocessable.at("test", f"has {test_tokens} tokens; at least {first + 1} are needed")
    if recipe.unknown == "error":
        _check_words(content, recipe, test)


def _check_words(content: TextContent, recipe: TextRecipe, test: TextContent) -> None:
    strict = Tokenizer.fit(content.text, unit=recipe.tokenizer, min_count=1, unknown=False)
    try:
        strict.encode(test.text)
    except UnknownTokens as error:
        raise Unprocessable.at(
            "test", f"{error} of the training text; use other words, or set recipe.unknown to warn"
        ) from error


def _shortest_window(recipe: SeriesRecipe) -> int:
    """Return the window, or the smallest that the trainer would choose."""
    return recipe.window or (SHORTEST_SCALED_WINDOW if recipe.scaling == "window" else 1)


def _known_rows(
    content: SeriesContent, recipe: SeriesRecipe, target: str | None
) -> list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Return, per series, which rows have all inputs and which have the target, (rows,) each."""
    inputs = np.ones(len(content), dtype=bool)
    known = np.ones(len(content), dtype=bool)
    for name in recipe.features or (target,):
        if name is not None:
            inputs &= np.isfinite(content.column(name))
    if target is not None:
        known &= np.isfinite(content.column(target))
    starts = np.searchsorted(content.series, np.arange(len(content.labels) + 1))
    return [(inputs[start:stop], known[start:stop]) for start, stop in itertools.pairwise(starts)]


def _cut_by_time(content: SeriesContent) -> bool:
    """Return whether all series are cut at one moment, so that some may lie before it entirely."""
    return len(content.labels) > 1 and content.times is not None


def _cut(content: SeriesContent, rows: int, recipe: SeriesRecipe, *, has_test: bool) -> Split:
    if _cut_by_time(content):
        return Split(rows=rows, validation_start=rows, test_start=rows)
    return split_rows(
        rows,
        test_fraction=0.0 if has_test else recipe.test_fraction,
        validation_fraction=recipe.validation_fraction,
        horizon=recipe.steps_ahead,
    )


def _first_targets(
    inputs: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_], *, window: int, horizon: int
) -> npt.NDArray[np.intp]:
    """Return the rows (n,) after a complete window and before complete targets."""
    if len(inputs) < window + horizon:
        return np.empty(0, dtype=np.intp)
    whole = _all_of(inputs, window)[:-horizon] & _all_of(known, horizon)[window:]
    return np.flatnonzero(whole) + window


def _all_of(good: npt.NDArray[np.bool_], length: int) -> npt.NDArray[np.bool_]:
    """Return which stretches of `length` rows are complete, (rows - length + 1,)."""
    bad = np.concatenate(([0], np.cumsum(~good)))  # (rows + 1,), incomplete rows before each
    clean: npt.NDArray[np.bool_] = bad[length:] == bad[:-length]
    return clean


def _longest_run(good: npt.NDArray[np.bool_]) -> int:
    return max(complete_runs(good))


def _last_run(good: npt.NDArray[np.bool_]) -> int:
    return complete_runs(good)[-1]
