"""Dates that are written as plain numbers: 20170103, 2017010309, Excel days, Unix times, years."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.reading.columns.date_order import order_share
from app.reading.columns.dates import DAY_US, EXCEL_EPOCH, Ints, days_of, unix_micros

_EXCEL_DAYS = (10_000, 80_000)  # 1927 to 2119
_YEARS = (1500, 2200)
_COMPACT = (15_000_101, 22_001_231)  # yyyymmdd
_COMPACT_MONTHS = (150_001, 220_012)  # yyyymm
_STAMPED_DAYS = (19_000_101, 21_001_231)  # of yyyymmdd with hours, minutes or seconds after it
_STAMPS = {2: "yyyymmddHH", 4: "yyyymmddHHMM", 6: "yyyymmddHHMMSS"}  # by digits of the time
_UNIX = (1e8, 1e20)  # seconds from 1973 on, up to nanoseconds
_AROUND_NOW = (631_152_000_000_000, 4_102_444_800_000_000)  # 1990 to 2100, in microseconds
_EQUAL = 0.7  # share of steps of the same length: working days have 0.8
_STEADY = 0.95  # share of steps in one direction that makes a column look like time

Form = Literal["date", "month", "stamp", "excel", "unix", "year"]
_Read = tuple[Form, str, Ints, Ints, npt.NDArray[np.bool_]]  # form, label, days, clock, valid


@dataclass(frozen=True, kw_only=True)
class NumberDates:
    """Numbers read as times."""

    form: Form
    label: str
    days: Ints
    clock: Ints  # microseconds since midnight
    known: npt.NDArray[np.bool_]


def number_dates(numbers: npt.NDArray[np.float64], *, steady: bool) -> NumberDates | None:
    """Reads a column of numbers as dates, where all of them make sense as such.

    Args:
        numbers: the column, NaN where missing.
        steady: demand that none comes twice and that they run in one direction or, once sorted,
            mostly day by day (for a column whose name says nothing of time).
    """
    there = np.isfinite(numbers)
    values = numbers[there]
    if not len(values):
        return None
    if steady and not _like_time(values):
        return None
    found = _form(values, steady=steady)
    if found is None:
        return None
    form, label, days, clock, valid = found
    full_days, full_clock = (np.zeros(len(numbers), dtype=np.int64) for _ in range(2))
    known = np.zeros(len(numbers), dtype=bool)
    full_days[there], full_clock[there], known[there] = days, clock, valid
    return NumberDates(form=form, label=label, days=full_days, clock=full_clock, known=known)


def ticks_like_unix_time(numbers: npt.NDArray[np.float64]) -> bool:
    """Whether a column, whatever its name, can hardly be anything but Unix times.

    They are whole, of 1990 to 2100, and run in one direction in steps that are mostly equal, and
    longer than one, for those would rather be counted than timed.
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
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.floor(values)).all())
    everywhere = np.ones(len(values), dtype=bool)
    midnight = np.zeros(len(values), dtype=np.int64)

    def within(limits: tuple[float, float]) -> bool:
        return limits[0] <= low and high <= limits[1]

    if whole and within(_COMPACT):
        number = values.astype(np.int64)
        days, valid = days_of(number // 10_000, number // 100 % 100, number % 100)
        return ("date", "yyyymmdd", days, midnight, valid) if valid.mean() > _STEADY else None
    if whole and within(_COMPACT_MONTHS):
        number = values.astype(np.int64)
        days, valid = days_of(number // 100, number % 100, midnight + 1)
        return ("month", "yyyymm", days, midnight, valid) if valid.mean() > _STEADY else None
    if whole and within(_YEARS) and not (steady and _median_step(values) != 1):
        days, valid = days_of(values.astype(np.int64), midnight + 1, midnight + 1)
        return "year", "yyyy", days, midnight, valid
    if within(_EXCEL_DAYS):
        days = np.floor(values).astype(np.int64)
        # Excel keeps a time of day as a fraction; to the second is as exact as it is.
        clock = np.rint((values - days) * 86_400).astype(np.int64) * 1_000_000
        return "excel", "Excel day", days + EXCEL_EPOCH, clock, everywhere
    stamps = _stamps(values) if whole else None
    if stamps is None and within(_UNIX):
        micros = unix_micros(values)
        return "unix", "Unix time", micros // DAY_US, micros % DAY_US, everywhere
    return stamps


def _stamps(values: npt.NDArray[np.float64]) -> _Read | None:
    """Days with a time after them, which would else pass for Unix times of another century."""
    low, high = _STAMPED_DAYS
    for digits, label in _STAMPS.items():
        if values.min() < low * 10**digits or values.max() >= (high + 1) * 10**digits:
            continue
        number = values.astype(np.int64) * 10 ** (6 - digits)
        day, time = number // 1_000_000, number % 1_000_000
        days, valid = days_of(day // 10_000, day // 100 % 100, day % 100)
        hours, minutes, seconds = time // 10_000, time // 100 % 100, time % 100
        clock = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000
        valid &= (clock <= DAY_US) & (np.maximum(minutes, seconds) < 60)  # in an hour
        if valid.mean() > _STEADY:
            return "stamp", label, days, clock, valid
    return None


def _like_time(values: npt.NDArray[np.float64]) -> bool:
    """Whether nothing but their look speaks for these being values."""
    ordered = np.sort(values)
    steps = np.diff(ordered)
    if not bool((steps > 0).all()):
        return False
    if order_share(values) >= _STEADY or _COMPACT[0] <= ordered[0] <= ordered[-1] <= _COMPACT[1]:
        return True
    return bool((steps == 1).mean() > 0.5) if len(steps) else False  # most of them


def _median_step(values: npt.NDArray[np.float64]) -> float:
    return float(np.median(np.abs(np.diff(values)))) if len(values) > 1 else 1.0
