"""Which rows of a dataset or of its test set a training run is judged on."""

import numpy as np

from app.errors import Unprocessable
from app.judging.forecasts import JudgedSeries
from app.judging.other_rows import Ahead, KnownSeries, other_rows
from app.judging.series_judge import Judged
from app.reading.categories import encoded
from app.reading.content import DatasetContent, SeriesContent
from app.training.series.data import Floats, SeriesData


def held_out_rows(data: SeriesData, horizon: int) -> Judged:
    """Return the rows from the cut on.

    Raises:
        Unprocessable: none of them can be forecast.
    """
    cuts = [(group, group.split.test_start) for group in data.groups]
    judged = Judged(
        parts=tuple(
            _from_row(data, place, cut, training=group.target[:cut], horizon=horizon)
            for place, (group, cut) in enumerate(cuts)
        )
    )
    if len(judged):
        return judged
    held_out = sum(group.split.rows - group.split.test_start for group in data.groups)
    raise Unprocessable.at(
        "recipe.test_fraction",
        f"none of the {held_out} held-out rows follows a complete window of {data.window} values; "
        "raise it, send more rows, or give a test set",
    )


def training_rows(data: SeriesData, horizon: int) -> Judged:
    """Return all rows, if none are held out."""
    return Judged(
        parts=tuple(
            _from_row(data, place, 0, training=group.target, horizon=horizon)
            for place, group in enumerate(data.groups)
        )
    )


def test_rows(data: SeriesData, test: DatasetContent, horizon: int) -> Judged:
    """Return the rows of a test set, as `app.judging.other_rows` prepares them.

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
    if isinstance(test, SeriesContent):
        test = test.with_calendar_of(data.content.frequency, data.content.calendar)
        test = encoded(test, data.encodings)
    return other_rows(
        known,
        test,
        features=data.features,
        target=data.target,
        reach=data.reach,
        calendar=data.calendar_inputs,
        ahead=Ahead(columns=data.known, horizon=horizon),
    )


def _from_row(
    data: SeriesData, place: int, start: int, *, training: Floats, horizon: int
) -> JudgedSeries:
    """Return the rows of a series from `start` on whose preceding window can be read."""
    group, history = data.groups[place], data.histories[place]
    first = history.origins(start)
    first = first[first < len(group.target)]
    first = first[np.isfinite(group.target[first])]
    return JudgedSeries(
        label=group.label,
        inputs=history.windows(first),
        values=group.target,
        first=first,
        training=training,
        times=tuple(group.times(first)),
        number=place + 1,
        future=data.known_ahead(place, first, horizon),
    )
