"""The step between the rows of a series, and the times that come next. NumPy only.

A frequency is an optional count and a unit, in pandas' spelling: ``15min``, ``h``, ``2W``.

========  ==========================================================================
``ms``    milliseconds
``s``     seconds
``min``   minutes
``h``     hours
``D``     days, weekends included
``B``     business days, Monday to Friday, without the dates that the calendar excepts
``C``     the weekdays that the calendar names
``W``     weeks, on the weekday of the last time
``SMS``   half-months, on the two days that the calendar names (usually ``1, 16``)
``SME``   half-months, on the two days that the calendar names (usually ``15, last``)
``MS``    months, on the day of the month of the last time (usually the first)
``ME``    months, on the last day of each
``QS``    quarters, on the day of the month of the last time
``QE``    quarters, on the last day of each
``YS``    years, on the day of the last time
``YE``    years, on the last day of the month of the last time
========  ==========================================================================

None stands for times without a regular step, and for series without times. A calendar (see
`app.reading.series.calendar`) says which weekdays and hours have rows where not all have.
"""

import re

import numpy as np
import numpy.typing as npt

from app.reading.arrays import Ints, Times
from app.reading.series.calendar import (
    BUSINESS_WEEK,
    DAY_US,
    LAST_DAY,
    Calendar,
    parse_calendar,
    slot_numbers,
    slot_times,
)

FREQUENCY_PATTERN = r"^([1-9]\d{0,3})?(ms|s|min|h|D|B|C|W|SMS|SME|MS|ME|QS|QE|YS|YE)$"


MICROSECONDS = {
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "D": DAY_US,
    "W": 7 * DAY_US,
}
MONTHS = {"MS": 1, "ME": 1, "QS": 3, "QE": 3, "YS": 12, "YE": 12}
_HALF_MONTHS = {
    "SMS": Calendar(month_days=(1, 16)),
    "SME": Calendar(month_days=(15, LAST_DAY)),
}
_DAY = np.timedelta64(1, "D")


def split_frequency(frequency: str) -> tuple[int, str]:
    """Return count and unit of a frequency: ``15min`` is (15, "min").

    Raises:
        ValueError: it is not of the vocabulary above.
    """
    if not re.match(FREQUENCY_PATTERN, frequency):
        raise ValueError(
            f"{frequency!r} is not a frequency; write a unit (ms, s, min, h, D, B, C, W, SMS, SME, "
            "MS, ME, QS, QE, YS, YE), with a count before it where it is not 1, as in 15min"
        )
    digits = re.match(r"\d*", frequency)
    count = digits.group() if digits else ""
    return int(count or 1), frequency[len(count) :]


def next_times(
    last: np.datetime64, frequency: str, steps: int, calendar: Calendar | str | None = None
) -> Times:
    """Return the ``steps`` times that follow ``last``, as civil times.

    Args:
        last: the last known time of a series.
        frequency: one of those above.
        steps: number of times, at least 0.
        calendar: when the series has rows, in the form of `app.reading.series.calendar`.

    Returns:
        datetime64[us] array, (steps,).

    Raises:
        ValueError: the frequency or the calendar is not valid.
    """
    return times_from(last, frequency, np.arange(1, steps + 1, dtype=np.int64), calendar)


def times_from(
    last: np.datetime64, frequency: str, places: Ints, calendar: Calendar | str | None = None
) -> Times:
    """Return the times that are so many steps (places,) after a time, or before it if negative."""
    count, unit = split_frequency(frequency)
    numbers = places * count
    start = last.astype("datetime64[us]")
    slots = _slots(unit, calendar)
    if slots is not None and is_within_day(frequency):
        step = MICROSECONDS[unit] * count
        return slot_times(slot_numbers(start, slots, step) + numbers // count, slots, step)
    if slots is not None:
        days = slot_times(slot_numbers(start, slots, DAY_US) + numbers, slots, DAY_US)
        dated: Times = days + (start - start.astype("datetime64[D]").astype("datetime64[us]"))
        return dated
    if unit in MONTHS:
        return add_months(start, numbers * MONTHS[unit], to_end=unit.endswith("E"))
    evenly: Times = start + (numbers * MICROSECONDS[unit]).astype("timedelta64[us]")
    return evenly


def steps_between(times: Times, frequency: str, calendar: Calendar | str | None = None) -> Ints:
    """Return the steps between each time and the next, (rows - 1,); more than 1 is a gap."""
    count, unit = split_frequency(frequency)
    slots = _slots(unit, calendar)
    if slots is not None and is_within_day(frequency):
        return np.diff(slot_numbers(times, slots, MICROSECONDS[unit] * count))
    if slots is not None:
        return np.diff(slot_numbers(times, slots, DAY_US) // count)
    if unit in MONTHS:
        return np.diff(times.astype("datetime64[M]").astype(np.int64) // (MONTHS[unit] * count))
    # Steps are rounded, not times: days at noon are halfway, and half of them were rounded each
    # way.
    return np.rint(np.diff(times.astype(np.int64)) / (MICROSECONDS[unit] * count)).astype(np.int64)


def is_within_day(frequency: str) -> bool:
    """Return whether steps are of hours or less, which a change of clocks does not lengthen."""
    return split_frequency(frequency)[1] in {"ms", "s", "min", "h"}


def _slots(unit: str, calendar: Calendar | str | None) -> Calendar | None:
    """Return the calendar by which a frequency is counted; None: its steps have a fixed length."""
    if calendar is not None and unit not in MONTHS and unit != "W":
        return parse_calendar(calendar) if isinstance(calendar, str) else calendar
    if unit in {"B", "C"}:
        return BUSINESS_WEEK
    return _HALF_MONTHS.get(unit)


def add_months(start: np.datetime64, months: npt.NDArray[np.int64], *, to_end: bool) -> Times:
    """Move by calendar months to the same day, or to the last day of shorter months."""
    month = start.astype("datetime64[M]")
    day_in_month = (start.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    moved = month + months.astype("timedelta64[M]")
    lengths = month_lengths(moved)
    day = lengths - 1 if to_end else np.minimum(day_in_month, lengths - 1)
    time_of_day = start - start.astype("datetime64[D]").astype("datetime64[us]")
    days = moved.astype("datetime64[D]") + day.astype("timedelta64[D]")
    times: Times = days.astype("datetime64[us]") + time_of_day
    return times


def month_lengths(months: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Return the number of days in each of these months (datetime64[M])."""
    following = (months + np.timedelta64(1, "M")).astype("datetime64[D]")
    lengths: npt.NDArray[np.int64] = ((following - months.astype("datetime64[D]")) / _DAY).astype(
        np.int64
    )
    return lengths
