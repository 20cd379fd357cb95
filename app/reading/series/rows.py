"""Sort the rows of series, merge those of the same time, and find and fill gaps."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from app.errors import FieldError
from app.reading.arrays import Bools, Codes, Floats, Ints, Places
from app.reading.content import SeriesContent
from app.reading.decisions import Candidate, Cell, count_of, weigh
from app.reading.read_options import ReadOptions
from app.reading.report import LISTED, Duplicates, FileProblem, Gap, Report
from app.reading.series.calendar import Calendar
from app.reading.series.frequency import next_times
from app.reading.series.grid import places

HOUR_US = 3_600_000_000
LATEST = 3  # hour of the night in which clocks are put back
FEW = 0.05  # share of rows that may be repeated by mistake; more were misread
LEFT_AS_THEY_ARE = (
    "left as they are: training and forecasts fill short ones by season and a line between their "
    "neighbors, and leave out windows with longer ones"
)
MAX_FILLED = 10_000_000  # values that filling gaps may add; more means that a time is wrong


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesRows(SeriesContent):
    """A content whose rows still know their places in the file."""

    numbers: Ints  # (rows,) row in the file, from 1; a row that is added has that of the one before

    def take(self, rows: Places) -> Self:
        """Return only these rows, in this order."""
        return replace(super().take(rows), numbers=self.numbers[rows])

    def instants(self) -> Ints:
        """Return what orders the rows: their times, or their places in the file without times."""
        return self.numbers if self.times is None else super().instants()

    def content(self) -> SeriesContent:
        """Return the content alone."""
        facts = {entry.name: getattr(self, entry.name) for entry in fields(SeriesContent)}
        return SeriesContent(**facts)


def sorted_rows(rows: SeriesRows) -> SeriesRows:
    """Sort rows by series and time; rows of the same time stay in the order of the file."""
    instants, changes = rows.instants(), np.diff(rows.series)
    if bool(((changes > 0) | ((changes == 0) & (np.diff(instants) >= 0))).all()):
        return rows
    return rows.take(np.lexsort((instants, rows.series)))


def without_duplicates(
    rows: SeriesRows, options: ReadOptions, report: Report
) -> tuple[SeriesRows, Duplicates | None]:
    """Merge sorted rows of the same series and time.

    Raises:
        FileProblem: they differ, and `read` does not say what to do.
    """
    again = (np.diff(rows.series) == 0) & (np.diff(rows.instants()) == 0)  # (rows - 1,)
    if not again.any():
        return rows, None
    left, right = rows.values[1:][again], rows.values[:-1][again]
    equal = bool(((left == right) | (np.isnan(left) & np.isnan(right))).all())
    how = options.duplicates
    if how is None and not equal and _is_end_of_summer_time(rows, again):
        how = "mean"
        _decide_repeated_hours(rows, again, report)
    if how == "error" or (how is None and not equal):
        _refuse_duplicates(rows, again, report, equal=equal)
    handled = {
        None: "they are identical and count once",
        "last": "the last of each counts",
        "sum": "they are added up",
        "mean": "their mean counts",
    }[how]
    numbers = rows.numbers[1:][again]
    duplicates = Duplicates(rows=len(numbers), handled=handled, numbers=sorted(numbers)[:LISTED])
    starts = np.flatnonzero(np.concatenate([[True], ~again]))
    joined = rows.take(np.concatenate([starts[1:], [len(rows)]]) - 1)
    if how in {"sum", "mean"}:
        there = np.isfinite(rows.values)
        total = np.add.reduceat(np.where(there, rows.values, 0.0), starts, axis=0)
        count = np.add.reduceat(there.astype(np.float64), starts, axis=0)
        divisor = np.maximum(count, 1.0) if how == "mean" else 1.0
        numbers_only = len(rows.columns)  # of words, the last counts
        together = np.where(count > 0, total / divisor, np.nan)
        together[:, numbers_only:] = joined.values[:, numbers_only:]
        joined = replace(joined, values=together)
    return joined, duplicates


def _is_end_of_summer_time(rows: SeriesRows, again: Bools) -> bool:
    """Return whether hours are repeated as at the end of summer time: at night, once a year."""
    if rows.times is None or rows.offsets is not None:
        return False
    twice = rows.times[1:][again]
    hours = (twice - twice.astype("datetime64[D]")) // np.timedelta64(1, "h")
    days = np.unique(twice.astype("datetime64[D]"))
    months = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    apart = np.diff(days) > np.timedelta64(120, "D")
    in_season = np.isin(months, [9, 10, 11]).all() or np.isin(months, [2, 3, 4]).all()
    steps = np.diff(rows.times)[~again & (np.diff(rows.series) == 0)]
    is_hourly = len(steps) > 0 and bool(np.median(steps.astype(np.int64)) <= HOUR_US)
    return bool(
        is_hourly and in_season and apart.all() and (hours.astype(np.int64) <= LATEST).all()
    )


def _decide_repeated_hours(rows: SeriesRows, again: Bools, report: Report) -> None:
    times = rows.times
    cells = [
        Cell(row=int(rows.numbers[place + 1]), text=str(times[place].astype("datetime64[m]")))
        for place in np.flatnonzero(again)
        if times is not None
    ]
    mean = (1.5, "the hour that comes twice at the end of summer time has both", cells)
    last = (1.0, "the times have no zone that tells the two apart")
    candidates = [
        Candidate("mean", "the mean of both", {"duplicates": "mean"}, [mean]),
        Candidate("last", "the last of both", {"duplicates": "last"}, [last]),
    ]
    report.decide(weigh("duplicates", candidates)[1])


def find_gaps(content: SeriesContent, calendar: Calendar | None) -> list[tuple[int, int]]:
    """Find the steps without a row: (the row before, how many are missing).

    Args:
        content: the series.
        calendar: when they have rows, with the days on which they were closed.
    """
    if content.times is None or content.frequency is None:
        return []
    steps = places(content.times, content.offsets, frequency=content.frequency, calendar=calendar)
    missing = np.where(np.diff(content.series) == 0, steps - 1, 0)
    before = np.flatnonzero(missing > 0)
    return list(zip(before.tolist(), missing[before].tolist(), strict=True))


def report_gaps(content: SeriesContent, gaps: list[tuple[int, int]], report: Report) -> None:
    """Count the gaps, and list the longest."""
    report.gap_count = sum(missing for _, missing in gaps)
    longest = sorted(gaps, key=lambda gap: (-gap[1], gap[0]))[:LISTED]
    report.gaps = [
        Gap(
            series=content.labels[int(content.series[row])],
            after=content.time_iso(row) or "",
            before=content.time_iso(row + 1) or "",
            missing=missing,
        )
        for row, missing in sorted(longest)
    ]


def filled(
    rows: SeriesRows, gaps: list[tuple[int, int]], how: str, calendar: Calendar | None
) -> SeriesRows:
    """Add missing rows, and fill missing values with the last value or with 0.

    Args:
        rows: are not changed.
        gaps: as `find_gaps` returns them.
        how: fill or zero.
        calendar: as for `find_gaps`.

    Raises:
        FileProblem: it would add an absurd number of rows.
    """
    total = sum(missing for _, missing in gaps)
    if total * rows.values.shape[1] > MAX_FILLED:
        raise FileProblem(
            f"filling the gaps would add {total:,} rows; is a time far from the others, "
            f"or is {rows.frequency} not the frequency of the file?"
        )
    repeats = np.ones(len(rows), dtype=np.int64)
    for row, missing in gaps:
        repeats[row] += missing
    source = np.repeat(np.arange(len(rows)), repeats)  # (rows with those added,)
    whole = rows.take(source)
    values = whole.values
    values[np.concatenate([[False], source[1:] == source[:-1]])] = np.nan
    starts = np.cumsum(repeats) - repeats
    for row, missing in gaps:
        if rows.times is not None and whole.times is not None and rows.frequency is not None:
            following = next_times(rows.times[row], rows.frequency, missing, calendar)
            whole.times[starts[row] + 1 :][:missing] = following
    if how == "fill":
        return replace(whole, values=_carried_on(values, whole.series))
    values[:, : len(rows.columns)] = np.nan_to_num(values[:, : len(rows.columns)], nan=0.0)
    return replace(whole, values=values)


def _carried_on(values: Floats, series: Codes) -> Floats:
    place = np.arange(len(values))[:, None]  # (rows, 1)
    known = np.where(np.isfinite(values), place, -1)
    last = np.maximum.accumulate(known, axis=0)  # (rows, columns) the last row with a value
    first_of_series = np.searchsorted(series, series)[:, None]
    usable = last >= first_of_series
    return np.where(usable, np.take_along_axis(values, np.maximum(last, 0), axis=0), np.nan)


def _refuse_duplicates(rows: SeriesRows, again: Bools, report: Report, *, equal: bool) -> None:
    columns = () if report.date is None else report.date.columns
    errors = tuple(
        FieldError(
            row=int(rows.numbers[place + 1]),
            column=next(iter(columns), None),
            message=f"row {rows.numbers[place + 1]} has the same time as row {rows.numbers[place]}"
            + ("" if rows.times is None else f", {rows.times[place].item().isoformat(sep=' ')},")
            + ("" if equal else " but other values"),
        )
        for place in np.flatnonzero(again)[:LISTED]
    )
    hint = (
        'The columns that were read do not distinguish the rows: name in "date" all columns that '
        'make up the time, or in "series" the column that names the series'
    )
    if again.sum() <= max(FEW * len(rows), 1):
        hint = 'Set "duplicates" in `read` to last, sum or mean, or correct these rows'
    count = count_of(int(again.sum()), "row has", "rows have")
    named = f" in {', '.join(columns)}" if columns else ""
    raise FileProblem(
        f"{count} the time{named} of another row: {errors[0].message}. {hint}", *errors
    )
