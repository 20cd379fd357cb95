"""The rows of a series on their way from the file into the dataset: left out, sorted, joined."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.errors import FieldError
from app.reading.content import TimeForm, times_iso
from app.reading.read_options import ReadOptions
from app.reading.report import LISTED, Duplicates, FileProblem, Gap
from app.reading.series.frequency import Times, is_within_day, next_times, steps_between
from app.reading.table.table import Floats, Ints

MAX_FILLED = 10_000_000  # values that filling gaps may add; more means a wrong time somewhere


@dataclass(frozen=True, kw_only=True)
class SeriesRows:
    """Rows with everything a series needs, and where in the file they stand."""

    values: Floats  # (rows, columns)
    times: Times | None  # (rows,)
    instants: Ints  # (rows,) what they are ordered by; the row number without times
    offsets: npt.NDArray[np.int16] | None
    series: npt.NDArray[np.int32]
    numbers: Ints  # (rows,) in the file, from 1

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "SeriesRows":
        """These rows alone, in this order."""
        return replace(
            self,
            values=self.values[rows],
            times=None if self.times is None else self.times[rows],
            instants=self.instants[rows],
            offsets=None if self.offsets is None else self.offsets[rows],
            series=self.series[rows],
            numbers=self.numbers[rows],
        )


def sorted_rows(rows: SeriesRows) -> SeriesRows:
    """The rows by series and time; rows of the same time stay in the order of the file."""
    in_order = np.diff(rows.series) > 0
    same = np.diff(rows.series) == 0
    in_order |= same & (np.diff(rows.instants) >= 0)
    if bool(in_order.all()):
        return rows
    return rows.take(np.lexsort((rows.instants, rows.series)))


def without_duplicates(
    rows: SeriesRows, options: ReadOptions, names: Sequence[str]
) -> tuple[SeriesRows, Duplicates | None]:
    """Joins sorted rows of the same series and time.

    Raises:
        FileProblem: they differ and nothing says what to do.
    """
    again = (np.diff(rows.series) == 0) & (np.diff(rows.instants) == 0)  # (rows - 1,)
    if rows.times is None or not again.any():
        return rows, None
    group = np.concatenate([[0], np.cumsum(~again)])  # (rows,) which distinct time each is of
    starts = np.flatnonzero(np.concatenate([[True], ~again]))
    ends = np.concatenate([starts[1:], [len(rows)]]) - 1
    left, right = rows.values[1:][again], rows.values[:-1][again]
    equal = bool(((left == right) | (np.isnan(left) & np.isnan(right))).all())
    numbers = rows.numbers[1:][again]
    if options.duplicates == "error" or (options.duplicates is None and not equal):
        _refuse_duplicates(rows, again, names, equal=equal)
    handled = {
        None: "they say the same and count once",
        "last": "the last of each counts",
        "sum": "they are added up",
        "mean": "their mean counts",
    }[options.duplicates]
    report = Duplicates(rows=len(numbers), handled=handled, numbers=sorted(numbers)[:LISTED])
    joined = rows.take(ends)
    if options.duplicates in {"sum", "mean"}:
        there = np.isfinite(rows.values)
        total = np.add.reduceat(np.where(there, rows.values, 0.0), starts, axis=0)
        count = np.add.reduceat(there.astype(np.float64), starts, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            divisor = count if options.duplicates == "mean" else np.where(count > 0, 1.0, np.nan)
            joined = replace(joined, values=np.where(count > 0, total / divisor, np.nan))
    if len(joined) != group[-1] + 1:
        raise FileProblem("rows of the same time could not be joined")
    return joined, report


def find_gaps(
    rows: SeriesRows, frequency: str, calendar: str | None = None
) -> list[tuple[int, int]]:
    """Find the steps that lack their row: (the row before, how many are missing)."""
    if rows.times is None:
        return []
    times = rows.times
    if rows.offsets is not None and calendar is None and is_within_day(frequency):
        times = rows.instants.astype("datetime64[us]")  # clocks are put forward; time goes on
    steps = steps_between(times, frequency, calendar)
    missing = np.where(np.diff(rows.series) == 0, steps - 1, 0)
    places = np.flatnonzero(missing > 0)
    return [(int(place), int(missing[place])) for place in places]


def gap_reports(
    rows: SeriesRows, gaps: list[tuple[int, int]], labels: Sequence[str], form: TimeForm | None
) -> list[Gap]:
    """The longest gaps, as the report shows them."""

    def iso(place: int) -> str:
        part = rows.take(np.array([place]))
        return "" if part.times is None else times_iso(part.times, form, part.offsets)[0]

    longest = sorted(gaps, key=lambda gap: (-gap[1], gap[0]))[:LISTED]
    return [
        Gap(
            series=labels[int(rows.series[place])],
            after=iso(place),
            before=iso(place + 1),
            missing=missing,
        )
        for place, missing in sorted(longest)
    ]


def filled(
    rows: SeriesRows,
    frequency: str,
    gaps: list[tuple[int, int]],
    how: str,
    calendar: str | None = None,
) -> SeriesRows:
    """Add the missing rows, and values where they lack, with the last value or with 0.

    Raises:
        FileProblem: it would add absurdly many.
    """
    total = sum(missing for _, missing in gaps)
    if total * rows.values.shape[1] > MAX_FILLED:
        raise FileProblem(
            f"filling the gaps would add {total:,} rows; is a time far from the others, or the "
            f"frequency {frequency} not that of the file?"
        )
    if gaps and rows.times is not None:
        rows = _with_rows(rows, rows.times, frequency, gaps, calendar)
    values = rows.values.copy()
    if how == "zero":
        values[np.isnan(values)] = 0.0
    else:
        values = _carried_on(values, rows.series)
    return replace(rows, values=values)


def _with_rows(
    rows: SeriesRows,
    times: Times,
    frequency: str,
    gaps: list[tuple[int, int]],
    calendar: str | None,
) -> SeriesRows:
    source = np.arange(len(rows))
    repeats = np.ones(len(rows), dtype=np.int64)
    for place, missing in gaps:
        repeats[place] += missing
    source = np.repeat(source, repeats)
    added = np.concatenate([[False], source[1:] == source[:-1]])
    out = rows.take(source)
    new_times = times[source]
    starts = np.cumsum(repeats) - repeats
    for place, missing in gaps:
        at = starts[place] + 1
        new_times[at : at + missing] = next_times(times[place], frequency, missing, calendar)
    values = out.values.copy()
    values[added] = np.nan
    shift = rows.instants[source] - times[source].astype(np.int64)
    return replace(out, times=new_times, instants=new_times.astype(np.int64) + shift, values=values)


def _carried_on(values: Floats, series: npt.NDArray[np.int32]) -> Floats:
    place = np.arange(len(values))[:, None]  # (rows, 1)
    known = np.where(np.isfinite(values), place, -1)
    last = np.maximum.accumulate(known, axis=0)  # (rows, columns) the last row with a value
    first_of_series = np.searchsorted(series, series)[:, None]
    usable = last >= first_of_series
    return np.where(usable, np.take_along_axis(values, np.maximum(last, 0), axis=0), np.nan)


def _refuse_duplicates(
    rows: SeriesRows, again: npt.NDArray[np.bool_], names: Sequence[str], *, equal: bool
) -> None:
    places = np.flatnonzero(again)[:LISTED]
    errors = tuple(
        FieldError(
            row=int(rows.numbers[place + 1]),
            message=f"row {rows.numbers[place + 1]} has the time of row {rows.numbers[place]}"
            + ("" if equal else " and other values"),
        )
        for place in places
    )
    hint = (
        'Set "duplicates" in `read` to last, sum or mean, or name in "series" the column that '
        "tells the series apart"
    )
    columns = f" (columns: {', '.join(names)})" if names else ""
    raise FileProblem(
        f"{int(again.sum())} rows have a time that another row has{columns}. {hint}", *errors
    )
