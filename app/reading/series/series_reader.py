"""From a table to series: times and labels found, rows left out, sorted, joined, completed."""

import numpy as np
import numpy.typing as npt

from app.reading.columns.column_types import ReadColumn, index_columns
from app.reading.content import SeriesContent, TimeForm
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem, Report
from app.reading.series import anomalies
from app.reading.series.frequency_finder import find_frequency
from app.reading.series.rows import (
    SeriesRows,
    filled,
    find_gaps,
    gap_reports,
    sorted_rows,
    without_duplicates,
)
from app.reading.series.series_column import FoundLabels, find_labels
from app.reading.series.series_report import (
    narrow_columns,
    report_columns,
    report_series,
    row_order,
    warn_bad_cells,
    warn_decimal,
    warn_units,
)
from app.reading.series.time_column import FoundTimes, find_times
from app.reading.series.usable_rows import usable_rows
from app.reading.table.table import Table


def read_series(
    table: Table, columns: list[ReadColumn], options: ReadOptions, report: Report
) -> SeriesContent:
    """Makes series of a table.

    Args:
        table: the rows of the file.
        columns: what they hold, as `read_columns` finds.
        options: what the user said.
        report: added to in place, as far as the reading comes.

    Raises:
        FileProblem: no series can be made of it.
    """
    report.decimal, report.decimal_reason = table.decimal, table.decimal_reason
    european = table.decimal == "," or report.delimiter == ";"
    times = find_times(columns, table.rows, options, european=european)
    warn_decimal(table, report)
    if times is not None:
        report.date = times.report
        report.warnings.extend(times.warnings)
    for column in index_columns(columns):
        column.type, column.numbers = "index", None
    labels = find_labels(columns, times, options, len(table.rows))
    report.series_columns, report.series_reason = list(labels.columns), labels.reason
    used = [
        column
        for column in columns
        if column.numbers is not None and column.name not in labels.columns
    ]
    report_columns(columns, labels, report)
    report.rows_in_file = len(table.rows) + len(table.skipped)
    if not used:
        names = ", ".join(f"{column.name} ({column.type})" for column in columns)
        raise FileProblem(f"no column holds numbers to predict; the file has {names}")
    report.target = used[0].name
    report.target_alternatives = [column.name for column in used[1:]]
    rows, report.rows_left_out = usable_rows(table, used, times, labels)
    warn_bad_cells(table, used, rows, report)
    warn_units(used, report)
    return _finished(rows, used, times, labels, options, report)


def _finished(  # noqa: PLR0917  private, and each of its arguments has a type of its own
    rows: SeriesRows,
    used: list[ReadColumn],
    times: FoundTimes | None,
    labels: FoundLabels,
    options: ReadOptions,
    report: Report,
) -> SeriesContent:
    form = None if times is None else times.form
    if rows.times is not None:
        report.order = row_order(rows)
    rows = sorted_rows(rows)
    names = [column.name for column in used]
    rows, report.duplicates = without_duplicates(rows, options, names)
    report.frequency, report.calendar = options.frequency, options.calendar
    if rows.times is not None:
        found = find_frequency(rows.times, rows.series)
        report.frequency = options.frequency or found.frequency
        report.frequency_reason = "as `read` says" if options.frequency else found.reason
        if options.frequency in {None, found.frequency, "C", "SMS", "SME"}:
            report.calendar = options.calendar or found.calendar
        rows = _gaps(rows, form, labels, options, report)
    present = np.flatnonzero(np.bincount(rows.series))
    content = SeriesContent(
        columns=tuple(names),
        values=rows.values,
        times=rows.times,
        offsets=rows.offsets,
        time_form=form,
        frequency=report.frequency,
        calendar=report.calendar,
        labels=tuple(labels.labels[place] for place in present),
        series=rows.series if len(present) == len(labels.labels) else _renumbered(rows, present),
    )
    report.rows_used = len(content)
    if len(content) != report.rows_in_file:
        narrow_columns(content, report)
    report_series(content, report)
    anomalies.check(content, rows.numbers, report)
    return content


def _renumbered(rows: SeriesRows, present: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
    return np.searchsorted(present, rows.series).astype(np.int32)


def _gaps(
    rows: SeriesRows,
    form: TimeForm | None,
    labels: FoundLabels,
    options: ReadOptions,
    report: Report,
) -> SeriesRows:
    frequency, calendar = report.frequency, report.calendar
    missing_values = int(np.isnan(rows.values).sum())
    if frequency is None or rows.times is None:
        gaps: list[tuple[int, int]] = []
    else:
        gaps = find_gaps(rows, frequency, calendar)
    report.gap_count = sum(missing for _, missing in gaps)
    if gaps and rows.times is not None:
        report.gaps = gap_reports(rows, gaps, labels.labels, form)
    if not gaps and not missing_values:
        return rows
    how = options.gaps or "leave"
    report.gaps_handled = {
        "error": None,
        "leave": "left as they are: the next row follows the last",
        "fill": "the last value is carried on",
        "zero": "0 is written",
    }[how]
    if how == "error":
        raise FileProblem(
            f"{report.gap_count} steps have no row and {missing_values} cells no value, and `read` "
            'says that gaps are an error; set "gaps" to leave, fill or zero to go on'
        )
    if how == "leave":
        return rows
    return filled(rows, frequency or "D", gaps, how, calendar)
