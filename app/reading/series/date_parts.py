"""Combine columns that contain parts of a time: year and month, date and hour, date and period."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from app.reading.arrays import Bools, Ints
from app.reading.columns.calendar_days import (
    DAY_US,
    clock_of,
    days_of_part,
    full_years,
    is_buddhist,
)
from app.reading.columns.column_types import ReadColumn, ReadTable
from app.reading.columns.dates import read_clocks
from app.reading.decisions import Candidate, Decision, settled, weigh
from app.reading.read_options import ReadOptions
from app.reading.series.frequency_finder import find_frequency
from app.reading.series.time_column import FoundTimes, format_of
from app.reading.vocabulary import MONTH_NUMBERS, PARTS, PERIODS, folded, words_of

_RANGES = {
    "year": (0, 2700),
    "half": (1, 2),
    "quarter": (1, 4),
    "month": (1, 12),
    "week": (1, 53),
    "day": (1, 31),
    "yearday": (1, 366),
    "hour": (0, 25),
    "minute": (0, 59),
    "second": (0, 60),
    "period": (1, 100),
    "clock": (0, 240_000),
}
_BELOW_YEAR = ("month", "quarter", "week", "yearday", "half")
_WITHIN_DAY = ("clock", "hour", "period", "minute", "second")
_CODE = re.compile(r"([a-z]+)\.? ?0*(\d{1,3})")  # M01, Q1, HE 12
_CODE_PARTS = {**PERIODS, "he": "hour", "hr": "hour", "h": "hour", "p": "period", "sp": "period"}
_HOUR_ENDING = {"he", "end", "ending"}
_INTERVAL = re.compile(r"(\d{1,2})(:\d\d)?(?::\d\d)?\s*[-\u2013]\s*\d{1,2}(?::\d\d){0,2}")
_FROM_SHARE = 0.8  # share of the cells that must fit the part
_PERIODS_OF_DAY = (24, 48, 96)
_REGULAR = 0.5  # score of the step from which parts in columns without names are believed
_SCORED_ROWS = 20_000
_HOUR_US = DAY_US // 24


@dataclass(frozen=True, kw_only=True)
class Part:
    """A column read as one part of a time."""

    role: str
    column: ReadColumn
    numbers: Ints  # 0 where unknown
    known: Bools


def join_parts(table: ReadTable) -> FoundTimes | None:
    """Combine year and month, quarter, week or day from columns with such names, or return None."""
    parts = _by_role(table.columns)
    if "year" not in parts:
        parts = _unnamed(table)
    found = _from_year(parts, table) if "year" in parts else None
    return None if found is None else add_clock(found, table, parts=parts)


def add_clock(
    found: FoundTimes,
    table: ReadTable,
    *,
    needed: bool = True,
    parts: dict[str, Part] | None = None,
) -> FoundTimes:
    """Add the time of day if it is in columns of its own.

    Args:
        found: dates, changed in place.
        table: columns without a name or a form of a time of day are left alone.
        needed: demand that more times differ with the time of day than without.
        parts: the columns that hold parts, where they are known.
    """
    others = table.without(found.columns).columns
    roles = _by_role(others) if parts is None else parts
    within = {role: part for role, part in roles.items() if role in _WITHIN_DAY}
    clock, known, used = _clock_of(within | _clock_columns(others), found, table.options)
    if not used or not known.any():
        return found
    times = found.times + clock.astype("timedelta64[us]")
    both = found.known & known
    if needed and len(np.unique(times[both])) <= len(np.unique(found.times[found.known])):
        return found
    found.left_out.append((found.known & ~known, f"no time of day in column {used[0]}"))
    found.times, found.known, found.form = times, both, "local"
    found.columns = (*found.columns, *used)
    found.reason += f"; the time of day comes from {', '.join(used)}"
    return found


def row_parts(columns: Sequence[ReadColumn]) -> tuple[ReadColumn, str, Ints] | None:
    """Return a column with a different month, quarter or hour in each row, and its numbers."""
    for column in columns:
        if column.type == "time":
            clock, known = read_clocks(column.source.texts())
            if bool(known.all()) and len(np.unique(clock)) == len(clock):
                return column, "clock", clock
        for role in (*_roles(column), "month"):
            part = _read_part(column, role)
            if part is None or part.role not in {"month", "quarter", "hour", "week"}:
                continue
            numbers = part.numbers
            if bool(part.known.all()) and len(np.unique(numbers)) == len(numbers) > 3:
                is_hour = part.role == "hour"
                clock = (numbers - (numbers.min() == 1)) * _HOUR_US
                return column, "clock" if is_hour else part.role, clock if is_hour else numbers
    return None


def holds_clock(column: ReadColumn) -> bool:
    """Return whether labels such as HE01 are times of day instead of names of series."""
    roles = _by_role([column]) | _clock_columns([column])
    return column.type == "label" and any(role in _WITHIN_DAY for role in roles)


def _by_role(columns: Sequence[ReadColumn]) -> dict[str, Part]:
    """Return the columns that are parts by their names and cells, the first for each role."""
    found: dict[str, Part] = {}
    for column in columns:
        for role in _roles(column):
            part = _read_part(column, role)
            if part is not None and part.role not in found:
                found[part.role] = part
                break
    return found


def _roles(column: ReadColumn) -> list[str]:
    """Return the parts that a column's name may mean, from its last word to its first."""
    words = words_of(column.name)
    if {"day", "of"} <= set(words) or "weekday" in words or "dow" in words:
        return {"year": ["yearday"], "month": ["day"]}.get(words[-1], [])
    roles = [PARTS[word] for word in reversed(words) if word in PARTS]
    roles += ["yearday"] * ("day" in roles)  # if the numbers continue to 365
    if len(words) > 1:  # Min and Sec alone are times; Min temp and Time spent are not
        roles = [role for role in roles if role not in {"minute", "second"}]
        roles = [role for role in roles if role != "clock" or PARTS.get(words[-1]) == "clock"]
    if not roles and not column.name.isascii():
        text = folded(column.name)
        roles = [role for word, role in PARTS.items() if not word.isascii() and word in text]
    if "period" in words and column.type == "label":
        roles.append("code")  # M01 in files of a statistical office
    return roles


def _read_part(column: ReadColumn, role: str) -> Part | None:
    """Return a column's cells as numbers of the part, or None if they do not fit."""
    if column.numbers is not None:
        known = np.isfinite(column.numbers)
        numbers = np.where(known, column.numbers, 0)
        if not bool((numbers == np.floor(numbers)).all()):
            return None
        whole = numbers.astype(np.int64)
    elif column.type in {"label", "date"}:
        read = _read_words(column, role)
        if read is None:
            return None
        whole, known, role = read
    else:
        return None
    if role not in _RANGES:
        return None
    low, high = _RANGES[role]
    fits = known & (whole >= low) & (whole <= high)
    if role == "year":
        fits &= (whole >= 1000) | (whole < 100)
    if fits.sum() < _FROM_SHARE * len(fits):
        return None
    return Part(role=role, column=column, numbers=np.where(fits, whole, 0), known=fits)


def _read_words(column: ReadColumn, role: str) -> tuple[Ints, Bools, str] | None:
    """Return month names, M01, Q1 and HE12 as numbers, with the role that their letters show."""
    texts = [folded(cell or "").strip() for cell in column.source.texts()]
    if role == "month":
        numbers = np.array([MONTH_NUMBERS.get(text.rstrip("."), 0) for text in texts])
        if (numbers > 0).mean() >= _FROM_SHARE:
            return numbers, numbers > 0, role
    matches = [_CODE.fullmatch(text) for text in texts]
    letters = [match[1] for match in matches if match is not None]
    if len(letters) < _FROM_SHARE * len(texts):
        return None
    most = max(set(letters), key=letters.count)
    part = _CODE_PARTS.get(most) if role in {"code", "hour", "period", "clock"} else role
    part = PERIODS.get(most, part) if role == "code" else part
    numbers = np.array(
        [int(match[2]) if match is not None and match[1] == most else 0 for match in matches]
    )
    return numbers, numbers > 0, part or role


def _unnamed(table: ReadTable) -> dict[str, Part]:
    """Find year and month, and perhaps day and hour, in the first columns without names."""
    unnamed = takewhile(lambda column: column.unnamed, table.columns)
    found: dict[str, Part] = {}
    plain = replace(table, options=ReadOptions())
    for column, role in zip(unnamed, ("year", "month", "day", "hour"), strict=False):
        part = _read_part(column, role)
        if part is None or (role == "year" and part.numbers[part.known].min() < 1000):
            break
        found[role] = part
    while len(found) > 1:
        times = _from_year(found, plain)
        if times is not None and "hour" in found:
            times = add_clock(times, plain, parts=found)
        if times is not None and _score(times) > _REGULAR:
            return found
        found.popitem()
    return {}


def _score(times: FoundTimes) -> float:
    distinct = np.unique(times.times[times.known][:_SCORED_ROWS])
    score = find_frequency(distinct, np.zeros(len(distinct), dtype=np.int32)).score
    return score * len(distinct) / max(min(int(times.known.sum()), _SCORED_ROWS), 1)


def _from_year(parts: dict[str, Part], table: ReadTable) -> FoundTimes | None:
    """Combine the year with the smaller part that distinguishes most times."""
    year = parts["year"]
    digits = 2 if year.numbers.max() < 100 else 4
    years = full_years(year.numbers, digits, buddhist=table.options.years != "ad")
    readings = []
    for below in (parts[role] for role in _BELOW_YEAR if role in parts):
        days, valid, used = _days_below(years, below, parts)
        known = valid & np.all([part.known for part in used], axis=0)
        if known.mean() >= _FROM_SHARE / 2:
            readings.append((len(np.unique(days[known])), days, known, used))
    if not readings:
        return None
    _, days, known, used = max(readings, key=lambda reading: reading[0])
    names = [part.column.name for part in used]
    found = FoundTimes(
        columns=tuple(names),
        times=(days * DAY_US).astype("datetime64[us]"),
        known=known,
        formats=[format_of("-".join(names), known, table.rows)],
        left_out=[
            (year.known & ~part.known, f"no {part.role} in column {part.column.name}")
            for part in used[1:]
        ],
        reason="the parts of the date are in these columns",
    )
    if digits > 2 and is_buddhist(year.numbers).any():
        reason = f"the years of {year.column.name} are 543 ahead of the Gregorian calendar"
        found.decisions.append(settled("years", "the Buddhist calendar", reason))
        found.notes.append(
            f"Years such as {year.numbers.max()} are those of the Buddhist calendar."
        )
    return found


def _days_below(years: Ints, below: Part, parts: dict[str, Part]) -> tuple[Ints, Bools, list[Part]]:
    """Return days since 1970 of the year and the smaller part, with a day if there is one."""
    number, quarter, day = below.numbers, None, None
    if below.role == "month":
        quarter, day = parts.get("quarter"), parts.get("day")
        if quarter is not None and number.max() <= 3:  # the month of the quarter
            number = (quarter.numbers - 1) * 3 + number
    days, valid = days_of_part(years, below.role, number, None if day is None else day.numbers)
    used = (parts["year"], quarter, below, day)
    return days, valid, [part for part in used if part is not None]


def _clock_columns(columns: Sequence[ReadColumn]) -> dict[str, Part]:
    """Find columns of times of day such as 17:30, or intervals such as 17 - 18, by their start."""
    for column in columns:
        if column.type not in {"time", "label"}:
            continue
        cells = column.source.texts()
        if column.type == "label":
            matches = [_INTERVAL.fullmatch((cell or "").strip()) for cell in cells]
            starts = [match and f"{match[1]}{match[2] or ':00'}" for match in matches]
            cells = np.array(starts, dtype=object)
        clock, known = read_clocks(cells)
        if column.type == "time" or known.mean() >= _FROM_SHARE:
            return {"clock": Part(role="time", column=column, numbers=clock, known=known)}
    return {}


def _clock_of(
    parts: dict[str, Part], found: FoundTimes, options: ReadOptions
) -> tuple[Ints, Bools, list[str]]:
    """Return known microseconds since midnight, and the columns that they come from."""
    nothing = np.zeros(len(found.times), dtype=np.int64)
    if "clock" in parts:
        part = parts["clock"]
        clock = part.numbers if part.role == "time" else _written_clock(part)
        return clock, part.known, [part.column.name]
    if "hour" in parts:
        clock, known, used = _hours(parts["hour"], found, options)
        for role, size in (("minute", 60_000_000), ("second", 1_000_000)):
            if role in parts:
                clock, known = clock + parts[role].numbers * size, known & parts[role].known
                used.append(parts[role].column.name)
        return clock, known, used
    if "period" in parts:
        part = parts["period"]
        most = int(part.numbers.max())
        # On the day when summer time ends, there are two or four more.
        count = next((each for each in _PERIODS_OF_DAY if most <= each + each // 12), 0)
        if count:
            reason = f"{count} periods of a day, the first from 00:00"
            found.decisions.append(settled("hours", part.column.name, reason))
            clock = (part.numbers - 1) * (DAY_US // count)
            return clock, part.known & (part.numbers <= count), [part.column.name]
    return nothing, nothing > 0, []


def _hours(part: Part, found: FoundTimes, options: ReadOptions) -> tuple[Ints, Bools, list[str]]:
    numbers = part.numbers
    counts_from_one = bool(numbers[part.known].min() == 1) and bool((numbers >= 24).any())
    at_end = options.hours == "end"
    if counts_from_one:
        found.decisions.append(_hour_names(part, at_end=at_end, told=options.hours is not None))
    clock = (numbers - (counts_from_one and not at_end)) * _HOUR_US
    return clock, part.known & (numbers <= 24), [part.column.name]


def _hour_names(part: Part, *, at_end: bool, told: bool) -> Decision:
    """Decide whether hour 1 of 24 means its start, 00:00, or its end, 01:00."""
    start, end = "hour 1 as 00:00", "hour 1 as 01:00"
    if told:
        return settled("hours", end if at_end else start, "", told=True)
    name = part.column.name
    if not _HOUR_ENDING.isdisjoint(words_of(name)):
        return settled(
            "hours", start, f"column {name!r} names hours by their end; the start is taken"
        )
    candidates = [
        Candidate(0, start, {"hours": "start"}, [(1.5, f"the hours of {name!r} run from 1 to 24")]),
        Candidate(1, end, {"hours": "end"}, [(1.0, "they may be times of day")]),
    ]
    return weigh("hours", candidates)[1]


def _written_clock(part: Part) -> Ints:
    """Read 930 as 09:30, and 93000 (or 000500, which looks shorter as a number) as 09:30:00."""
    numbers = part.numbers
    longest = max((len(cell.strip()) for cell in part.column.source.sample), default=0)
    if longest <= 4 and numbers.max() <= 2400:
        numbers = numbers * (100 if numbers.max() > 25 else 10_000)
    return clock_of(numbers // 10_000, numbers // 100 % 100, numbers % 100)
