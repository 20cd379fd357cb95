"""Which rows of a table become rows of a series, and why the others do not."""

import numpy as np
import numpy.typing as npt

from app.errors import FieldError
from app.reading.columns.column_types import ReadColumn
from app.reading.report import LISTED, FileProblem, LeftOut
from app.reading.series.rows import SeriesRows
from app.reading.series.series_column import FoundLabels
from app.reading.series.time_column import FoundTimes
from app.reading.table.table import Floats, Table

_MAX_UNDATED = 0.1  # share of rows without a date above which the dates were misunderstood
# The square of a larger error exceeds what a double holds, and no score could be computed.
LARGEST_VALUE = 1e150

Bools = npt.NDArray[np.bool_]


def usable_rows(
    table: Table,
    used: list[ReadColumn],
    times: FoundTimes | None,
    labels: FoundLabels,
) -> tuple[SeriesRows, list[LeftOut]]:
    """The rows that can be used, and why the others cannot.

    Raises:
        FileProblem: there is none, so many lack a date that the dates were misunderstood, or one
            holds a value that is too large to be judged.
    """
    # (rows, columns), each column in one piece of memory: everything after goes by columns.
    values = np.empty((len(table.rows), len(used)), order="F")
    for place, column in enumerate(used):
        if column.numbers is not None:
            values[:, place] = column.numbers
    keep, reasons = _decide(table, values, used, times, labels)
    if not keep.any():
        both = "both a time and a number" if times else "a number"
        raise FileProblem(f"no row of the file has {both}")
    every = SeriesRows(
        values=values,
        times=None if times is None else times.times,
        instants=table.rows if times is None else times.instants(),
        offsets=None if times is None else times.offsets,
        series=labels.series,
        numbers=table.rows,
    )
    rows = every if bool(keep.all()) else every.take(np.flatnonzero(keep))
    _check_size(rows, used)
    return rows, _left_out(reasons)


def _check_size(rows: SeriesRows, used: list[ReadColumn]) -> None:
    """Refuse values beyond LARGEST_VALUE, naming where the first of them stand."""
    too_large: list[tuple[int, int]] = []  # place of the row, of the column
    total = 0
    for place in range(len(used)):
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
            column=used[place].name,
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


def _decide(
    table: Table,
    values: Floats,
    used: list[ReadColumn],
    times: FoundTimes | None,
    labels: FoundLabels,
) -> tuple[Bools, dict[str, list[int]]]:
    """Which rows to keep, and the numbers of the others by the reason."""
    keep: Bools = _any_number(values)
    blank: Bools = ~keep & _blank(table, np.flatnonzero(~keep))
    reasons: dict[str, list[int]] = {}
    for skipped in table.skipped:
        reasons.setdefault(skipped.reason, []).append(skipped.row)
    if times is not None:
        undated = ~times.known & ~blank
        _check_undated(table, times, undated)
        for place in np.flatnonzero(undated):
            reason = _undated_reason(table, times, int(place))
            reasons.setdefault(reason, []).append(int(table.rows[place]))
        keep &= times.known
        blank |= undated
    unlabelled = (labels.series < 0) & keep
    if unlabelled.any():
        name = f"no name of a series in {', '.join(labels.columns)}"
        reasons.setdefault(name, []).extend(int(row) for row in table.rows[unlabelled])
        keep &= ~unlabelled
    empty = ~keep & ~blank & ~unlabelled
    bad = {place: column for column in used for place in column.bad}
    for row in map(int, np.flatnonzero(empty)):
        reason = "no number in the row"
        if row in bad:
            cell = bad[row].source.texts()[row]
            reason = f"{str(cell)[:40]!r} in column {bad[row].name} is no number"
        reasons.setdefault(reason, []).append(int(table.rows[row]))
    return keep, reasons


def _any_number(values: Floats) -> Bools:
    """Which rows have a number in any column, shape (rows,)."""
    found = np.zeros(len(values), dtype=bool)
    for place in range(values.shape[1]):
        found |= np.isfinite(values[:, place])
        if found.all():
            break
    return found


def _blank(table: Table, places: npt.NDArray[np.intp]) -> Bools:
    """Which of these rows hold nothing at all, as a mask over all rows."""
    blank = np.zeros(len(table.rows), dtype=bool)
    blank[places] = True
    for column in table.columns:
        if column.numbers is not None:
            blank &= ~np.isfinite(column.numbers)
        elif column.cells is not None:
            cells = column.cells
            for place in places:
                if blank[place]:
                    cell = cells[place]
                    blank[place] = not (cell and cell.strip())
    return blank


def _undated_reason(table: Table, times: FoundTimes, place: int) -> str:
    column = table.column(times.columns[0])
    cell = None if column is None or column.cells is None else column.cells[place]
    text = cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell
    if text and text.lstrip().startswith(("#", "//", "%")):
        return "a comment"
    if not text or not text.strip():
        return f"no date in column {times.columns[0]}"
    return f"{text.strip()[:40]!r} in column {times.columns[0]} is no date"


def _check_undated(table: Table, times: FoundTimes, undated: Bools) -> None:
    count = int(undated.sum())
    if count <= max(_MAX_UNDATED * len(undated), 3):  # a few lines of totals are usual
        return
    errors = tuple(
        FieldError(
            row=int(table.rows[place]),
            column=times.columns[0],
            message=_undated_reason(table, times, int(place)),
        )
        for place in np.flatnonzero(undated)[:LISTED]
    )
    formats = ", ".join(entry.format for entry in times.report.formats)
    raise FileProblem(
        f"{count} of {len(undated)} rows have no readable date in column {times.columns[0]} "
        f'(the others are written as {formats}). Correct them, or set "date" or "date_order" in '
        "`read`",
        *errors,
    )


def _left_out(reasons: dict[str, list[int]]) -> list[LeftOut]:
    entries = [
        LeftOut(reason=reason, rows=len(rows), numbers=sorted(rows)[:LISTED])
        for reason, rows in reasons.items()
    ]
    entries.sort(key=lambda entry: (-entry.rows, entry.numbers))
    if len(entries) <= LISTED:
        return entries
    rest = entries[LISTED - 1 :]
    numbers = sorted(number for entry in rest for number in entry.numbers)[:LISTED]
    return [
        *entries[: LISTED - 1],
        LeftOut(
            reason="no date or no number", rows=sum(entry.rows for entry in rest), numbers=numbers
        ),
    ]
