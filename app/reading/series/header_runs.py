"""Find columns whose names form a sequence: times, months, hours of the day, or step numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.reading.arrays import Bools, Ints
from app.reading.columns.calendar_days import DAY_US, days_of_part
from app.reading.columns.cell_types import cell_kind
from app.reading.columns.column_types import ReadColumn, ReadTable
from app.reading.columns.dates import read_clocks
from app.reading.read_options import ReadOptions
from app.reading.series.time_column import FoundTimes, read_times
from app.reading.table.table import Column
from app.reading.vocabulary import MONTH_NUMBERS, PERIODS, folded

Role = str  # time, month, quarter, week, day, yearday, clock, weekday or step

FEWEST_TIMES = 3  # columns named by times, from which a header counts as one of times
_FEWEST_STEPS = 10  # columns named by consecutive numbers
_NUMBERED = re.compile(r"([^\W\d]*)[ _.-]?0*(\d+)")
_BRACKET = re.compile(r"\s*[\[(].*[\])]\s*$")  # 1990 [YR1990]
_PREFIXED_YEAR = re.compile(r"(?:yr|[xyfv])[_.]?(?=(?:1[5-9]|2[01])\d\d)", re.IGNORECASE)
_CENTURIES = {"15", "16", "17", "18", "19", "20", "21", "25"}
_HOUR_WORDS = {"h", "hr", "hour", "he", "hh", "std", "stunde", "godz", "hora", "heure", "hod"}
_DAY_WORDS = {"d", "day", "tag", "dia", "jour", "dzien"}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAYS_DE = ("mo", "di", "mi", "do", "fr", "sa", "so")


@dataclass(frozen=True, kw_only=True)
class HeaderRun:
    """Columns whose names form a sequence."""

    role: Role
    places: tuple[int, ...]  # positions of the columns
    numbers: Ints  # month 1 to 12, day 1 to 31, microseconds of a clock, step from 0
    times: FoundTimes | None = None  # for the role "time"
    is_named: bool = True  # named by the header, not by us

    def __len__(self) -> int:
        return len(self.places)


def find_runs(table: ReadTable) -> list[HeaderRun]:
    """Return the sequences among the numeric columns; those of times first."""
    columns = table.columns
    places = [
        at for at, column in enumerate(columns) if column.type in {"number", "empty", "label"}
    ]
    names = {at: _BRACKET.sub("", columns[at].name).strip() for at in places}
    found = [_times(names, table.options), _months(names), _weekdays(names)]
    found += [*_numbered(columns, names), _clocks(names)]
    runs = [run for run in found if run is not None]
    dated = {at for run in runs if run.role == "time" for at in run.places}
    return [run for run in runs if run.role == "time" or not dated.issuperset(run.places)]


def moved(times: FoundTimes, run: HeaderRun) -> tuple[Ints, Bools]:
    """Add the parts of a matrix to its rows' times, in microseconds, (rows, columns of the run).

    Args:
        times: of the rows: the start of a year, a month, a week or a day.
        run: the columns, each a part of it.

    Returns:
        The times, and which of them exist.
    """
    dates = times.times.astype("datetime64[D]")
    days: Ints = dates.astype(np.int64)[:, None]
    valid = np.broadcast_to(times.known[:, None], (len(days), len(run)))
    if run.role == "clock":
        return times.times.astype("datetime64[us]").astype(np.int64)[:, None] + run.numbers, valid
    if run.role == "weekday":  # from a Monday
        return (days - (days + 3) % 7 + run.numbers) * DAY_US, valid
    months = np.repeat(dates.astype("datetime64[M]").astype(np.int64), len(run))
    years, numbers = months // 12 + 1970, np.tile(run.numbers, len(days))
    if run.role == "day":
        found, exist = days_of_part(years, "month", months % 12 + 1, numbers)
    else:
        found, exist = days_of_part(years, run.role, numbers)
    return found.reshape(valid.shape) * DAY_US, valid & exist.reshape(valid.shape)


def _times(names: dict[int, str], options: ReadOptions) -> HeaderRun | None:
    cleaned = {at: _PREFIXED_YEAR.sub("", name) for at, name in names.items()}
    places = [at for at, name in cleaned.items() if _is_time(name)]
    if len(places) < FEWEST_TIMES:
        return None
    cells = np.array([cleaned[at] for at in places], dtype=object)
    header = ReadColumn(source=Column(name="header", cells=cells), type="date")
    first = np.ones(len(cells), dtype=np.int64)
    row = ReadTable(columns=[header], rows=first, options=options, decimal=".", european=False)
    found = read_times(header, row)
    if found is None:
        return None
    kept = np.flatnonzero(found.known)
    plain = all(cleaned[at].isdigit() for at in places)
    steps = np.diff(found.times[kept].astype(np.int64))
    if plain and len(steps) and not (bool((steps > 0).all()) or bool((steps < 0).all())):
        return None
    found.times, found.known = found.times[kept], found.known[kept]
    found.offsets = None if found.offsets is None else found.offsets[kept]
    numbers = found.times.astype(np.int64)
    return HeaderRun(
        role="time", places=tuple(places[at] for at in kept), numbers=numbers, times=found
    )


def _is_time(name: str) -> bool:
    if name.isdigit():
        return len(name) in {4, 6, 8} and name[:2] in _CENTURIES
    return cell_kind(name) == "date"


def _months(names: dict[int, str]) -> HeaderRun | None:
    months = {at: MONTH_NUMBERS.get(folded(name).rstrip(".")) for at, name in names.items()}
    return _distinct("month", {at: month for at, month in months.items() if month}, 6)


def _weekdays(names: dict[int, str]) -> HeaderRun | None:
    for words in (_WEEKDAYS, _WEEKDAYS_DE):
        size = len(words[0])
        days = {
            at: words.index(folded(name)[:size])
            for at, name in names.items()
            if folded(name)[:size] in words and len(name) in {size, *range(5, 12)}
        }
        run = _distinct("weekday", days, 5)
        if run is not None:
            return run
    return None


def _clocks(names: dict[int, str]) -> HeaderRun | None:
    """Read names such as 00:30, or 00:00-01:00."""
    starts = {at: re.split(r"\s*[-–]\s*", name)[0] for at, name in names.items()}
    written = {at: name for at, name in starts.items() if ":" in name and name[:1].isdigit()}
    clock, known = read_clocks(np.array(list(written.values()), dtype=object))
    found = {
        at: int(time)
        for at, time, good in zip(written, clock.tolist(), known.tolist(), strict=True)
        if good
    }
    # From 00:30 to 24:00 each name is that of an end.
    if DAY_US in found.values() and 0 not in found.values():
        step = min(found.values())
        found = {at: time - step for at, time in found.items()}
    return _distinct("clock", found, 20)


def _numbered(columns: Sequence[ReadColumn], names: dict[int, str]) -> list[HeaderRun]:
    """Read names that are numbers after the same word: H1 to H24, d_1 to d_1941."""
    groups: dict[str, dict[int, int]] = {}
    for at, name in names.items():
        match = _NUMBERED.fullmatch(folded(name))
        if match is not None and len(match[2]) < 6 and columns[at].type != "label":
            groups.setdefault(match[1].strip("_"), {})[at] = int(match[2])
    runs = []
    for word, numbers in groups.items():
        ordered = list(numbers.values())
        steps = set(np.diff(ordered).tolist())
        if len(ordered) < 4 or steps != {1}:
            continue
        role, first = _role_of(word, ordered), ordered[0]
        values = np.array(ordered, dtype=np.int64)
        if role == "clock":
            values = (values - first) * (DAY_US // (24 * round(len(ordered) / 24)))
        if role == "step":
            values -= first
            if len(ordered) < _FEWEST_STEPS:
                continue
        is_named = not all(columns[at].unnamed for at in numbers)
        runs.append(HeaderRun(role=role, places=tuple(numbers), numbers=values, is_named=is_named))
    return runs


def _role_of(word: str, numbers: list[int]) -> Role:
    """Return what a sequence of numbers after a word counts: the first rule that matches."""
    low, high, count = numbers[0], numbers[-1], len(numbers)
    part, bare, is_day = PERIODS.get(word), word == "", word == "" or word in _DAY_WORDS
    hours = word in _HOUR_WORDS or word in {"", "p", "sp", "t", "q"}
    rules = [
        ("clock", hours and count in {24, 25, 48, 50, 96, 100} and low in {0, 1}),
        ("month", (bare or part == "month") and (low, high) == (1, 12)),
        ("quarter", part == "quarter" and (low, high) == (1, 4)),
        ("day", is_day and low == 1 and high in {28, 29, 30, 31}),
        ("week", (bare or part == "week") and low == 1 and high in {52, 53}),
        ("yearday", is_day and low == 1 and high in {365, 366}),
    ]
    return next((role for role, holds in rules if holds), "step")


def _distinct(role: Role, numbers: dict[int, int], fewest: int) -> HeaderRun | None:
    values = list(numbers.values())
    if len(values) < fewest or len(set(values)) != len(values):
        return None
    return HeaderRun(role=role, places=tuple(numbers), numbers=np.array(values, dtype=np.int64))
