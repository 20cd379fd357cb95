"""Turn a table into series: find times and labels, leave out rows, sort, merge and fill."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.errors import FieldError
from app.reading.arrays import Codes, Floats, Ints, Times
from app.reading.categories import read_category
from app.reading.closed_days import decide_calendar, with_gaps_decided
from app.reading.columns.cell_types import cell_kind
from app.reading.columns.column_types import ReadColumn, ReadTable, index_columns
from app.reading.content import Category, SeriesContent
from app.reading.decisions import settled
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem, Report
from app.reading.series import anomalies
from app.reading.series.frequency_finder import find_frequency
from app.reading.series.rows import (
    LEFT_AS_THEY_ARE,
    SeriesRows,
    filled,
    find_gaps,
    report_gaps,
    sorted_rows,
    without_duplicates,
)
from app.reading.series.series_column import find_labels
from app.reading.series.series_report import (
    count_cells,
    note_columns,
    report_columns,
    report_series,
    row_order,
    suggest_roles,
)
from app.reading.series.target import suggest_target
from app.reading.series.time_candidates import correct_midnights, date_rows, unread_times
from app.reading.series.usable_rows import usable_rows
from app.reading.series.wide_tables import Long, find_wide
from app.reading.table.table import Table


def read_series(table: Table, read: ReadTable, report: Report) -> SeriesContent:
    """Turn a table into series.

    Args:
        table: the rows of the file.
        read: its columns with their types, from `read_columns`.
        report: is extended in place, as far as the reading comes.

    Raises:
        FileProblem: no series can be made of the table.
    """
    report.decimal = table.decimal
    for decision in table.decisions:
        report.decide(decision)
    long = find_wide(read) or _as_it_is(read, report)
    report.layout = {"table": "table", "matrix": "matrix", "series_per_row": "series_per_row"}.get(  # type: ignore[assignment]
        long.layout, "series_per_column"
    )
    times = long.times
    if times is not None:
        correct_midnights(times, read.options, long.rows)
        report.date = times.report()
        report.note(*times.notes)
    for decision in (long.decision, *(times.decisions if times else ()), long.labels.decision):
        report.decide(decision)
    report.series_columns = list(long.labels.columns)
    for column in read.columns:
        if column.name in long.labels.columns:
            column.role = "series"
    report_columns(read.columns, long, report)
    if not long.columns:
        raise _numberless(read.columns, table.rows)
    report.rows_in_file = len(long.rows) + len(table.skipped)
    usable = usable_rows(table, long)
    report.rows_left_out = usable.left_out
    note_columns(long, usable, report)
    report.cells = count_cells(table, read.columns, long, usable, report)
    return _finished(usable.rows, long, read.options, report)


def _numberless(columns: Sequence[ReadColumn], rows: Ints) -> FileProblem:
    """Name the first cell of each column of words that would have to be a number."""
    errors = []
    for column in columns:
        cells = column.source.texts() if column.type in {"label", "text"} else ()
        wrong = [at for at, cell in enumerate(cells) if cell and cell_kind(cell) == "text"]
        if wrong:
            message = f"{cells[wrong[0]].strip()[:40]!r} is not a number"
            errors.append(FieldError(row=int(rows[wrong[0]]), column=column.name, message=message))
    names = ", ".join(f"{column.name} ({column.type})" for column in columns)
    at = errors[0] if errors else None
    first = "" if at is None else f"; {at.message} (row {at.row}, column {at.column!r})"
    return FileProblem(
        f"no column holds numbers to predict; the file has {names}{first}. At least one column "
        "must hold numbers in most of its rows",
        *errors,
    )


def _as_it_is(table: ReadTable, report: Report) -> Long:
    """Read a table with a row for each time, or for each step if it has no times."""
    times = date_rows(table)
    if times is None:
        _warn_unread(table, report)
    used = () if times is None else times.columns
    others = table.without(used)
    for column in table.columns:
        column.role = "time" if column.name in used else ""
    for column in index_columns(others.columns):
        column.type, column.numbers = "index", None
    labels = find_labels(others, times)
    unnamed = others.without(labels.columns).columns
    values = [column for column in unnamed if column.numbers is not None]
    return Long(
        layout="table",
        columns=values,
        rows=table.rows,
        times=times,
        labels=labels,
        value_names=tuple(column.name for column in values),
        decision=settled("layout", "a row for each time", "the header names columns of values"),
        words=_categories(unnamed),
    )


def _categories(columns: Sequence[ReadColumn]) -> list[tuple[Category, Floats]]:
    """Return the columns of words that can be inputs, and note why others cannot."""
    categories = []
    for column in columns:
        if column.type not in {"label", "text"}:
            continue
        found = read_category(column.name, column.source.texts().tolist())
        if isinstance(found, str):
            column.notes.append(f"not used: {found}")
        else:
            column.role = "category"
            categories.append(found)
    return categories


def _warn_unread(table: ReadTable, report: Report) -> None:
    """Warn about a column that looks like times but cannot be read."""
    seen = unread_times(table) if table.options.date is None else None
    if seen is None:
        return
    column, cell = seen
    report.warnings.insert(
        0,
        f"Column {column.name!r} looks like times, and cells such as {cell} cannot be read as "
        "times: the rows were taken in the order of the file, as if the last were the newest. "
        'Write them as in 2017-01-03 09:30, or set "date" in `read` to the column of times, or to '
        '"" if there is none.',
    )


def _finished(rows: SeriesRows, long: Long, options: ReadOptions, report: Report) -> SeriesContent:
    if long.times is not None:
        report.order = row_order(rows)
    rows = sorted_rows(rows)
    if long.times is not None:
        rows, report.duplicates = without_duplicates(rows, options, report)
    if rows.time_form is None:  # they are step numbers
        rows = replace(rows, times=None)
    report.frequency = options.frequency
    if rows.times is not None:
        _find_step(rows.times, rows.series, options, report)
    calendar = decide_calendar(rows.times, options, report)
    present = np.flatnonzero(np.bincount(rows.series))
    rows = replace(
        rows,
        frequency=report.frequency,
        calendar=calendar,
        labels=tuple(rows.labels[place] for place in present),
        series=np.searchsorted(present, rows.series).astype(np.int32),
    )
    rows = _complete(rows, options, report)
    content = rows.content()
    report.rows_used = len(content)
    report_series(content, report)
    anomalies.check(content, rows.numbers, report)
    against = {entry.columns[0]: entry.message for entry in report.contradictions}
    report.target, decision = suggest_target(content, long.columns, against)
    report.target_alternatives = [name for name in content.columns if name != report.target]
    suggest_roles(content, report)
    if decision is None:
        report.note("No column looks like a measurement: name the one to predict as the target.")
    else:
        report.decide(decision)
    return content


def _find_step(times: Times, series: Codes, options: ReadOptions, report: Report) -> None:
    found = find_frequency(times, series)
    report.frequency = options.frequency or found.frequency
    if options.frequency in {None, found.frequency, "C", "SMS", "SME"}:
        report.calendar = found.calendar
    if report.decision("frequency") is None:
        chosen = " ".join(
            filter(None, [report.frequency or "irregular", options.calendar or report.calendar])
        )
        told = options.frequency is not None
        report.decide(settled("frequency", chosen, found.reason, told=told))


def _complete(rows: SeriesRows, options: ReadOptions, report: Report) -> SeriesRows:
    """Report the gaps, and fill them if `read` says so."""
    has_missing = any(entry.missing for entry in report.columns if entry.used)
    missing_values = int(np.isnan(rows.values).sum()) if has_missing else 0
    calendar = with_gaps_decided(rows.times, rows.calendar, options, report)
    gaps = find_gaps(rows, calendar)
    report_gaps(rows, gaps, report)
    if not gaps and not missing_values:
        return rows
    how = options.gaps or "leave"
    report.gaps_handled = {
        "error": None,
        "leave": LEFT_AS_THEY_ARE,
        "fill": "the last value is repeated",
        "zero": "0 is written",
    }[how]
    if how == "error":
        raise FileProblem(
            f"{report.gap_count} steps have no row and {missing_values} cells no value, and `read` "
            'says that gaps are an error; set "gaps" to leave, fill or zero to continue'
        )
    return rows if how == "leave" else filled(rows, gaps, how, calendar)
