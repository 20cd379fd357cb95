"""Read numbers as dates: 20170103, 2017010309, 2017.25, Excel days, Unix times, years."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.reading.columns.dates import (
    BUDDHIST,
    BUDDHIST_LEAD,
    DAY_US,
    EXCEL_EPOCH,
    Ints,
    days_of,
    days_of_weeks,
    order_share,
    unix_micros,
)

Limits = tuple[float, float]

_EXCEL_DAYS = (10_000, 80_000)  # 1927 to 2119
_YEARS = (1500, 2200)
_COMPACT = (15_000_101, 22_001_231)  # yyyymmdd
_COMPACT_MONTHS = (150_001, 220_012)  # yyyymm
_ORDINAL_DAYS = (1_850_001, 2_100_366)  # yyyyddd
_STAMPED_DAYS = (19_000_101, 21_001_231)  # the date yyyymmdd followed by hours, minutes or seconds
# by number of digits of the time
_STAMPS = {2: "yyyymmddHH", 4: "yyyymmddHHMM", 6: "yyyymmddHHMMSS"}
_UNIX = (1e8, 1e20)  # seconds from 1973 on, up to nanoseconds
_AROUND_NOW = (631_152_000_000_000, 4_102_444_800_000_000)  # 1990 to 2100, in microseconds
_EQUAL = 0.7  # share of steps with the same length; working days have 0.8
_STEADY = 0.95  # share of steps in one direction from which a column looks like times
_MONTHS = 12
_PARTS_OF_YEAR = {12: "month", 4: "quarter", 52: "week", 365: "day"}  # steps of decimal years
_UNEVEN = 0.1  # by how much of its length a step of decimal years may deviate
_LAST_DAY_OF_YEAR = 366

Form = Literal["date", "month", "week", "ordinal", "decimal", "stamp", "excel", "unix", "year"]
_Read = tuple[Form, str, Ints, Ints, npt.NDArray[np.bool_]]  # form, label, days, clock, valid


@dataclass(frozen=True, kw_only=True)
class NumberDates:
    """Numbers read as times."""

    form: Form
    label: str
    days: Ints
    clock: Ints  # microseconds since midnight
    known: npt.NDArray[np.bool_]


def number_dates(
    numbers: npt.NDArray[np.float64], *, steady: bool, buddhist: bool = True
) -> NumberDates | None:
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
    found = _form(values, steady=steady)
    if found is None:
        return None
    form, label, days, clock, valid = found
    full_days, full_clock = (np.zeros(len(numbers), dtype=np.int64) for _ in range(2))
    known = np.zeros(len(numbers), dtype=bool)
    full_days[there], full_clock[there], known[there] = days, clock, valid
    return NumberDates(form=form, label=label, days=full_days, clock=full_clock, known=known)


def ticks_like_unix_time(numbers: npt.NDArray[np.float64]) -> bool:
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


def _form(values: npt.NDArray[np.float64], *, steady: bool) -> _Read | None:
    """Return the first form whose limits contain all values and that makes dates of nearly all."""
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.floor(values)).all())
    readers: list[tuple[bool, Limits, Callable[[], _Read | None]]] = [
        (whole, _COMPACT, lambda: _parts(values, "date", "yyyymmdd", (10_000, 100, 1))),
        (whole, _COMPACT_MONTHS, lambda: _parts(values, "month", "yyyymm", (100, 1))),
        (whole, _COMPACT_MONTHS, lambda: _weeks(values)),
        (whole, _ORDINAL_DAYS, lambda: _ordinal(values)),
        (not whole, _YEARS, lambda: _months_behind_point(values) or _decimal_years(values)),
        (whole, _YEARS, lambda: _years(values, steady=steady)),
        (True, _EXCEL_DAYS, lambda: _excel_days(values)),
        (whole, _UNIX, lambda: _stamps(values)),
        (True, _UNIX, lambda: _unix_times(values)),
    ]
    for applies, limits, read in readers:
        if applies and limits[0] <= low and high <= limits[1]:
            found = read()
            if found is not None and found[-1].mean() > _STEADY:
                return found
    return None


def _parts(
    values: npt.NDArray[np.float64], form: Form, label: str, sizes: tuple[int, ...]
) -> _Read:
    """Return year, month and perhaps day from the digits of a whole number."""
    numbers = values.astype(np.int64)
    ones = np.ones(len(values), dtype=np.int64)
    years, *rest = (numbers // size % (10_000 if size == sizes[0] else 100) for size in sizes)
    days, valid = days_of(years, rest[0], rest[1] if len(rest) > 1 else ones)
    return form, label, days, ones * 0, valid


def _weeks(values: npt.NDArray[np.float64]) -> _Read:
    numbers = values.astype(np.int64)
    ones = np.ones(len(values), dtype=np.int64)
    days, valid = days_of_weeks(numbers // 100, numbers % 100, ones)
    return "week", "yyyyww", days, ones * 0, valid


def _ordinal(values: npt.NDArray[np.float64]) -> _Read | None:
    numbers = values.astype(np.int64)
    ones = np.ones(len(values), dtype=np.int64)
    day = numbers % 1000
    starts, valid = days_of(numbers // 1000, ones, ones)
    valid &= (day >= 1) & (day <= _LAST_DAY_OF_YEAR)
    return "ordinal", "yyyyddd", starts + day - 1, ones * 0, valid


def _months_behind_point(values: npt.NDArray[np.float64]) -> _Read | None:
    """Read 2019.01 to 2019.12, where October is 2019.1."""
    years = np.floor(values + 1e-9)
    months = np.rint((values - years) * 100)
    if np.abs(values - years - months / 100).max() > 1e-6 or months.max() > _MONTHS:
        return None
    if months.min() < 1 or (len(values) > 1 and _median_step(years * _MONTHS + months) != 1):
        return None
    ones = np.ones(len(values), dtype=np.int64)
    days, valid = days_of(years.astype(np.int64), months.astype(np.int64), ones)
    return "month", "yyyy.mm", days, ones * 0, valid


def _decimal_years(values: npt.NDArray[np.float64]) -> _Read | None:
    """Read decimal years, such as 1950.042 for January 1950, in steps of a usual part of a year."""
    step = _median_step(np.unique(values))
    parts = next((p for p in _PARTS_OF_YEAR if abs(step * p - 1) < _UNEVEN), None)
    if parts is None:
        return None
    years = np.floor(values + 1e-6).astype(np.int64)
    ones = np.ones(len(values), dtype=np.int64)
    fraction = np.maximum(values - years, 0.0)
    if parts in {12, 4}:
        place = np.floor(fraction * parts + 0.02).astype(np.int64)  # 1950.083 is February
        days, valid = days_of(years, np.minimum(place, parts - 1) * (12 // parts) + 1, ones)
    else:
        starts, valid = days_of(years, ones, ones)
        following, _ = days_of(years + 1, ones, ones)
        days = starts + np.floor(fraction * (following - starts) + 0.25).astype(np.int64)
    label = f"decimal years, a {_PARTS_OF_YEAR[parts]} each"
    return "decimal", label, days, ones * 0, valid


def _years(values: npt.NDArray[np.float64], *, steady: bool) -> _Read | None:
    if steady and _median_step(values) != 1:
        return None
    ones = np.ones(len(values), dtype=np.int64)
    days, valid = days_of(values.astype(np.int64), ones, ones)
    return "year", "yyyy", days, ones * 0, valid


def _excel_days(values: npt.NDArray[np.float64]) -> _Read:
    days = np.floor(values).astype(np.int64)
    # Excel stores a time of day as a fraction, which is exact to about a second.
    clock = np.rint((values - days) * 86_400).astype(np.int64) * 1_000_000
    return "excel", "Excel day", days + EXCEL_EPOCH, clock, np.ones(len(values), dtype=bool)


def _unix_times(values: npt.NDArray[np.float64]) -> _Read:
    micros = unix_micros(values)
    everywhere = np.ones(len(values), dtype=bool)
    return "unix", "Unix time", micros // DAY_US, micros % DAY_US, everywhere


def _stamps(values: npt.NDArray[np.float64]) -> _Read | None:
    """Read days followed by a time, which otherwise look like Unix times of another century."""
    low, high = _STAMPED_DAYS
    for digits, label in _STAMPS.items():
        if values.min() < low * 10**digits or values.max() >= (high + 1) * 10**digits:
            continue
        number = values.astype(np.int64) * 10 ** (6 - digits)
        day, time = number // 1_000_000, number % 1_000_000
        days, valid = days_of(day // 10_000, day // 100 % 100, day % 100)
        hours, minutes, seconds = time // 10_000, time // 100 % 100, time % 100
        clock = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000
        valid &= (clock <= DAY_US) & (np.maximum(minutes, seconds) < 60)
        if valid.mean() > _STEADY:
            return "stamp", label, days, clock, valid
    return None


def _like_time(values: npt.NDArray[np.float64]) -> bool:
    """Return whether the numbers look like times rather than values."""
    ordered = np.sort(values)
    steps = np.diff(ordered)
    if not bool((steps > 0).all()):
        return False
    if order_share(values) >= _STEADY or _COMPACT[0] <= ordered[0] <= ordered[-1] <= _COMPACT[1]:
        return True
    return bool((steps == 1).mean() > 0.5) if len(steps) else False


def _median_step(values: npt.NDArray[np.float64]) -> float:
    return float(np.median(np.abs(np.diff(values)))) if len(values) > 1 else 1.0
