"""Tell days on which a series was closed, such as holidays, from days whose rows are missing.

A calendar that lists its closed dates decides by itself. Otherwise open weekdays without a row are
closed if no series of the file has a row on them, if at most `LONGEST_CLOSURE` of them follow each
other, and if all of them are a small share of the open weekdays. NumPy only.
"""

from dataclasses import replace

import numpy as np

from app.reading.arrays import Ints, Times
from app.reading.series.calendar import (
    BUSINESS_WEEK,
    EVERY_DAY,
    WEEK_DAYS,
    Calendar,
    parse_calendar,
)
from app.reading.series.frequency import is_within_day, split_frequency

# The longest closures of exchanges in peace: Japan in May 2019 and China in January 2020, 6
# weekdays each.
LONGEST_CLOSURE = 6
# China's exchanges are closed on 7 % of the weekdays, those of the US on 4 %.
MOST_CLOSED = 0.1


def with_closed_days(times: Times, frequency: str, calendar: str | None) -> Calendar | None:
    """Return the calendar of a file or a history with the days on which it was closed.

    Args:
        times: civil times of the rows, of all series, in any order, (rows,).
        frequency: in the form of `app.reading.series.frequency`.
        calendar: when the series has rows, as far as it is known.

    Returns:
        None for a frequency that knows no closed days and has no calendar.
    """
    count, unit = split_frequency(frequency)
    known = BUSINESS_WEEK if calendar is None and unit == "B" else None
    known = parse_calendar(calendar) if calendar is not None else known
    by_day = count == 1 and unit in {"B", "C"}
    if known is None or not known.rules or not (by_day or is_within_day(frequency)):
        return known
    closed = known.closed or ()
    # Days before the first and after the last listed date are not known.
    absent, weekdays = absent_days(times, known)
    if known.closed is not None:
        unlisted = (absent < min(closed, default=-np.inf)) | (absent > max(closed, default=np.inf))
        absent = absent[unlisted] if closed else absent[:0]
    short = _in_short_runs(absent, weekdays)
    if len(short) > most_closed(len(weekdays)):
        return known
    return replace(known, closed=tuple(sorted({*closed, *short.tolist()})))


def without_closed_days(frequency: str | None, calendar: str | None) -> Calendar | None:
    """Return the weekdays of a series with a row a day, as if it was never closed.

    None for any other frequency.
    """
    if frequency not in {"B", "C", "D"}:
        return None
    week = parse_calendar(calendar) if calendar is not None else None
    week = week or (BUSINESS_WEEK if frequency == "B" else EVERY_DAY)
    return replace(week, closed=(), closed_by="") if week.rules else None


def most_closed(weekdays: int) -> float:
    """Return how many of some weekdays may pass for closed."""
    return max(LONGEST_CLOSURE, MOST_CLOSED * weekdays)


def absent_days(times: Times, calendar: Calendar) -> tuple[Ints, Ints]:
    """Return the open days without a row, and all open days, from the first row to the last."""
    present: Ints = np.unique(times.astype("datetime64[D]").astype(np.int64))
    every = np.arange(present[0], present[-1] + 1)
    weekday = (every + 3) % WEEK_DAYS  # Monday is 0
    is_open = np.isin(weekday, calendar.weekdays) & ~np.isin(every, calendar.closed or ())
    weekdays: Ints = every[is_open]
    return np.setdiff1d(weekdays, present, assume_unique=True), weekdays


def _in_short_runs(absent: Ints, weekdays: Ints) -> Ints:
    """Return the absent days of which at most `LONGEST_CLOSURE` follow each other."""
    if not len(absent):
        return absent
    places = np.searchsorted(weekdays, absent)
    run = np.cumsum(np.diff(places, prepend=places[0]) > 1)  # (absent,), number of its run
    return absent[np.bincount(run)[run] <= LONGEST_CLOSURE]
