"""Decide which rows of a table become rows of a series, and why the others do not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from app.errors import FieldError
from app.reading.arrays import Bools, Floats, Ints, Places
from app.reading.columns.column_types import ReadColumn
from app.reading.report import LISTED, FileProblem, LeftOut
from app.reading.series.rows import SeriesRows
from app.reading.series.time_column import FoundTimes
from app.reading.series.wide_tables import Long
from app.reading.table.table import Table

_MAX_UNDATED = 0.1  # share of rows without a date above which the dates were misread
# The square of a larger error exceeds what a double can hold, so no score could be computed.
LARGEST_VALUE = 1e150
_FEW = 3  # lines of totals, which are common
_EXAMPLE = 40  # characters of a cell that are shown
KEPT, BLANK = -1, -2


@dataclass(frozen=True, kw_only=True)
class UsableRows:
    """The rows that can be used, and why others cannot."""

    rows: SeriesRows
    codes: Ints  # (long rows,) KEPT, BLANK, or an index into reasons
    reasons: list[str]
    left_out: list[LeftOut]


def usable_rows(table: Table, long: Long) -> UsableRows:
    """Keep the rows that have a time, a series and a number.

    Raises:
        FileProblem: there is none, so many lack a date that the dates were misread, or a value is
            too large to be judged.
    """
    # (rows, columns), each column contiguous in memory, because everything below goes by columns.
    values = np.empty((len(long.rows), len(long.columns)), order="F")
    there = np.zeros(len(values), dtype=bool)
    for place, column in enumerate(long.columns):
        values[:, place] = np.nan if column.numbers is None else column.numbers
        if not there.all():
            there |= np.isfinite(values[:, place])
    codes = np.where(there, KEPT, BLANK)
    reasons: list[str] = []
    if long.layout == "table" and not there.all():
        codes[np.flatnonzero(~there)[~_blank(table, np.flatnonzero(~there))]] = KEPT
    for mask, reason in _reasons(table, long, there):
        hit = mask & (codes == KEPT)
        if hit.any():
            codes[hit] = len(reasons)
            reasons.append(reason(np.flatnonzero(hit)) if callable(reason) else reason)
    keep = np.flatnonzero(codes == KEPT)
    if not len(keep):
        both = "both a time and a number" if long.times else "a number"
        raise FileProblem(f"no row of the file has {both}", *_missing_in(long, codes, reasons))
    every = _every_row(long, values)
    rows = every if len(keep) == len(codes) else every.take(keep)
    _check_size(rows, long.columns)
    return UsableRows(
        rows=rows,
        codes=codes,
        reasons=reasons,
        left_out=_left_out(table, long, codes, reasons),
    )


def _every_row(long: Long, values: Floats) -> SeriesRows:
    """Return the long rows with their numbers (rows, columns) and the levels of their words."""
    times, places = long.times, [each for _, each in long.words]
    return SeriesRows(
        columns=tuple(column.name for column in long.columns),
        values=np.column_stack((values, *places)) if places else values,
        categories=tuple(category for category, _ in long.words),
        times=None if times is None else times.times,
        offsets=None if times is None else times.offsets,
        time_form=None if times is None else times.form,
        frequency=None,
        labels=long.labels.labels,
        series=long.labels.series,
        numbers=long.rows,
    )


def _missing_in(long: Long, codes: Ints, reasons: list[str]) -> list[FieldError]:
    """Say of the first rows why they are left out."""
    return [
        FieldError(row=int(row), message="an empty row" if code == BLANK else reasons[code])
        for row, code in zip(long.rows[:LISTED].tolist(), codes[:LISTED].tolist(), strict=True)
    ]


def _check_size(rows: SeriesRows, columns: list[ReadColumn]) -> None:
    """Refuse values beyond LARGEST_VALUE, and name the first of them."""
    too_large: list[tuple[int, int]] = []  # row and column of the value
    total = 0
    for place in range(len(columns)):
        values = rows.values[:, place]
        if not max(np.fmax.reduce(values), -np.fmin.reduce(values)) > LARGEST_VALUE:
            continue
        found = np.flatnonzero(np.abs(values) > LARGEST_VALUE)
        total += len(found)
        too_large += [(int(row), place) for row in found[:LISTED]]
    if not total:
        return
    errors = tuple(
        FieldError(
            row=int(rows.numbers[row]),
            column=columns[place].name,
            message=f"{rows.values[row, place]:g} lies outside ±{LARGEST_VALUE:g}",
        )
        for row, place in sorted(too_large)[:LISTED]
    )
    values_lie = "1 value lies" if total == 1 else f"{total} values lie"
    raise FileProblem(
        f"{values_lie} outside ±{LARGEST_VALUE:g}, too large to train on, first "
        f"{errors[0].message.split()[0]} in row {errors[0].row}, column {errors[0].column}. "
        "Correct such cells, or leave them empty",
        *errors,
    )


Reason = str | Callable[[Ints], str]


def _reasons(table: Table, long: Long, there: Bools) -> Iterator[tuple[Bools, Reason]]:
    """Return which rows to leave out; the first reason counts."""
    times, labels = long.times, long.labels
    if times is not None and not times.known.all():
        yield from times.left_out
        own = table.column(times.columns[0])
        if own is not None and long.layout == "table":
            source = ReadColumn(source=own, type="date")
            _check_undated(long.rows, times, source)
            undated = np.flatnonzero(~times.known)
            texts = np.array([source.text(int(at)).strip() for at in undated], dtype=str)
            is_comment = np.isin(texts.astype("U1"), ["#", "%", "/"])
            yield _mask(undated[is_comment], len(there)), "a comment"
            yield _mask(undated[texts == ""], len(there)), f"no date in column {own.name}"
            yield ~times.known, _example(source, f"not a date in column {own.name}")
        yield ~times.known, "no such date"
    if (labels.series < 0).any():
        yield labels.series < 0, f"no series name in {', '.join(labels.columns)}"
    for column in long.columns:
        if column.bad and not there.all():
            mask = _mask(column.bad, len(there)) & ~there
            yield mask, _example(column, f"not a number in column {column.name}")
    yield ~there, "no number in the row"


def _mask(places: Places | list[int], count: int) -> Bools:
    mask = np.zeros(count, dtype=bool)
    mask[places] = True
    return mask


def _example(column: ReadColumn, reason: str) -> Callable[[Ints], str]:
    return lambda places: f"{reason}, such as {column.text(int(places[0])).strip()[:_EXAMPLE]!r}"


def _blank(table: Table, places: Places) -> Bools:
    """Return which of these rows are completely empty, (places,)."""
    blank = np.ones(len(places), dtype=bool)
    for column in table.columns:
        if column.numbers is not None:
            blank &= ~np.isfinite(column.numbers[places])
        elif column.cells is not None:
            blank &= np.array([not (cell and cell.strip()) for cell in column.cells[places]])
    return blank


def _check_undated(rows: Ints, times: FoundTimes, column: ReadColumn) -> None:
    explained = np.any([times.known, *(mask for mask, _ in times.left_out)], axis=0)
    undated = [at for at in np.flatnonzero(~explained) if column.text(int(at)).strip()]
    if len(undated) <= max(_MAX_UNDATED * len(rows), _FEW):
        return
    errors = tuple(
        FieldError(
            row=int(rows[place]),
            column=column.name,
            message=f"{column.text(int(place)).strip()[:_EXAMPLE]!r} is not a date",
        )
        for place in undated[:LISTED]
    )
    formats = ", ".join(entry.format for entry in times.formats)
    raise FileProblem(
        f"{len(undated)} of {len(rows)} rows have no readable date in column {column.name}: in row "
        f"{errors[0].row}, {errors[0].message} (the others are written as {formats}). "
        'Write them alike, or set "date" or "date_order" in `read`',
        *errors,
    )


def _left_out(table: Table, long: Long, codes: Ints, reasons: list[str]) -> list[LeftOut]:
    groups = {reason: long.rows[codes == code] for code, reason in enumerate(reasons)}
    for skipped in table.skipped:
        groups[skipped.reason] = np.append(groups.get(skipped.reason, []), skipped.row)
    entries = [
        LeftOut(reason=reason, rows=len(rows), numbers=[int(row) for row in np.sort(rows)[:LISTED]])
        for reason, rows in groups.items()
    ]
    return sorted(entries, key=lambda entry: (-entry.rows, entry.numbers))
