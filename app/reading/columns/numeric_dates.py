"""Read numbers as dates: 20170103, 2017010309, 2017.25, Excel days, Unix times, years."""

from collections.abc import Callable
from itertools import groupby

import numpy as np

from app.reading.arrays import Bools, Floats, Ints
from app.reading.columns.calendar_days import (
    BUDDHIST,
    BUDDHIST_LEAD,
    DAY_US,
    EXCEL_EPOCH,
    clock_of,
    days_of,
    days_of_part,
    is_buddhist,
    order_share,
    unix_micros,
)
from app.reading.columns.dates import DateCells, Form

Limits = tuple[float, float]

_EXCEL_DAYS = (10_000, 80_000)  # 1927 to 2119
_YEARS = (1500, 2200)
_COMPACT = (15_000_101, 22_001_231)
# Whole numbers whose digits are the parts of a time, with the smallest and the largest of them.
_DIGITS: tuple[tuple[str, Form, Limits], ...] = (
    ("yyyymmdd", "date", _COMPACT),
    ("yyyymm", "month", (150_001, 220_012)),
    ("yyyyww", "week", (150_001, 220_012)),
    ("yyyyddd", "ordinal", (1_850_001, 2_100_366)),
    ("yyyy", "year", _YEARS),
    # These look like Unix times of another century.
    ("yyyymmddHH", "stamp", (1_900_010_100, 2_100_123_199)),
    ("yyyymmddHHMM", "stamp", (190_001_010_000, 210_012_319_999)),
    ("yyyymmddHHMMSS", "stamp", (19_000_101_000_000, 21_001_231_999_999)),
)
_UNIX = (1e8, 1e20)  # seconds from 1973 on, up to nanoseconds
_AROUND_NOW = (631_152_000_000_000, 4_102_444_800_000_000)  # 1990 to 2100, in microseconds
_EQUAL = 0.7  # share of steps with the same length; working days have 0.8
_STEADY = 0.95  # share of steps in one direction from which a column looks like times
_MONTHS = 12
_PARTS_OF_YEAR = {12: "month", 4: "quarter", 52: "week", 365: "day"}  # steps of decimal years
_UNEVEN = 0.1  # by how much of its length a step of decimal years may deviate

_Read = tuple[Form, str, Ints, Ints, Bools]  # form, label, days, microseconds of the day, valid


def number_dates(numbers: Floats, *, steady: bool, buddhist: bool = True) -> DateCells | None:
    """Read a column of numbers as dates, if all of them make sense as dates.

    Args:
        numbers: the column, NaN where missing.
        steady: require distinct values that run in one direction or, when sorted, mostly day by day
            (for a column whose name does not suggest time).
        buddhist: read years from 2430 to 2650 as those of the Buddhist calendar.
    """
    there = np.isfinite(numbers)
    values = numbers[there]
    if not len(values) or (steady and not _like_time(values)):
        return None
    if buddhist and BUDDHIST[0] <= values.min() <= values.max() <= BUDDHIST[1] + 1:
        values = values - BUDDHIST_LEAD
    read = _read(values, steady=steady)
    if read is None:
        return None
    form, label, days, clock, valid = read
    found = DateCells.of_rows(len(numbers))
    found.days[there], found.clock[there], found.dated[there] = days, clock, valid
    found.form, found.zoned = form, found.dated & (form == "unix")
    found.formats[label] = int(valid.sum()), int(np.argmax(found.dated))
    found.other_years = int(is_buddhist(numbers).sum()) if form in {"year", "decimal"} else 0
    return found


def ticks_like_unix_time(numbers: Floats) -> bool:
    """Return whether a column, whatever its name, can hardly be anything other than Unix times.

    They are whole numbers, from 1990 to 2100, and run in one direction in mostly equal steps longer
    than one; numbers in steps of one are rather a count.
    """
    values = numbers[np.isfinite(numbers)]
    if len(values) < 3 or not bool((values == np.floor(values)).all()):
        return False
    if not _UNIX[0] <= values.min() <= values.max() <= _UNIX[1]:
        return False
    micros = unix_micros(values)
    if not _AROUND_NOW[0] <= micros.min() <= micros.max() <= _AROUND_NOW[1]:
        return False
    steps = np.abs(np.diff(values))
    step = np.median(steps)
    return bool(order_share(values) == 1 and step > 1 and (steps == step).mean() >= _EQUAL)


def _read(values: Floats, *, steady: bool) -> _Read | None:
    """Return the first form whose limits contain all values and that makes dates of nearly all."""
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.floor(values)).all())
    if whole:
        for label, form, limits in _DIGITS:
            if limits[0] <= low and high <= limits[1]:
                found = _from_digits(values, form, label)
                counted = form != "year" or not steady or _median_step(values) == 1
                if counted and found[-1].mean() > _STEADY:
                    return found
    readers: list[tuple[Limits, Callable[[Floats], _Read | None]]] = [
        (_EXCEL_DAYS, _excel_days),
        (_UNIX, _unix_times),
    ]
    if not whole:
        readers += [(_YEARS, _months_behind_point), (_YEARS, _decimal_years)]
    for limits, read in readers:
        found_else = read(values) if limits[0] <= low and high <= limits[1] else None
        if found_else is not None and found_else[-1].mean() > _STEADY:
            return found_else
    return None


def _from_digits(values: Floats, form: Form, label: str) -> _Read:
    """Take whole numbers apart as the label says: year, month or week, day, hour and so on."""
    rest = values.astype(np.int64)
    parts: dict[str, Ints] = {}
    for sign, run in groupby(reversed(label)):
        size = 10 ** len(list(run))
        parts[sign], rest = rest % size, rest // size
    years, nothing = parts["y"], rest * 0
    if "w" in parts:
        days, valid = days_of_part(years, "week", parts["w"])
    elif "m" in parts:
        days, valid = days_of_part(years, "month", parts["m"], parts.get("d"))
    else:
        days, valid = days_of_part(years, "yearday", parts.get("d", nothing + 1))
    hours, minutes, seconds = (parts.get(sign, nothing) for sign in "HMS")
    clock = clock_of(hours, minutes, seconds)
    valid &= (clock <= DAY_US) & (np.maximum(minutes, seconds) < 60)
    return form, label, days, clock, valid


def _months_behind_point(values: Floats) -> _Read | None:
    """Read 2019.01 to 2019.12, where October is 2019.1."""
    years = np.floor(values + 1e-9)
    months = np.rint((values - years) * 100)
    if np.abs(values - years - months / 100).max() > 1e-6 or months.max() > _MONTHS:
        return None
    if months.min() < 1 or (len(values) > 1 and _median_step(years * _MONTHS + months) != 1):
        return None
    days, valid = days_of_part(years.astype(np.int64), "month", months.astype(np.int64))
    return "month", "yyyy.mm", days, days * 0, valid


def _decimal_years(values: Floats) -> _Read | None:
    """Read decimal years, such as 1950.042 for January 1950, in steps of a usual part of a year."""
    step = _median_step(np.unique(values))
    parts = next((p for p in _PARTS_OF_YEAR if abs(step * p - 1) < _UNEVEN), None)
    if parts is None:
        return None
    years = np.floor(values + 1e-6).astype(np.int64)
    fraction = np.maximum(values - years, 0.0)
    if parts in {12, 4}:
        place = np.floor(fraction * parts + 0.02).astype(np.int64)  # 1950.083 is February
        days, valid = days_of_part(years, _PARTS_OF_YEAR[parts], np.minimum(place, parts - 1) + 1)
    else:
        ones = np.ones(len(values), dtype=np.int64)
        starts, valid = days_of(years, ones, ones)
        following, _ = days_of(years + 1, ones, ones)
        days = starts + np.floor(fraction * (following - starts) + 0.25).astype(np.int64)
    return "decimal", f"decimal years, a {_PARTS_OF_YEAR[parts]} each", days, days * 0, valid


def _excel_days(values: Floats) -> _Read:
    days = np.floor(values).astype(np.int64)
    # Excel stores a time of day as a fraction, which is exact to about a second.
    clock = np.rint((values - days) * 86_400).astype(np.int64) * 1_000_000
    return "excel", "Excel day", days + EXCEL_EPOCH, clock, np.ones(len(values), dtype=bool)


def _unix_times(values: Floats) -> _Read:
    micros = unix_micros(values)
    everywhere = np.ones(len(values), dtype=bool)
    return "unix", "Unix time", micros // DAY_US, micros % DAY_US, everywhere


def _like_time(values: Floats) -> bool:
    """Return whether the numbers look like times rather than values."""
    ordered = np.sort(values)
    steps = np.diff(ordered)
    if not bool((steps > 0).all()):
        return False
    if order_share(values) >= _STEADY or _COMPACT[0] <= ordered[0] <= ordered[-1] <= _COMPACT[1]:
        return True
    return bool((steps == 1).mean() > 0.5) if len(steps) else False


def _median_step(values: Floats) -> float:
    return float(np.median(np.abs(np.diff(values)))) if len(values) > 1 else 1.0
