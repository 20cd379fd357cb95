"""Read one column as the times of the rows."""

import re
from dataclasses import dataclass, field

import numpy as np

from app.reading.arrays import Bools, Floats, Ints, Offsets, Times
from app.reading.columns.calendar_days import DAY_US, order_share
from app.reading.columns.cell_shapes import names_era
from app.reading.columns.column_types import NO_CELLS, ReadColumn, ReadTable
from app.reading.columns.dates import LEVELS, DateCells, read_dates
from app.reading.columns.numeric_dates import number_dates
from app.reading.content import TimeForm
from app.reading.decisions import Candidate, Cell, Decision, weigh
from app.reading.report import DateFormat, DateReport, FileProblem
from app.reading.series.date_order import settle_order
from app.reading.series.frequency import split_frequency
from app.reading.series.frequency_finder import find_frequency
from app.reading.vocabulary import AMBIGUOUS_ZONES, sounds_like_time

# Share of the cells from which a column is one of dates; if many are not, usable_rows refuses it.
_FROM_SHARE = 0.3
_RARE_FORMS = {"excel", "year", "unix", "decimal"}  # forms of numbers that may be values
_STEADY = 0.9  # share of steps in one direction below which they are hardly months
# The frequency that names each of LEVELS, and the levels required by a unit of frequency.
_LEVEL_FREQUENCIES = ("YS", "6MS", "QS", "MS", "W", "D")
_UNIT_LEVELS = {"YS": 0, "YE": 0, "QS": 2, "QE": 2, "MS": 3, "ME": 3, "W": 4}


@dataclass(kw_only=True)
class FoundTimes:
    """The times of the rows."""

    columns: tuple[str, ...]  # the source columns
    times: Times  # (rows,) civil; only if known
    known: Bools
    offsets: Offsets | None = None  # (rows,) only for zoned times
    form: TimeForm | None = "date"  # None: the times are step numbers
    formats: list[DateFormat] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: list[tuple[Bools, str]] = field(default_factory=list)  # why rows have no time
    reason: str
    is_guess: bool = False  # they are numbers whose name does not suggest time

    def instants(self) -> Ints:
        """Return microseconds since 1970, in UTC if the times are zoned; they order the rows."""
        micros = self.times.astype(np.int64)
        return micros if self.offsets is None else micros - self.offsets * np.int64(60_000_000)

    @property
    def distinct(self) -> int:
        """Return the number of different times."""
        return len(np.unique(self.instants()[self.known]))

    def report(self) -> DateReport:
        """Return the part of the preflight report about them."""
        orders = [entry.chosen for entry in self.decisions if entry.about == "date_order"]
        facts = {"columns": self.columns, "form": self.form or "step", "formats": self.formats}
        return DateReport.model_validate({**facts, "date_order": next(iter(orders), None)})


def read_times(column: ReadColumn, table: ReadTable, *, told: bool = False) -> FoundTimes | None:
    """Read a column as times, or return None if it contains none.

    Args:
        column: it is not changed.
        table: in which it stands.
        told: `read` names the column.

    Raises:
        FileProblem: times with and without a zone are mixed.
    """
    buddhist, is_named = table.options.years != "ad", told or sounds_like_time(column.name)
    if column.numbers is None:
        reason = "its cells can be read in one way only"
        dates, zones = _dates_of(column, buddhist=buddhist)
    else:
        says_so = "and its name says so" if is_named else "and they run in one direction"
        reason, zones = f"its numbers make sense as times, {says_so}", []
        dates = number_dates(column.numbers, steady=not is_named, buddhist=buddhist)
    if dates is None:
        return None
    decisions = settle_order(dates, column, table)
    if not dates.dated.any() or _lacks_years(dates):
        return None
    left_out, chosen = _one_level(column, dates, table)
    known = dates.dated & ~np.any([dates.dated & False, *(mask for mask, _ in left_out)], axis=0)
    form = _form(column, dates, known, table.rows)
    first = table.cell(column, int(np.argmax(known)))
    decisions += chosen + _years(dates.other_years, first, buddhist=buddhist)
    return FoundTimes(
        columns=(column.name,),
        times=(dates.days * DAY_US + dates.clock).astype("datetime64[us]"),
        known=known,
        offsets=np.where(known, dates.offsets, 0).astype(np.int16) if form == "zoned" else None,
        form=form,
        formats=[
            DateFormat(format=label, rows=count, first_row=int(table.rows[at]))
            for label, (count, at) in sorted(dates.formats.items(), key=lambda item: -item[1][0])
        ],
        decisions=decisions,
        notes=_notes(column, dates, zones),
        left_out=left_out,
        reason=reason,
        is_guess=not is_named and dates.form in _RARE_FORMS,
    )


def _dates_of(column: ReadColumn, *, buddhist: bool) -> tuple[DateCells | None, list[str]]:
    """Return the dates, None where too few cells are, and an unknown zone that all of them name."""
    cells = NO_CELLS if column.source.cells is None else column.source.cells
    dates = read_dates(cells, buddhist=buddhist)
    unknown = not dates.known_zones and not dates.readable.any()
    zones = list(dates.zone_names) if unknown and len(dates.zone_names) == 1 else []
    if zones:
        zone = re.compile(rf"\s*{re.escape(zones[0])}\s*$", re.IGNORECASE)
        texts = [cell and zone.sub("", cell) for cell in column.source.texts()]
        dates = read_dates(np.array(texts, dtype=object), buddhist=buddhist)
    is_bytes = isinstance(cells.dtype, np.dtypes.BytesDType)
    present = np.count_nonzero(cells != b"") if is_bytes else np.count_nonzero(cells.astype(bool))
    enough = present and dates.readable.sum() >= _FROM_SHARE * present
    return dates if enough else None, zones


def as_steps(numbers: Floats, name: str, rows: Ints) -> FoundTimes | None:
    """Read the numbers of a column as step numbers; return None if they are not evenly spaced."""
    known = np.isfinite(numbers)
    distinct = np.unique(numbers[known])
    steps = np.diff(distinct)
    if len(steps) < 2:
        return None
    step = float(np.median(steps))
    multiples = np.where(known, (numbers - distinct[0]) / step, 0)
    counted = np.rint(multiples)
    even = (np.abs(steps - step) < step / 2).mean() > 0.9
    if not even or np.abs(multiples - counted).max() > 1e-3:
        return None
    return FoundTimes(
        columns=(name,),
        times=counted.astype(np.int64).astype("datetime64[us]"),
        known=known,
        form=None,
        formats=[format_of("steps", known, rows)],
        reason=f"it counts the steps of each series, from {distinct[0]:g} to {distinct[-1]:g}",
    )


def _one_level(
    column: ReadColumn, dates: DateCells, table: ReadTable
) -> tuple[list[tuple[Bools, str]], list[Decision]]:
    """Return the rows to leave out if years, quarters and months are mixed, and the decision."""
    counts = np.bincount(dates.levels[dates.dated], minlength=len(LEVELS))
    levels = [int(level) for level in np.flatnonzero(counts)]
    if len(levels) < 2:
        return [], []
    told = table.options.frequency
    asked = _UNIT_LEVELS.get(split_frequency(told)[1]) if told else None
    masks = {level: dates.dated & (dates.levels == level) for level in levels}
    candidates = []
    for level, mask in masks.items():
        cell = table.cell(column, int(np.argmax(mask)))
        points = 10.0 if level == asked else float(counts[level] / counts.sum())
        rules = [(points, f"{counts[level]} rows are of {LEVELS[level]}s", [cell])]
        read = {"frequency": _LEVEL_FREQUENCIES[level]}
        candidates.append(Candidate(level, f"{LEVELS[level]}s", read, rules))
    best, decision = weigh("frequency", candidates)
    left_out = [
        (mask, f"a row of {LEVELS[level]}s among those of {best.name}")
        for level, mask in masks.items()
        if level != best.value
    ]
    return left_out, [decision]


def _form(column: ReadColumn, dates: DateCells, known: Bools, rows: Ints) -> TimeForm:
    zoned = dates.zoned & known
    if zoned.any() and not bool((zoned == known).all()):
        fewer = zoned if zoned.sum() * 2 < known.sum() else known & ~zoned
        where = int(rows[int(np.argmax(fewer))])
        has = "has" if fewer is zoned else "lacks"
        cell = column.text(int(np.argmax(fewer)))
        message = (
            f"row {where} {has} a time zone, unlike the rows before or after: {cell!r} in column "
            f"{column.name!r}; give all or none"
        )
        raise FileProblem(message, row=where, column=column.name)
    if zoned.any():
        return "zoned"
    return "local" if (dates.timed & known).any() or (dates.clock[known] != 0).any() else "date"


def _years(count: int, cell: Cell, *, buddhist: bool) -> list[Decision]:
    """Decide whether years are those of the Buddhist or the Gregorian calendar."""
    if not count:
        return []
    counted = (
        1.5 if buddhist else 0.0,
        f"{count} years are 543 ahead of the Gregorian calendar",
        [cell],
    )
    written = (1.0 if buddhist else 10.0, "the file may reach that far into the future")
    candidates = [
        Candidate("be", "the Buddhist calendar (2565 is 2022)", {"years": "be"}, [counted]),
        Candidate("ad", "our count", {"years": "ad"}, [written]),
    ]
    return [weigh("years", candidates)[1]]


def _notes(column: ReadColumn, dates: DateCells, unknown_zones: list[str]) -> list[str]:
    notes = [
        f"The time zone {zone.upper()} of column {column.name!r} is unknown, and the same in all "
        "rows: the times were read as local ones."
        for zone in unknown_zones
    ]
    if len(dates.formats) > 1:
        spelled = ", ".join(
            f"{label} ({count} rows)" for label, (count, _) in dates.formats.items()
        )
        notes.append(f"Column {column.name!r} holds dates in several formats: {spelled}.")
    zones = sorted(dates.known_zones & AMBIGUOUS_ZONES)
    if zones:
        notes.append(
            f"The zone {', '.join(zones).upper()} in column {column.name!r} is used in several "
            "parts of the world; write the offset from UTC, as in +01:00."
        )
    first = column.text(int(np.argmax(dates.dated)))
    if dates.eras or names_era(first):
        day = dates.days[np.argmax(dates.dated)].astype("datetime64[D]")
        notes.append(
            f"The years of column {column.name!r} are counted by era: {first!r} was read as {day}."
        )
    return notes


def _lacks_years(dates: DateCells) -> bool:
    """Return whether Mar 01, Mar 08 and so on are days of an unknown year, not months."""
    if not all(re.search(r"Mon[- /]yy$", label) for label in dates.formats):
        return False
    months = np.unique(dates.days[dates.dated])
    step = find_frequency(
        (months * DAY_US).astype("datetime64[us]"), np.zeros_like(months, np.int32)
    )
    return step.frequency is None and order_share(dates.days[dates.dated]) < _STEADY


def format_of(label: str, known: Bools, rows: Ints) -> DateFormat:
    """Return one format of all known times, for the report."""
    first = int(rows[int(np.argmax(known))])
    return DateFormat(format=label, rows=int(known.sum()), first_row=first)
