"""Which rows of a dataset or of its test set a training run is judged on."""

from app.errors import Unprocessable
from app.forecasting.windows import windows
from app.judging.forecasts import JudgedSeries
from app.judging.other_rows import KnownSeries, other_rows
from app.judging.series_judge import Judged
from app.reading.content import DatasetContent
from app.training.series.data import Floats, Group, SeriesData


def held_out_rows(data: SeriesData) -> Judged:
    """The rows from the cut on.

    Raises:
        Unprocessable: no row of them can be forecast.
    """
    cuts = [(group, group.split.test_start) for group in data.groups]
    judged = Judged(
        parts=tuple(_from_row(group, data, cut, training=group.target[:cut]) for group, cut in cuts)
    )
    if len(judged):
        return judged
    held_out = sum(group.split.rows - group.split.test_start for group in data.groups)
    raise Unprocessable.at(
        "recipe.test_fraction",
        f"none of the {held_out} held-out rows follows a complete window of {data.window} values; "
        "raise it, send more rows, or give a test set",
    )


def training_rows(data: SeriesData) -> Judged:
    """All rows, where nothing is held out."""
    return Judged(
        parts=tuple(_from_row(group, data, 0, training=group.target) for group in data.groups)
    )


def test_rows(data: SeriesData, test: DatasetContent) -> Judged:
    """The rows of a test set, as `app.judging.other_rows` takes them.

    Raises:
        Unprocessable: it is a text, lacks a column, or has no row that can be forecast.
    """
    known = [
        KnownSeries(
            label=group.label,
            inputs=group.inputs,
            target=group.target,
            content=group.content,
            training=len(group.target),
        )
        for group in data.groups
    ]
    return other_rows(known, test, features=data.features, target=data.target, window=data.window)


def _from_row(group: Group, data: SeriesData, start: int, *, training: Floats) -> JudgedSeries:
    """The rows of a series from `start` on that follow a complete window."""
    every = windows(group.inputs, group.target, window=data.window, horizon=1)
    chosen = every.where(every.first >= start)
    return JudgedSeries(
        label=group.label,
        inputs=chosen.inputs,
        values=group.target,
        first=chosen.first,
        training=training,
        times=tuple(group.times(chosen.first)),
    )
