"""Extend a dataset with a later file: join the rows by series and time. NumPy only.

The reader process runs this, like everything that goes through all rows.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.errors import Conflict, FieldError
from app.reading.arrays import Floats, Places
from app.reading.closed_days import decide_calendar, with_gaps_decided
from app.reading.content import (
    OTHER_LEVEL,
    Category,
    DatasetContent,
    SeriesContent,
    content_from_bytes,
)
from app.reading.decisions import settled
from app.reading.read_options import ReadOptions
from app.reading.report import ColumnReport, Report
from app.reading.series import anomalies
from app.reading.series.frequency_finder import find_frequency
from app.reading.series.rows import LEFT_AS_THEY_ARE, find_gaps, report_gaps
from app.reading.series.series_report import measured, report_series, suggest_roles

_LISTED = 20  # number of disagreeing rows that are named
_SAME = 1e-9  # relative difference that two spellings of a number may have


def join(
    last: Path, more: DatasetContent, upload: Report, options: ReadOptions
) -> tuple[SeriesContent, Report]:
    """Join the dataset and the upload, and report on the result.

    Args:
        last: a file with the dataset's content.
        more: content of the upload.
        upload: report on the upload.
        options: with which it was read.

    Raises:
        Conflict: they cannot be joined; the disagreeing rows are named.
    """
    before = content_from_bytes(last.read_bytes())
    if not isinstance(before, SeriesContent) or not isinstance(more, SeriesContent):
        raise Conflict("`extend` joins series by their times, and this is a text")
    whole = extended(before, more)
    if whole.times is None:  # for the type checker: `extended` has refused it
        raise Conflict("`extend` joins rows by their times, and there are none")
    found = find_frequency(whole.times, whole.series)
    frequency = options.frequency or found.frequency or whole.frequency
    weekly = found.calendar if frequency == found.frequency else None
    added = f"a dataset of {len(before)} rows, extended by {len(whole) - len(before)}"
    told = options.frequency is not None
    target = upload.target if upload.target in whole.columns else whole.columns[0]
    report = Report(
        kind="series",
        decisions=[
            settled("kind", "series", added),
            settled("frequency", frequency or "irregular", found.reason, told=told),
        ],
        layout="table",
        frequency=frequency,
        calendar=weekly,
        order="oldest first",
        date=upload.date,
        target=target,
        target_alternatives=[name for name in whole.columns if name != target],
        series_columns=upload.series_columns,
        columns=_columns(whole),
        rows_in_file=len(whole),
        rows_used=len(whole),
    )
    calendar = decide_calendar(whole.times, options, report)
    whole = replace(whole, frequency=frequency, calendar=calendar)
    _report_rows(whole, options, report)
    suggest_roles(whole, report)
    return whole, report


def _columns(whole: SeriesContent) -> list[ColumnReport]:
    numbers = [
        measured(ColumnReport(name=name, type="number", used=True), whole.column(name))
        for name in whole.columns
    ]
    words = [ColumnReport(name=name, type="label", used=True) for name in whole.category_names]
    return [*numbers, *words]


def _report_rows(whole: SeriesContent, options: ReadOptions, report: Report) -> None:
    """Report the gaps, the series and what is odd about the rows."""
    gaps = find_gaps(whole, with_gaps_decided(whole.times, whole.calendar, options, report))
    report_gaps(whole, gaps, report)
    report.gaps_handled = LEFT_AS_THEY_ARE if gaps else None
    report_series(whole, report)
    anomalies.check(whole, np.arange(1, len(whole) + 1), report)


def extended(last: SeriesContent, more: SeriesContent) -> SeriesContent:
    """Return all rows of both, each series and time once.

    Args:
        last: the dataset that the model was trained on.
        more: the upload; columns that `last` does not have are left out.

    Raises:
        Conflict: one has no times, their times have different forms, a column is missing, or rows
            with the same series and time disagree.
    """
    _check_alike(last, more)
    labels = tuple(dict.fromkeys((*last.labels, *more.labels)))
    codes = np.array([labels.index(label) for label in more.labels], dtype=np.int32)
    categories, added = _joined_categories(last, more)
    numbers = [more.column(name) for name in last.columns]
    is_dated = last.times is not None and more.times is not None
    is_zoned = last.offsets is not None and more.offsets is not None
    both = replace(
        last,
        # (rows of both, columns + categories)
        values=np.concatenate([last.values, np.stack([*numbers, *added], axis=1)]),
        categories=categories,
        times=np.concatenate([last.times, more.times]) if is_dated else None,
        offsets=np.concatenate([last.offsets, more.offsets]) if is_zoned else None,
        frequency=last.frequency or more.frequency,
        calendar=last.calendar or more.calendar,
        labels=labels,
        series=np.concatenate([last.series, codes[more.series]]),
    )
    instants, values = both.instants(), both.values
    order = np.lexsort((instants, both.series))
    again = (np.diff(both.series[order]) == 0) & (np.diff(instants[order]) == 0)
    first, second = order[:-1][again], order[1:][again]
    _check_agreement(last, more, values, first, second)
    missing = np.isnan(values[first])
    values[first] = np.where(missing, values[second], values[first])
    return both.take(order[np.concatenate([[True], ~again])])


def _joined_categories(
    last: SeriesContent, more: SeriesContent
) -> tuple[tuple[Category, ...], list[Floats]]:
    """Return the categories of `last` with new levels after its own, and the values of `more`."""
    joined, values = [], []
    for category in last.categories:
        own = more.levels_of(category.name) if category.name in more.category_names else ()
        levels = tuple(dict.fromkeys((*category.levels, *own)))
        joined.append(replace(category, levels=levels))
        # the places of the levels, and that of other words at the end
        places = np.array([*map(levels.index, own), OTHER_LEVEL], dtype=np.float64)
        column = more.column(category.name) if own else np.full(len(more), np.nan)
        known = np.isfinite(column)
        found = np.full(len(more), np.nan)
        found[known] = places[column[known].astype(np.int64)]
        values.append(found)
    return tuple(joined), values


def _check_alike(last: SeriesContent, more: SeriesContent) -> None:
    if last.times is None or more.times is None:
        raise Conflict("a dataset without times cannot be extended: rows are joined by their time")
    if last.time_form != more.time_form:
        raise Conflict(
            f"the model's dataset has times of the form {last.time_form}, the upload of the form "
            f"{more.time_form}; write both alike"
        )
    if (last.labels == ("",)) != (more.labels == ("",)):
        raise Conflict(
            "one of the model's dataset and the upload names its series and the other does not; "
            'say which column names them with "series" in `read`'
        )
    missing = [name for name in last.columns if name not in more.columns]
    if missing:
        raise Conflict(
            f"the upload lacks columns of the model's dataset: {', '.join(missing)}",
            errors=tuple(
                FieldError(field="file", column=name, message=f"column {name} is missing")
                for name in missing
            ),
        )


def _check_agreement(
    last: SeriesContent,
    more: SeriesContent,
    values: Floats,
    first: Places,
    second: Places,
) -> None:
    old, new = values[first], values[second]  # (overlapping rows, columns)
    both = np.isfinite(old) & np.isfinite(new)
    apart = both & (np.abs(old - new) > _SAME * np.maximum(np.abs(old), np.abs(new)))
    if not apart.any():
        return
    errors = []
    for row, place in np.argwhere(apart)[:_LISTED]:
        where = int(second[row]) - len(last)
        label = more.labels[int(more.series[where])]
        time = more.time_iso(where)
        name = (*last.columns, *last.category_names)[int(place)]
        message = (
            f"{name} on {time} is {new[row, place]:g} in the upload and {old[row, place]:g} in the "
            f"model's dataset{f' ({label})' if label else ''}"
            if int(place) < len(last.columns)
            else f"{name} on {time} differs from that in the model's dataset"
        )
        errors.append(FieldError(field="file", column=name, message=message))
    raise Conflict(
        f"{int(apart.any(axis=1).sum())} rows of the upload have the time of a row in the "
        "model's dataset but other values; correct them, or upload a whole file without `extend`",
        errors=tuple(errors),
    )
