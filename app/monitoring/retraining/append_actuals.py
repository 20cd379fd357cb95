"""A dataset extended by later actuals."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import starmap

import numpy as np

from app.monitoring.actuals.moments import UTC_MARK
from app.reading.content import SeriesContent
from app.reading.series.frequency import next_times

# A longer gap, in steps, ends the extension: across it, a change could not be told from a jump.
# Shorter ones are holidays.
LONGEST_GAP_STEPS = 5
MIDNIGHT = "T00:00:00"

Actuals = Sequence[tuple[str, float]]  # canonical moments and values, oldest first


@dataclass(frozen=True, kw_only=True)
class Extended:
    """The extended dataset."""

    content: SeriesContent
    rows: int  # added


def extend(content: SeriesContent, target: str, actuals: Mapping[str, Actuals]) -> Extended:
    """Append actuals to each series; without times, nothing is appended.

    Args:
        content: a dataset whose target can be trained on without other columns.
        target: column of the actuals; other columns are missing in the new rows.
        actuals: by label of the dataset.
    """
    if content.times is None:
        return Extended(content=content, rows=0)
    pieces = []
    added = 0
    for label, own in zip(content.labels, content.every_series(), strict=True):
        longer = _extended(own, target, actuals.get(label, ()))
        added += len(longer) - len(own)
        pieces.append(longer)
    if not added:
        return Extended(content=content, rows=0)
    numbers = np.repeat(np.arange(len(pieces), dtype=np.int32), [len(each) for each in pieces])
    joined = replace(
        content,
        values=np.concatenate([each.values for each in pieces]),
        times=np.concatenate([each.times for each in pieces if each.times is not None]),
        offsets=None
        if content.offsets is None
        else np.concatenate([each.offsets for each in pieces if each.offsets is not None]),
        series=numbers,
    )
    return Extended(content=joined, rows=added)


def as_csv(content: SeriesContent) -> bytes:
    """Return the content as a CSV file."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    is_named = content.labels != ("",)
    writer.writerow(
        ["time", *(["series"] if is_named else []), *content.columns, *content.category_names]
    )
    for time, number, row in zip(
        content.row_times_iso(), content.series.tolist(), _rows(content), strict=True
    ):
        writer.writerow([time, *([content.labels[number]] if is_named else []), *row])
    return buffer.getvalue().encode()


def _rows(content: SeriesContent) -> list[list[str]]:
    """Return the cells of each row: numbers, then words."""
    columns = []
    for name in (*content.columns, *content.category_names):
        cells = content.cells(name)
        columns.append([_shown(cell) for cell in cells])
    return [list(row) for row in zip(*columns, strict=True)]


def _shown(cell: float | str) -> str:
    if isinstance(cell, str):
        return cell
    return "" if math.isnan(cell) else repr(cell)


def last_moment(content: SeriesContent, label: str) -> str:
    """Return the canonical moment of a series' last row."""
    own = content.of_series(label)
    last = own.instants()[-1]
    text = str(np.datetime64(int(last), "us").item().isoformat())
    return text + UTC_MARK if content.offsets is not None else text


def _extended(own: SeriesContent, target: str, actuals: Actuals) -> SeriesContent:
    if own.times is None or not len(own):
        return own
    offset = 0 if own.offsets is None else int(own.offsets[-1])
    fitting = [
        (time, value)
        for time, value in starmap(
            lambda moment, value: (_time(own, moment, offset), value), actuals
        )
        if time is not None and time > own.times[-1]
    ]
    new = _without_gap(own, fitting)
    if not new:
        return own
    values = np.full((len(new), len(own.columns)), np.nan)  # (rows, columns)
    values[:, own.columns.index(target)] = [value for _, value in new]
    times = np.array([time for time, _ in new], dtype="datetime64[us]")
    return replace(
        own,
        values=np.concatenate([own.values, values]),
        times=np.concatenate([own.times, times]),
        offsets=None
        if own.offsets is None
        else np.concatenate([own.offsets, np.full(len(new), offset, dtype=np.int16)]),
        series=np.zeros(len(own) + len(new), dtype=np.int32),
    )


def _time(own: SeriesContent, moment: str, offset_minutes: int) -> np.datetime64 | None:
    """Return a moment as a civil time of the series, or None if it has another form."""
    if moment.endswith(UTC_MARK) != (own.offsets is not None):
        return None
    if own.time_form == "date" and not moment.endswith(MIDNIGHT):
        return None
    utc = np.datetime64(datetime.fromisoformat(moment.removesuffix(UTC_MARK)), "us")
    time: np.datetime64 = utc + np.timedelta64(offset_minutes, "m")
    return time


def _without_gap(
    own: SeriesContent, new: list[tuple[np.datetime64, float]]
) -> list[tuple[np.datetime64, float]]:
    if own.times is None or own.frequency is None:
        return new
    last = own.times[-1]
    for number, (time, _) in enumerate(new):
        if time > next_times(last, own.frequency, LONGEST_GAP_STEPS + 1, own.calendar)[-1]:
            return new[:number]
        last = time
    return new
