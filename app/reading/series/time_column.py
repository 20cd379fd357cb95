"""Which column holds the times, and what they are."""

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.errors import FieldError
from app.reading.columns.cell_shapes import Cells
from app.reading.columns.column_types import NO_CELLS, ReadColumn, counts_rows
from app.reading.columns.date_order import OrderDecision, settle_order
from app.reading.columns.dates import DAY_US, DateCells, Ints, days_of, read_clocks, read_dates
from app.reading.columns.numeric_dates import NumberDates, number_dates, ticks_like_unix_time
from app.reading.content import TimeForm
from app.reading.read_options import ReadOptions
from app.reading.report import DateFormat, DateReport, FileProblem
from app.reading.series.frequency import Times

_TIME_WORDS = (
    *("date", "dates", "datum", "fecha", "data", "dt", "ds", "day", "tag", "jour", "dia"),
    *("time", "times", "timestamp", "ts", "datetime", "zeit", "epoch", "unix", "utc", "when"),
    *("period", "periode", "month", "monat", "mois", "mes", "week", "woche", "semaine"),
    *("quarter", "quartal", "year", "jahr", "annee", "ano", "observation", "moment", "instant"),
)
_HOURS = {"hour", "hr", "hours", "stunde"}
_NO_YEAR = 10_000
# Share of the cells from which a column is one of dates; where many are not, usable_rows objects.
_FROM_SHARE = 0.3


@dataclass(kw_only=True)
class FoundTimes:
    """The times of the rows."""

    columns: tuple[str, ...]  # where they come from
    times: Times  # (rows,) civil; only where known
    known: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int16] | None  # (rows,) only for zoned times
    form: TimeForm
    report: DateReport
    warnings: list[str] = field(default_factory=list)

    def instants(self) -> Ints:
        """Microseconds since 1970, in UTC where the times are zoned: what rows are ordered by."""
        micros = self.times.astype(np.int64)
        if self.offsets is None:
            return micros
        return micros - self.offsets.astype(np.int64) * 60_000_000


def find_times(
    columns: list[ReadColumn], rows: Ints, options: ReadOptions, *, european: bool
) -> FoundTimes | None:
    """Finds the column of times and reads it; None: the file has none.

    Args:
        columns: all columns; one that turns out to hold times gets that type.
        rows: where in the file each row stands.
        options: what the user said.
        european: the file has decimal commas or semicolons, which speaks for the day first.

    Raises:
        FileProblem: the column that the user named is not there or holds no times, or times
            with and without a zone are mixed.
    """
    if options.date == "":
        return None
    if options.date is not None:
        return _told(columns, rows, options, european=european)
    written, numbers = _candidates(columns)
    for column in written:
        found = _read(column, columns, rows, options, european=european)
        if found is not None:
            return found
    parts = _from_parts(columns, rows)
    if parts is not None:
        _add_clock(parts, columns)
        return parts
    for column in numbers:
        found = _read(column, columns, rows, options, european=european)
        if found is not None:
            return found
    return None


def column_named(columns: list[ReadColumn], name: str, option: str) -> ReadColumn:
    """The column that `read` names; letter case is overlooked where that is unambiguous.

    Raises:
        FileProblem: there is none.
    """
    exact = [column for column in columns if column.name == name]
    loose = [column for column in columns if column.name.lower() == name.strip().lower()]
    if exact or len(loose) == 1:
        return (exact or loose)[0]
    names = ", ".join(column.name for column in columns)
    message = f"the file has no column {name!r}; it has {names}"
    raise FileProblem(message, FieldError(field=f"read.{option}", message=message))


def sounds_like_time(name: str) -> bool:
    """Whether a column's name has a word for a time in it."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return any(word in _TIME_WORDS for word in words) or words[1:][-1:] == ["at"]  # created_at


def _candidates(columns: list[ReadColumn]) -> tuple[list[ReadColumn], list[ReadColumn]]:
    """Columns that may hold the times, as written dates and as numbers, the likeliest first."""
    written = [column for column in columns if column.type == "date"]
    named = [column for column in written if sounds_like_time(column.name)]
    numbers = [
        column for column in columns if column.type == "number" and sounds_like_time(column.name)
    ]
    first = [
        column
        for column in columns[:2]
        if column.type == "number"
        and column.numbers is not None
        and ((column.unnamed and not counts_rows(column)) or ticks_like_unix_time(column.numbers))
    ][:1]
    ordered = {column.name: column for column in [*named, *written]}
    return list(ordered.values()), [*numbers, *first]


def _told(
    columns: list[ReadColumn], rows: Ints, options: ReadOptions, *, european: bool
) -> FoundTimes:
    column = column_named(columns, options.date or "", "date")
    found = _read(column, columns, rows, options, european=european)
    if found is None:
        texts = column.source.texts()
        example = next((cell for cell in texts if cell), "")
        message = f"column {column.name!r} holds no dates or times; its first cell is {example!r}"
        raise FileProblem(
            message, FieldError(field="read.date", column=column.name, message=message)
        )
    return found


def _read(
    column: ReadColumn,
    columns: list[ReadColumn],
    rows: Ints,
    options: ReadOptions,
    *,
    european: bool,
) -> FoundTimes | None:
    if column.numbers is not None:
        told = options.date is not None
        steady = not (told or sounds_like_time(column.name))
        numeric = number_dates(column.numbers, steady=steady)
        found = None if numeric is None else _from_numbers(column, numeric, rows, steady=steady)
    else:
        found = _from_cells(column, rows, options, european=european)
    if found is None:
        if column.numbers is None:
            column.type = "label"
        return None
    column.type = "date"
    column.numbers = None
    if found.form == "date":
        _add_clock(found, columns)
    return found


def _from_cells(
    column: ReadColumn, rows: Ints, options: ReadOptions, *, european: bool
) -> FoundTimes | None:
    cells = NO_CELLS if column.source.cells is None else column.source.cells
    dates = read_dates(cells)
    present = _count_present(cells)
    if not present or dates.readable.sum() < _FROM_SHARE * present:
        return None
    decisions = settle_order(dates, told=options.date_order, european=european)
    known = dates.dated
    if not known.any():
        return None
    zoned = dates.zoned & known
    if zoned.any() and not bool((zoned == known).all()):
        _refuse_mixed_zones(column, zoned, known, rows)
    form: TimeForm = "date"
    if zoned.any():
        form = "zoned"
    elif (dates.timed & known).any() or (dates.clock[known] != 0).any():
        form = "local"
    micros = dates.days * DAY_US + dates.clock
    return FoundTimes(
        columns=(column.name,),
        times=micros.astype("datetime64[us]"),
        known=known,
        offsets=np.where(known, dates.offsets, 0).astype(np.int16) if form == "zoned" else None,
        form=form,
        report=DateReport(
            columns=[column.name],
            form=form,
            formats=_formats(dates, rows),
            date_order=decisions[0].order if decisions else None,
            reason=_reason(decisions),
        ),
        warnings=_warnings(column, decisions, dates),
    )


def _count_present(cells: Cells) -> int:
    if isinstance(cells.dtype, np.dtypes.BytesDType):
        return int(np.count_nonzero(cells != b""))
    return int(np.count_nonzero(cells.astype(bool)))


def _refuse_mixed_zones(
    column: ReadColumn,
    zoned: npt.NDArray[np.bool_],
    known: npt.NDArray[np.bool_],
    rows: Ints,
) -> None:
    fewer = zoned if zoned.sum() * 2 < known.sum() else known & ~zoned
    where = int(rows[int(np.argmax(fewer))])
    has = "has" if fewer is zoned else "lacks"
    message = f"row {where} {has} a time zone, unlike the rows before or after; give all or none"
    raise FileProblem(message, FieldError(row=where, column=column.name, message=message))


def _formats(dates: DateCells, rows: Ints) -> list[DateFormat]:
    return [
        DateFormat(format=label, rows=count, first_row=int(rows[first]))
        for label, (count, first) in sorted(dates.formats.items(), key=lambda item: -item[1][0])
    ]


def _reason(decisions: list[OrderDecision]) -> str:
    if not decisions:
        return "the dates can be read in one way only"
    return "; ".join(f"{decision.label}: {decision.reason}" for decision in decisions)


def _warnings(column: ReadColumn, decisions: list[OrderDecision], dates: DateCells) -> list[str]:
    found = [
        f"Dates such as {decision.label} in column {column.name!r} could as well be read as "
        f"{decision.equally_good}; they were read as {decision.order} ({decision.reason}). "
        f'Set "date_order" in `read` to settle it.'
        for decision in decisions
        if decision.equally_good is not None
    ]
    if len(dates.formats) > 1:
        spelled = ", ".join(
            f"{label} ({count} rows)" for label, (count, _) in dates.formats.items()
        )
        found.append(f"Column {column.name!r} holds dates in several formats: {spelled}.")
    return found


def _from_numbers(
    column: ReadColumn, numeric: NumberDates, rows: Ints, *, steady: bool
) -> FoundTimes:
    timed = bool((numeric.clock[numeric.known] != 0).any())
    form: TimeForm = "zoned" if numeric.form == "unix" else "local" if timed else "date"
    reason = "its numbers make sense as such" + (
        " and run in one direction" if steady else ", and its name says so"
    )
    warnings = []
    if steady and numeric.form in {"excel", "year", "unix"}:
        unsaid = (
            "The first column has no name"
            if column.unnamed
            else f"The name of column {column.name!r} says nothing of time"
        )
        warnings.append(
            f"{unsaid}; its numbers were read as times ({numeric.label}), and could as well be "
            f'values. Set "date" in `read` to "" to have them as values.'
        )
    return FoundTimes(
        columns=(column.name,),
        times=(numeric.days * DAY_US + numeric.clock).astype("datetime64[us]"),
        known=numeric.known,
        offsets=np.zeros(len(numeric.days), dtype=np.int16) if form == "zoned" else None,
        form=form,
        report=DateReport(
            columns=[column.name],
            form=form,
            formats=[
                DateFormat(
                    format=numeric.label,
                    rows=int(numeric.known.sum()),
                    first_row=int(rows[int(np.argmax(numeric.known))]),
                )
            ],
            reason=reason,
        ),
        warnings=warnings,
    )


def _add_clock(found: FoundTimes, columns: list[ReadColumn]) -> None:
    """Adds the time of day where it stands in a column of its own, and days come again."""
    days = found.times[found.known].astype(np.int64)
    if len(np.unique(days)) == len(days):
        return
    for column in columns:
        clock: Ints | None = None
        known = found.known
        if column.type == "time":
            clock, known = read_clocks(column.source.texts())
        elif column.numbers is not None and column.name.lower() in _HOURS:
            hours = column.numbers
            known = np.isfinite(hours) & (hours >= 0) & (hours <= 24)
            clock = np.where(known, hours, 0).astype(np.int64) * (DAY_US // 24)
        if clock is None or not known.any():
            continue
        column.type, column.numbers = "time", None
        found.times = found.times + clock.astype("timedelta64[us]")
        found.known = found.known & known
        found.form = found.report.form = "local"
        found.columns = (*found.columns, column.name)
        found.report.columns = list(found.columns)
        return


def _from_parts(columns: list[ReadColumn], rows: Ints) -> FoundTimes | None:
    """Year, month and day (or year and month, or year and quarter) in columns of their own."""
    by_name = {
        column.name.lower(): column
        for column in columns
        if column.type == "number" and column.numbers is not None
    }
    year = by_name.get("year") or by_name.get("jahr")
    month = by_name.get("month") or by_name.get("monat")
    quarter = by_name.get("quarter")
    day = by_name.get("day") or by_name.get("tag")
    if year is None or (month is None and quarter is None):
        return None
    parts = [column for column in (year, month or quarter, day) if column is not None]
    return _joined(parts, rows)


def _joined(parts: list[ReadColumn], rows: Ints) -> FoundTimes | None:
    numbers = [part.numbers for part in parts if part.numbers is not None]
    known = np.all([np.abs(part) < _NO_YEAR for part in numbers], axis=0)
    whole = [np.where(known, part, 1).astype(np.int64) for part in numbers]
    months = whole[1] * 3 - 2 if parts[1].name.lower() == "quarter" else whole[1]
    days, valid = days_of(whole[0], months, whole[2] if len(whole) > 2 else months * 0 + 1)
    known &= valid
    if known.mean() < _FROM_SHARE:
        return None
    for part in parts:
        part.type, part.numbers = "date", None
    names = [part.name for part in parts]
    label = "-".join(names)
    return FoundTimes(
        columns=tuple(names),
        times=(days * DAY_US).astype("datetime64[us]"),
        known=known,
        offsets=None,
        form="date",
        report=DateReport(
            columns=names,
            form="date",
            formats=[
                DateFormat(
                    format=label,
                    rows=int(known.sum()),
                    first_row=int(rows[int(np.argmax(known))]),
                )
            ],
            reason="the parts of the date stand in columns of these names",
        ),
    )
